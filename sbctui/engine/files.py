"""Durable file operations: what is written here is wholly old or wholly new after any fault.

Temp names begin with a dot, so that dnsmasq, which reads every other name in a watched folder,
skips them. Nothing here retries fsync: after EIO the kernel says success for data it lost.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Owner = tuple[int, int] | None
"""(uid, gid) for new files, or None to keep the caller's."""

_RENAME_NOREPLACE = 1
_AT_FDCWD = -100
_libc = ctypes.CDLL(None, use_errno=True)

failpoint: Callable[[str], None] | None = None
"""Tests set this to stop or fail the program at a named step; the product never does."""


def hit(name: str) -> None:
    """Mark the moment before a mutating step."""
    if failpoint is not None:
        failpoint(name)


def fsync_fd(fd: int) -> None:
    """Flush one open file or folder to the disk."""
    os.fsync(fd)


def fsync_file(path: Path) -> None:
    """Flush one file's data and length to the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fsync_fd(fd)
    finally:
        os.close(fd)


def fsync_dir(path: Path) -> None:
    """Flush a folder's entries to the disk: after this a rename in it survives a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync_fd(fd)
    finally:
        os.close(fd)


def sync_tree(path: Path) -> None:
    """Flush every file and folder below ``path``, deepest first, then ``path`` itself."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                sync_tree(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                fsync_file(Path(entry.path))
    fsync_dir(path)


def write_new(path: Path, data: bytes, *, mode: int = 0o640, owner: Owner = None) -> None:
    """Create a file that is not there yet, whole and flushed; on any error it is gone again.

    The folder's entry is flushed by the caller (``fsync_dir`` or ``sync_tree``).
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    hit("file.create")
    fd = os.open(path, flags, 0o600)
    try:
        try:
            _write_all(fd, data)
            os.fchmod(fd, mode)
            if owner is not None:
                os.fchown(fd, *owner)
            hit("file.fsync")
            fsync_fd(fd)
        finally:
            os.close(fd)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    hit("file.write")
    while view:
        view = view[os.write(fd, view) :]


def write_atomic(path: Path, data: bytes, *, mode: int = 0o640, owner: Owner = None) -> None:
    """Replace a file's content: temp, flush, rename, flush of the folder."""
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    write_new(temp, data, mode=mode, owner=owner)
    try:
        hit("file.rename")
        temp.replace(path)
    except BaseException:
        with suppress(OSError):
            temp.unlink()
        raise
    hit("file.fsync-folder")
    fsync_dir(path.parent)


def rename_noreplace(source: Path, target: Path) -> None:
    """Rename that never replaces anything, not even an empty folder (renameat2(2)).

    Raises FileExistsError. Both parents are flushed afterwards.
    """
    hit("rename")
    result = _libc.renameat2(
        _AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE
    )
    if result != 0:
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code), str(source), None, str(target))
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)
    hit("rename.fsync-target")
    fsync_dir(target.parent)
    if source.parent != target.parent:
        hit("rename.fsync-source")
        fsync_dir(source.parent)


def make_dir(path: Path, *, mode: int = 0o750, owner: Owner = None) -> None:
    """Make one folder that is not there yet, with its mode and owner whatever the umask."""
    hit("mkdir")
    path.mkdir(mode=0o700)
    if owner is not None:
        os.chown(path, *owner)
    path.chmod(mode)


def remove_tree(path: Path) -> None:
    """Delete a folder and all in it; links are unlinked, never followed. Missing is fine."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    hit("rmtree")
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


@contextmanager
def flocked(path: Path, *, blocking: bool = True) -> Iterator[int]:
    """Hold an exclusive flock on an existing file or folder; gives the descriptor.

    Raises BlockingIOError when not ``blocking`` and somebody else holds it. Never judged stale:
    the kernel drops it with the process.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
        yield fd
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether somebody holds the flock of ``path``; False when it is not there."""
    try:
        with flocked(path, blocking=False):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
