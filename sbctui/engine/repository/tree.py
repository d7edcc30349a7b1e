"""The files of a repository: walked without following links, opened only below its folder."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

IMAGES, TREES = "images", ("groups", "clients")
BOARDS = "boards"
"""Lists of the boards of each root, ``<root>.csv``, as ``leaf create --macs`` takes them."""
PREVIOUS = ".previous"
"""The ending of an image's former version, which lies hidden beside it: ``.IMAGE.previous``."""
MOST = 1_000_000
"""Entries that a repository may have."""
_LAID = 2
"""Slashes in the path of a folder that is laid over an image."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, link or folder. ``path`` is relative to the repository; ``mtime`` in seconds."""

    path: str
    kind: Literal["file", "link", "folder"]
    size: int = 0
    mtime: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    target: str = ""


def sane(path: str) -> bool:
    """Whether a path from elsewhere stays below the folder it is relative to."""
    parts = path.split("/")
    return "\0" not in path and not any(part in ("", ".", "..") for part in parts)


def ours(path: str) -> bool:
    """Whether a file is one of sbctui's own, by its name, and no part of what a repository holds.

    Inside a folder that is laid over an image hidden names are files as others are.
    """
    folders, _, name = path.rpartition("/")
    laid = folders.partition("/")[0] in TREES and folders.count("/") >= _LAID
    return name.startswith(".") and not laid


def _left_out(path: str, *, former: bool) -> bool:
    return ours(path) and not (former and path.endswith(PREVIOUS))


def walk(
    root: Path, tops: Iterable[str] = (IMAGES, *TREES, BOARDS), *, former: bool = False
) -> Iterator[Entry]:
    """All below these folders, a folder before what is in it; without special files and ours,
    but with ``former`` also the former versions of images.

    Raises OSError.
    """
    for top in tops:
        if (root / top).is_dir() and not (root / top).is_symlink():
            yield from _below(root, top, former=former)


def _below(root: Path, folder: str, *, former: bool) -> Iterator[Entry]:
    with os.scandir(root / folder) as found:
        entries = sorted(found, key=lambda one: one.name)
    for one in entries:
        path = f"{folder}/{one.name}"
        if _left_out(path, former=former):
            continue
        entry = _entry(path, one.stat(follow_symlinks=False), one.path)
        if entry is None:
            continue
        yield entry
        if entry.kind == "folder":
            yield from _below(root, entry.path, former=former)


def _entry(path: str, about: os.stat_result, place: str) -> Entry | None:
    if stat.S_ISREG(about.st_mode):
        kind: Literal["file", "link", "folder"] = "file"
    elif stat.S_ISDIR(about.st_mode):
        kind = "folder"
    elif stat.S_ISLNK(about.st_mode):
        kind = "link"
    else:
        return None
    return Entry(
        path,
        kind,
        about.st_size if kind == "file" else 0,
        int(about.st_mtime),
        stat.S_IMODE(about.st_mode),
        about.st_uid,
        about.st_gid,
        os.readlink(place) if kind == "link" else "",
    )


def to_json(entries: Iterable[Entry]) -> bytes:
    """The index's bytes."""
    whole = {"schema": 1, "entries": [asdict(one) for one in entries]}
    return json.dumps(whole, separators=(",", ":")).encode() + b"\n"


def from_json(data: bytes, *, former: bool = False) -> tuple[Entry, ...]:
    """An index from anywhere; entries that lead elsewhere are left out, and those that ``walk``
    leaves out. Raises ValueError.
    """
    try:
        rows = json.loads(data)["entries"]
        found = [Entry(**row) for row in rows[:MOST]]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    for one in found:
        numbers = (one.size, one.mtime, one.mode, one.uid, one.gid)
        if not isinstance(one.path, str) or not all(isinstance(n, int) for n in numbers):
            raise ValueError("a field is of another kind")
        if not isinstance(one.target, str):
            raise ValueError("a field is of another kind")
    return tuple(
        one
        for one in found
        if one.kind in ("file", "link", "folder")
        and sane(one.path)
        and not _left_out(one.path, former=former)
        and one.path.partition("/")[0] in (IMAGES, *TREES, BOARDS)
    )


@contextmanager
def opened_folder(root: Path, folder: str) -> Iterator[int]:
    """A folder below ``root``, opened part by part so that no link leads out of it.

    Raises OSError, ValueError for a path that is not sane.
    """
    if folder and not sane(folder):
        raise ValueError(f"{folder!r} leads elsewhere")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    fd = os.open(root, flags)
    try:
        for part in folder.split("/") if folder else ():
            inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


@contextmanager
def opened(root: Path, path: str) -> Iterator[int]:
    """A regular file below ``root``, open for reading. Raises like ``opened_folder``."""
    folder, _, name = path.rpartition("/")
    if not sane(path):
        raise ValueError(f"{path!r} leads elsewhere")
    with opened_folder(root, folder) as parent:
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        fd = os.open(name, flags, dir_fd=parent)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ValueError(f"{path!r} is no file")
        yield fd
    finally:
        os.close(fd)
