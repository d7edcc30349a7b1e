"""What the person at the console chose: the tables ``[console]`` and ``[keys.SCOPE]`` of
``config.toml``. The user's own file goes before ``/etc/sbctui``'s, setting by setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from sbctui import configfile
from sbctui.engine.errors import BadInput, from_os

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Theme = Literal["terminal", "dark", "light", "blue-orange", "mono"]
Column = Literal["name", "root", "address", "state", "size", "seen", "group", "notes", "kind"]
COLUMNS: tuple[Column, ...] = get_args(Column)


@dataclass(frozen=True)
class Prefs:
    """``changed`` makes another, and checks it as what is read from a file is checked.

    ``theme``: ``terminal`` follows the terminal's own colours, ``blue-orange`` is for eyes that
    don't tell red from green, ``mono`` is without colours. ``refresh`` are seconds between looks
    at the site. ``glyphs``: ``auto`` draws lines only where the terminal is known to have them.
    ``mouse``: ``auto`` is off over ssh. ``driver``: ``cells`` sends only the cells that changed.
    ``confirm``: ``always`` asks for y also before what can be taken back. ``columns`` are those of
    the allocations, in order, behind the MAC; ``sort`` is one of them, or ``mac``, with ``-``
    before it for the other way round. ``keys``: scope → action's id → keys, as in ``actions.py``.
    """

    theme: Theme = "terminal"
    refresh: float = 1.0
    glyphs: Literal["auto", "ascii", "lines"] = "auto"
    mouse: Literal["auto", "on", "off"] = "auto"
    driver: Literal["cells", "stock"] = "cells"
    confirm: Literal["ladder", "always"] = "ladder"
    columns: tuple[Column, ...] = (
        "name",
        "state",
        "size",
        "seen",
        "root",
        "address",
        "notes",
    )
    sort: str = "name"
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def changed(self, **changes: object) -> Prefs:
        """Another, with these settings. Raises ValidationError."""
        from sbctui.prefs_check import checked

        return checked({**vars(self), **changes})


NAMES = tuple(one.name for one in fields(Prefs) if one.name != "keys")
"""The keys of ``[console]``."""


_SHOULD = {
    "refresh": "should be a number of seconds from 0.5 to 60",
    "columns": 'should be a list of one column or more, as ["name", "state"]',
    "sort": 'should be text, as "name" or "-seen"',
}
"""Of the settings whose values can't be listed."""


def load() -> Prefs:
    """What is set. Raises BadInput, with file and key; NotPermitted."""
    return _over(system(), configfile.own())


def system() -> Prefs:
    """What is set for everybody on this machine, else the defaults. Raises like ``load``."""
    return _over(Prefs(), configfile.SYSTEM)


def _over(below: Prefs, file: Path) -> Prefs:
    raw = configfile.read(file)
    console = raw.get("console", {})
    if "keys" in console:
        raise BadInput(f"{file}: keys stand in tables of their own, as [keys.home]")
    keys = {scope: dict(below.keys.get(scope, {})) for scope in below.keys}
    for scope, table in raw.get("keys", {}).items():
        if not isinstance(table, dict):
            raise BadInput(f"{file}: keys.{scope} must be a table, written as [keys.{scope}]")
        keys[scope] = {**keys.get(scope, {}), **table}
    if not console and keys == below.keys:
        return below
    from pydantic import ValidationError  # it takes longer than all else before the first frame

    try:
        return below.changed(**console, keys=keys)
    except ValidationError as error:
        raise BadInput(_sentence(file, error.errors(include_url=False)[0])) from None


def _sentence(file: Path, error: ErrorDetails) -> str:
    where = [str(part) for part in error["loc"]]
    if where[0] == "keys":
        table, key = ".".join(where[:2]), where[-1]
        return f'{file}: {key!r} in [{table}] must be text, as {key} = "ctrl+n"'
    key = where[0]
    if error["type"] == "extra_forbidden":
        return f"{file}: [console] has no setting {key!r}; there are: {', '.join(NAMES)}"
    if error["type"] == "literal_error":
        why = f"is none of {error['ctx']['expected'].replace(' or ', ', ')}".replace("'", "")
    elif error["type"] == "value_error":
        why = error["msg"].removeprefix("Value error, ")
    else:
        why = _SHOULD[key]
    value = f" {error['input']!r}" if isinstance(error["input"], str | int | float) else ""
    return f"{file}: {key}{value} in [console] {why}; correct or remove that line"


def save(changes: Mapping[str, object]) -> Path:
    """Write these settings of ``[console]`` into the user's file; the file.

    What is as without the file is taken out of it; all else in it stays as it is. Raises
    BadInput when the file can't be read, NotPermitted, NoSpace.
    """
    path = configfile.own()
    below = system()
    try:
        text = _text(path, {n: v if v != getattr(below, n) else None for n, v in changes.items()})
        _write(path.resolve(), text)
    except OSError as error:
        raise from_os(error, f"writing {path}") from error
    return path


def _text(path: Path, changes: Mapping[str, Any]) -> str:
    """The file's text with these settings; None takes one out."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before = path.read_text("utf-8") if path.exists() else ""
    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise BadInput(f"{path} can't be read as TOML: {error}; mend or remove it") from None
    table = document.setdefault("console", tomlkit.table())
    for name, value in changes.items():
        if value is None:
            table.pop(name, None)
        else:
            table[name] = list(value) if isinstance(value, tuple) else value
    if not table:
        del document["console"]
    return tomlkit.dumps(document)


def _write(path: Path, text: str) -> None:
    from sbctui.engine.files import write_atomic

    missing = [f for f in (path.parent, *path.parent.parents) if not f.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_atomic(path, text.encode(), mode=mode)
