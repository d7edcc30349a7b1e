"""The beginning of an archive: whether it is one, whose, and whether all of a disk is in it."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.archive.address import kind_of
from sbctui.engine.archive.ahead import ahead
from sbctui.engine.archive.format import CONFIG, DIFFERENCE, DISK, MOST_CONFIG, BadArchive
from sbctui.engine.archive.guess import LeafSays, leaf_says
from sbctui.engine.archive.stream import Read
from sbctui.engine.archive.tarread import Entry, TarReader
from sbctui.engine.errors import SbcError

_FIRST = 64
"""Members among which a node's archive has its config and its disk."""
_MOST = 256 * 1024**2
"""Bytes of boot files that are passed over to come to the disk."""


_NO_LEAF = LeafSays()


@dataclass(frozen=True, slots=True)
class Head:
    """What the first members tell: ``node`` = it is a node's archive, ``leaf`` whose, if a leaf's.

    ``difference``: its disk is what differs from another one.
    """

    node: bool = False
    leaf: LeafSays = _NO_LEAF
    difference: bool = False


NOTHING = Head()


def head_of(path: Path) -> Head:
    """Of a file; nothing of what begins like no archive, or is no file. Raises OSError."""
    if not os.path.isfile(path):
        return NOTHING
    with open(path, "rb") as file, suppress(BadArchive):
        return head_in(file.read1, str(path))
    return NOTHING


def head_in(read: Read, place: str) -> Head:
    """Of bytes as they come. Raises BadArchive where not even the first member can be read."""
    try:
        return _read(read)
    except BadArchive as error:
        raise error.within(place="" if kind_of(place) == "stream" else place) from None


def _read(read: Read) -> Head:
    name, config, passed = "", None, 0
    with ahead(read, threading.Event()) as stream:
        tar = TarReader(stream)
        entry = tar.next()
        with suppress(SbcError, OSError):
            for _ in range(_FIRST):
                name = _member(entry) if entry is not None else ""
                if entry is None or name in (DISK, DIFFERENCE) or passed > _MOST:
                    break
                if name == CONFIG and entry.what == "file" and entry.size <= MOST_CONFIG:
                    config = b"".join(bytes(memory[a:b]) for memory, a, b in tar.pieces())
                passed += entry.size
                entry = tar.next()
    node = config is not None or name in (DISK, DIFFERENCE)
    return Head(node, leaf_says(config), name == DIFFERENCE)


def _member(entry: Entry) -> str:
    """A member's name without the folder in which all of them may lie; empty if in another."""
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    return parts[-1] if 1 <= len(parts) <= 2 else ""
