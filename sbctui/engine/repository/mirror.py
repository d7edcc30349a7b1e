"""Files laid over images, made the same in a cache. No link of the tree is ever followed."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sbctui.engine.errors import Cancelled, SbcError
from sbctui.engine.files import hit, write_all
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks
from sbctui.engine.repository.attributes import Attributes, by_overlay, in_table, overlay_of
from sbctui.engine.repository.overlay_table import LARGEST, TABLE
from sbctui.engine.repository.source import Source
from sbctui.engine.repository.tree import TREES, Entry, opened, opened_folder, walk

_NEW = ".sbctui-new"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How many files were copied and removed.

    ``silent``: there are files, and nobody told what they have of extended attributes.
    """

    copied: int
    removed: int
    silent: bool


def mirror(
    source: Source, root: Path, images: Collection[str], stop: threading.Event, *, all_: bool
) -> Mirrored:
    """Copy what differs, remove what is gone there.

    It is about what is laid over ``images``, and with ``all_`` also over those that the source
    has files for; the rest of the cache came from elsewhere, and stays. A file counts as the same
    by its size, time, mode and owner. What files there have of extended attributes by themselves
    stands in the tables here. Raises Cancelled, SbcError, OSError.
    """
    there = source.entries(TREES)
    scope = {*images, *(_image(one) for one in there if all_)}
    wanted = {
        one.path: one for one in there if _image(one) in scope or _is_above(one, there, scope)
    }
    own = source.attributes()
    tables = _tables(source, wanted, own or {})
    wanted |= {one.path: one for one, _ in tables}
    here = {one.path: one for one in walk(root, TREES) if _image(one) in scope}
    above = {one.path for one in walk(root, TREES) if not _image(one)}
    removed = _remove(root, [p for p, one in here.items() if not _stays(one, wanted.get(p))])
    copied, made = 0, {one.path for one, _ in tables}
    for path, one in wanted.items():
        if stop.is_set():
            raise Cancelled("stopped while copying what is laid over images")
        if path not in above | made and not _same(one, here.get(path)):
            _copy(root, one, _data(source, one))
            copied += one.kind == "file"
    for one, data in tables:
        if not _has(root, one.path, data):
            _copy(root, one, (data,))
            copied += 1
    for path in sorted((p for p, one in wanted.items() if one.kind == "folder"), reverse=True):
        _dress(root, wanted[path])
    silent = own is None and any(overlay_of(path)[1] for path in wanted)
    return Mirrored(copied, removed, silent)


def _tables(source: Source, wanted: dict[str, Entry], own: Attributes) -> list[tuple[Entry, bytes]]:
    """The tables that say more here than there, each with its text."""
    there = {p: xattrs for p, xattrs in own.items() if p in wanted and overlay_of(p)[0] in wanted}
    found = []
    for folder, xattrs in by_overlay(there).items():
        path = f"{folder}/{TABLE}"
        one = wanted.get(path) or replace(wanted[folder], path=path, kind="file", mode=0o640)
        if one.kind != "file" or one.size > LARGEST:
            continue  # refused by who lays files
        before = (source.read(path, LARGEST) if path in wanted else None) or b""
        data = in_table(before, xattrs)
        if data != before:
            found.append((replace(one, size=len(data)), data))
    return found


def _has(root: Path, path: str, data: bytes) -> bool:
    with suppress(OSError, ValueError), opened(root, path) as fd:
        return os.fstat(fd).st_size == len(data) and chunks.read_at(fd, 0, len(data)) == data
    return False


def _image(one: Entry) -> str:
    """The image an entry is laid over; empty for the folders of groups and clients."""
    parts = one.path.split("/")
    return parts[2] if len(parts) > 2 else ""


def _is_above(one: Entry, there: tuple[Entry, ...], scope: Collection[str]) -> bool:
    """Whether an entry is the folder of a group or client with something of these images."""
    if _image(one) or one.kind != "folder":
        return False
    return any(_image(other) in scope for other in there if other.path.startswith(f"{one.path}/"))


def _stays(here: Entry, wanted: Entry | None) -> bool:
    return wanted is not None and wanted.kind == here.kind


def _same(one: Entry, here: Entry | None) -> bool:
    if here is None or here.kind != one.kind:
        return False
    if one.kind == "folder":
        return True
    if one.kind == "link":
        return here.target == one.target
    owner = os.geteuid() != 0 or (here.uid, here.gid) == (one.uid, one.gid)
    return owner and (here.size, here.mtime, here.mode) == (one.size, one.mtime, one.mode)


def _remove(root: Path, paths: list[str]) -> int:
    gone = 0
    for path in paths:
        folder, _, name = path.rpartition("/")
        with suppress(FileNotFoundError), opened_folder(root, folder) as fd:
            hit("mirror.remove")
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                shutil.rmtree(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)
            gone += 1
    return gone


def _data(source: Source, one: Entry) -> Iterable[bytes]:
    """A file's bytes; none of what is no file. Raises SbcError."""
    if one.kind != "file":
        return
    step, got = chunks.LARGEST, 0
    wanted = [(at, min(step, one.size - at)) for at in range(0, one.size, step)]
    for data in source.ranges(one.path, wanted):
        yield data
        got += len(data)
    if got != one.size:
        raise SbcError(f"{source.name}:{clean(one.path)} changed while it was copied")


def _copy(root: Path, one: Entry, data: Iterable[bytes]) -> None:
    folder, _, name = one.path.rpartition("/")
    for top in TREES:
        (root / top).mkdir(mode=0o750, exist_ok=True)
    with opened_folder(root, folder) as fd:
        if one.kind == "folder":
            os.mkdir(name, 0o700, dir_fd=fd)
            return
        with suppress(FileNotFoundError):
            os.unlink(name + _NEW, dir_fd=fd)
        if one.kind == "link":
            os.symlink(one.target, name + _NEW, dir_fd=fd)
            if os.geteuid() == 0:
                os.chown(name + _NEW, one.uid, one.gid, dir_fd=fd, follow_symlinks=False)
        else:
            _write(data, one, name + _NEW, fd)
        hit("mirror.rename")
        os.replace(name + _NEW, name, src_dir_fd=fd, dst_dir_fd=fd)


def _write(data: Iterable[bytes], one: Entry, name: str, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        for piece in data:
            write_all(fd, piece)
        _own(fd, one)
        os.utime(fd, (one.mtime, one.mtime))
        os.fsync(fd)
    except BaseException:
        os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(fd)


def _own(fd: int, one: Entry) -> None:
    """Owner before mode: a change of owner takes the set-id bits away."""
    if os.geteuid() == 0:
        os.fchown(fd, one.uid, one.gid)
    os.fchmod(fd, one.mode)


def _dress(root: Path, one: Entry) -> None:
    with opened_folder(root, one.path) as fd:
        _own(fd, one)
        os.fsync(fd)
