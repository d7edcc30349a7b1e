"""Files laid over images, made the same in a cache. No link of the tree is ever followed."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from sbctui.engine.errors import Cancelled, SbcError
from sbctui.engine.files import hit, write_all
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks
from sbctui.engine.repository.source import Source
from sbctui.engine.repository.tree import TREES, Entry, opened_folder, walk

_NEW = ".sbctui-new"


def mirror(
    source: Source, root: Path, images: Collection[str], stop: threading.Event, *, all_: bool
) -> tuple[int, int]:
    """Copy what differs, remove what is gone there; how many files were copied and removed.

    It is about what is laid over ``images``, and with ``all_`` also over those that the source
    has files for; the rest of the cache came from elsewhere, and stays. A file counts as the same
    by its size, time, mode and owner. Raises Cancelled, SbcError, OSError.
    """
    there = source.entries(TREES)
    scope = {*images, *(_image(one) for one in there if all_)}
    wanted = {
        one.path: one for one in there if _image(one) in scope or _is_above(one, there, scope)
    }
    here = {one.path: one for one in walk(root, TREES) if _image(one) in scope}
    above = {one.path for one in walk(root, TREES) if not _image(one)}
    removed = _remove(root, [p for p, one in here.items() if not _stays(one, wanted.get(p))])
    copied = 0
    for path, one in wanted.items():
        if stop.is_set():
            raise Cancelled("stopped while copying what is laid over images")
        if path not in above and not _same(one, here.get(path)):
            _copy(source, root, one)
            copied += one.kind == "file"
    for path in sorted((p for p, one in wanted.items() if one.kind == "folder"), reverse=True):
        _dress(root, wanted[path])
    return copied, removed


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


def _copy(source: Source, root: Path, one: Entry) -> None:
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
            _write(source, one, name + _NEW, fd)
        hit("mirror.rename")
        os.replace(name + _NEW, name, src_dir_fd=fd, dst_dir_fd=fd)


def _write(source: Source, one: Entry, name: str, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    step = chunks.LARGEST
    wanted = [(at, min(step, one.size - at)) for at in range(0, one.size, step)]
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        got = 0
        for data in source.ranges(one.path, wanted):
            write_all(fd, data)
            got += len(data)
        if got != one.size:
            raise SbcError(f"{source.name}:{clean(one.path)} changed while it was copied")
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
