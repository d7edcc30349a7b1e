"""``attributes.json``: the extended attributes that files laid over images have by themselves.

sftp and HTTP know none, and what another server's mount shows lacks some. So a repository lists
those of files that were put in by hand, and who follows it writes them into the overlays' tables,
where every reader finds them whatever the file system.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.model.xattrs import Xattrs, parse, unasked, written
from sbctui.engine.repository.overlay_table import TABLE, Row, parse_table, with_rows
from sbctui.engine.repository.overlay_xattrs import of_source
from sbctui.engine.repository.tree import TREES, sane, walk

LIST = "attributes.json"
"""The list's name, at the top of a repository."""
LARGEST = 64 * 1024**2
"""Bytes of the longest list that is read."""
Attributes = Mapping[str, Xattrs]
"""By path in the repository; only of what has some."""
_DEPTH = 3
"""Folders above what an overlay holds: ``groups/<group>/<image>``."""


def overlay_of(path: str) -> tuple[str, str]:
    """The overlay's folder and the path in it; both empty for what is in none."""
    parts = path.split("/")
    if parts[0] not in TREES or len(parts) <= _DEPTH:
        return "", ""
    return "/".join(parts[:_DEPTH]), "/".join(parts[_DEPTH:])


def of_files(root: Path) -> Attributes:
    """Those of the files and folders of a repository themselves. Raises OSError.

    What can't be read by who asks can't be laid by him either, and has none.
    """
    found = {}
    for one in walk(root, TREES):
        inner = overlay_of(one.path)[1]
        if one.kind == "link" or inner in ("", TABLE):
            continue
        with suppress(FileNotFoundError, PermissionError):
            if own := unasked(of_source(str(root / one.path))):
                found[one.path] = own
    return found


def to_json(attributes: Attributes) -> bytes:
    """The list's bytes, values as in an overlay's table."""
    files = {path: written(own) for path, own in sorted(attributes.items())}
    return json.dumps({"schema": 1, "files": files}, separators=(",", ":")).encode() + b"\n"


def from_json(data: bytes) -> Attributes:
    """A list from anywhere; what is in no overlay is left out. Raises ValueError."""
    try:
        rows = json.loads(data)["files"].items()
        return {
            path: parse({str(name): str(text) for name, text in row.items()})
            for path, row in rows
            if sane(path) and overlay_of(path)[1]
        }
    except (KeyError, TypeError, AttributeError, RecursionError, BadInput) as error:
        raise ValueError(str(error)) from None


def by_overlay(attributes: Attributes) -> dict[str, dict[str, Xattrs]]:
    """The same for each overlay by its folder, with paths in it."""
    found: dict[str, dict[str, Xattrs]] = {}
    for path, own in attributes.items():
        folder, inner = overlay_of(path)
        found.setdefault(folder, {})[inner] = own
    return found


def in_table(table: bytes, own: Mapping[str, Xattrs]) -> bytes:
    """An overlay's table that says too what its files have by themselves, where it was silent.

    A table that can't be used stays as it is, and is refused by who lays files.
    """
    with suppress(BadInput):
        known = parse_table(table, TABLE)
        rows = {path: (known.get(path, Row()), xattrs) for path, xattrs in own.items()}
        told = {
            path: row.model_copy(update={"xattrs": written(xattrs)})
            for path, (row, xattrs) in rows.items()
            if not row.tells_xattrs
        }
        return with_rows(table, told)
    return table
