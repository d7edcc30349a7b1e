"""Places of things that are no nodes: as text in a plan, and as a name in the trash."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BeforeValidator, PlainSerializer

_ROOM = 220
"""Bytes of a folder's name in the trash after its time: with what a purge adds it ends at 255."""
_MARK = "%2F"
"""What no node's name begins with."""
_BYTES = "//"
"""What no place in a site begins with: the rest is a place that is no text."""


def _written(path: str) -> str:
    return path if path.isprintable() else _BYTES + quote_from_bytes(os.fsencode(path), safe="/")


def _read(path: object) -> object:
    if isinstance(path, str) and path.startswith(_BYTES):
        return os.fsdecode(unquote_to_bytes(path.removeprefix(_BYTES)))
    return path


Place = Annotated[str, PlainSerializer(_written, when_used="json"), BeforeValidator(_read)]
"""A path relative to the site, whatever bytes its names are made of."""


def stray_name(path: str) -> str:
    """The name for something at ``path`` (relative to the site); too long a path is cut off.

    What is cut off can't be put back by itself.
    """
    whole = quote_from_bytes(b"/" + os.fsencode(path), safe="")
    return whole if len(whole) <= _ROOM else whole.replace("%", "_")[-_ROOM:]


def origin(name: str) -> str:
    """Where something of that name came from, relative to the site; empty for a node's name."""
    if not name.startswith(_MARK):
        return ""
    path = os.fsdecode(unquote_to_bytes(name.removeprefix(_MARK)))
    return path if all(part not in ("", ".", "..") for part in path.split("/")) else ""
