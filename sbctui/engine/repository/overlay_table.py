"""``.overlay.toml``: what the files of an overlay can't say by themselves.

The folder belongs to whoever runs the site, who can't give files to other users; so owners are
written down beside them, and so are extended attributes, of which some are root's to give, and what
is no file at all: that one of the image's, or a folder, is taken away. TOML as site.toml is, since
it is written by hand as well.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sbctui.engine.errors import BadInput
from sbctui.engine.model.overlay import parse_path
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import ACCESS, parse

TABLE = ".overlay.toml"
"""The table's name in an overlay's folder."""
LARGEST = 4 * 1024**2
"""Bytes of the longest one that is read."""
_OWNER = re.compile(r"(root|[0-9]{1,10})(?::(root|[0-9]{1,10}))?")
_MODE = re.compile(r"[0-7]{3,4}|0[0-7]{4}")
_MOST_ID = 2**32 - 2
"""(uid_t)-1 stands for none (chown(2))."""


def parse_owner(text: str) -> tuple[int, int]:
    """``1000:1000``, ``0`` or ``root`` → (uid, gid); a single one is both. Raises BadInput."""
    match = _OWNER.fullmatch(text)
    ids = [0 if word == "root" else int(word) for word in (match[1], match[2] or match[1])] \
        if match else []  # fmt: skip
    if not ids or max(ids) > _MOST_ID:
        raise BadInput(
            f"{clean(text)!r} is no owner; write numbers as 1000:1000, or root: other names mean "
            "other users in every image"
        )
    return ids[0], ids[1]


def parse_mode(text: str) -> int:
    """``0644`` → permission bits. Raises BadInput."""
    if not _MODE.fullmatch(text):
        raise BadInput(f"{clean(text)!r} is no mode; write it in octal as 0644")
    return int(text, 8)


class Row(BaseModel):
    """What is said of one path: ``owner`` as uid:gid, ``mode`` in octal; empty for the usual.

    ``xattrs`` are extended attributes, each value as ``model.xattrs`` writes it. ``remove``: all of
    the image and of other overlays is taken away there, below what this overlay has there itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    owner: str = ""
    mode: str = ""
    template: bool = False
    remove: bool = False
    xattrs: dict[str, str] = Field(default_factory=dict)

    @property
    def tells_xattrs(self) -> bool:
        """Whether it says which there are, and be it none."""
        return "xattrs" in self.model_fields_set


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    files: dict[str, Row] = Field(default_factory=dict)


Table = Mapping[str, Row]
"""Path → what is said of it."""


def parse_table(data: bytes, where: str) -> Table:
    """The table's rows. Raises BadInput naming the file and what is wrong with it."""
    try:
        rows = _Table.model_validate(tomllib.loads(data.decode())).files
        return {parse_path(path): _checked(row) for path, row in rows.items()}
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise BadInput(clean(f"{where}: {at}: {first['msg']}")) from None
    except (ValueError, RecursionError, BadInput) as error:
        raise BadInput(clean(f"{where}: {error}")) from None


def _checked(row: Row) -> Row:
    if row.owner:
        parse_owner(row.owner)
    if row.mode:
        parse_mode(row.mode)
    if row.mode and ACCESS in dict(parse(row.xattrs)):
        raise BadInput(f"{ACCESS} comes with a mode of its own; say one of the two")
    return row


def with_rows(data: bytes, rows: Mapping[str, Row]) -> bytes:
    """The table's text with other rows for some paths; an empty row takes a path's away.

    The rest stays as written. Raises BadInput for a table that can't be used.
    """
    known = parse_table(data, TABLE)
    changed = {path: row for path, row in rows.items() if known.get(path, Row()) != row}
    if not changed:
        return data
    import tomlkit

    document: Any = tomlkit.parse(data.decode()) if data else tomlkit.document()
    if "schema" not in document:
        document["schema"] = 1
    files: Any = document.setdefault("files", tomlkit.table(is_super_table=True))
    for old in [key for key in files if key.strip("/") in changed]:
        del files[old]
    for path, row in changed.items():
        if said := row.model_dump(exclude_defaults=True):
            table = tomlkit.table()
            table.update(said)
            files[path] = table
    text: str = tomlkit.dumps(document)
    return text.encode()
