"""Repositories in the text of ``site.toml``: comments and order of the rest stay. Pure."""

from __future__ import annotations

from sbctui.engine.errors import BadInput
from sbctui.engine.model.repositories import Configured

TABLE = "repositories"


def edited(text: str, name: str, one: Configured | None) -> str:
    """The text with a repository written anew, or with None without it. Raises BadInput."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise BadInput(f"site.toml can't be read as TOML: {error}; mend that line") from None
    table = document.get(TABLE)
    if table is None:
        table = tomlkit.table(is_super_table=True)
        document[TABLE] = table
        table = document[TABLE]
    if one is None:
        table.pop(name, None)
    else:
        written = tomlkit.table()
        written.update({"kind": one.kind, "place": one.place})
        written.update(one.model_dump(exclude_defaults=True, exclude={"kind", "place"}))
        table[name] = written
    if not table:
        del document[TABLE]
    return tomlkit.dumps(document)
