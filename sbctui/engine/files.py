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
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100
_SYNC_FILE_RANGE_WRITE = 2
_SYNC_FILE_RANGE_WHOLE = 7
"""Wait before, write, wait after."""
_WRITEBACK_BYTES = 16 * 1024**2
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


class Writeback:
    """Has the kernel write a large file out while it is made, so that its flush ends soon.

    Without ``keep`` its memory is given back once it is written (posix_fadvise(2)): the file is
    not read again, boards' disks are, and memory just given back is the quickest to be had.
    Hints (sync_file_range(2)): errors are those of the flush.
    """

    def __init__(self, fd: int, *, keep: bool) -> None:
        self._fd = fd
        self._keep = keep
        self._begin = self._held = 0
        self._out = (0, 0)

    def wrote(self, end: int, count: int) -> None:
        """``count`` bytes more, up to the place ``end``; places only grow."""
        self._held += count
        if self._held >= _WRITEBACK_BYTES:
            out = (self._begin, end - self._begin)
            self._sync(*out, _SYNC_FILE_RANGE_WRITE)
            if self._out[1] and not self._keep:
                self._sync(*self._out, _SYNC_FILE_RANGE_WHOLE)
                with suppress(OSError):
                    os.posix_fadvise(self._fd, *self._out, os.POSIX_FADV_DONTNEED)
            self._begin, self._held, self._out = end, 0, out

    def _sync(self, begin: int, length: int, how: int) -> None:
        _libc.sync_file_range(self._fd, ctypes.c_int64(begin), ctypes.c_int64(length), how)


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


def write_new(
    path: Path | str,
    data: bytes,
    *,
    mode: int = 0o640,
    owner: Owner = None,
    flush: bool = True,
) -> None:
    """Create a file that is not there yet, whole and flushed; on any error it is gone again.

    The folder's entry is flushed by the caller. What is derived again needs no ``flush``.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    hit("file.create")
    fd = os.open(path, flags, 0o600)
    try:
        try:
            write_all(fd, data)
            os.fchmod(fd, mode)
            if owner is not None:
                os.fchown(fd, *owner)
            if flush:
                hit("file.fsync")
                fsync_fd(fd)
        finally:
            os.close(fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(data)
    hit("file.write")
    while view:
        view = view[os.write(fd, view) :]


def write_atomic(path: Path, data: bytes, *, mode: int = 0o640, owner: Owner = None) -> None:
    """Replace a file's content: temp, flush, rename, flush of the folder.

    When it raises the old content stands.
    """
    forget(swap_in(path, data, mode=mode, owner=owner))


def swap_in(path: Path, data: bytes, *, mode: int = 0o640, owner: Owner = None) -> Path | None:
    """Like ``write_atomic``, but gives the place where the old content waits until ``forget``.

    So going back (``swap_back``) takes no space. None when there was no old content. When it
    raises nothing has changed.
    """
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    write_new(old, data, mode=mode, owner=owner)
    try:
        hit("file.rename")
        kept = _exchange(old, path)
        try:
            hit("file.fsync-folder")
            fsync_dir(path.parent)
        except BaseException:
            with suppress(OSError):
                _restore(path, kept)
            raise
    except BaseException:
        forget(old)
        raise
    return kept


def swap(one: Path, other: Path) -> None:
    """Let two files of one folder change names, flushed. When it raises they have not."""
    hit("file.rename")
    _exchange(one, other)
    try:
        hit("file.fsync-folder")
        fsync_dir(other.parent)
    except BaseException:
        with suppress(OSError):
            _exchange(one, other)
        raise


def swap_back(path: Path, old: Path | None) -> None:
    """Undo a ``swap_in``."""
    hit("file.back")
    _restore(path, old)
    fsync_dir(path.parent)


def forget(old: Path | None) -> None:
    """Let the old content of a ``swap_in`` go; what can't be removed is left to the audit."""
    if old is not None:
        with suppress(OSError):
            hit("file.forget")
            old.unlink(missing_ok=True)


def _exchange(new: Path, path: Path) -> Path | None:
    """Put ``new`` at ``path``; what stood there is then at ``new``. None when nothing did."""
    if not os.path.lexists(path):
        new.rename(path)
        return None
    if not _renameat2(new, path, _RENAME_EXCHANGE):
        kept = new.with_name(f"{new.name}.old")
        os.link(path, kept, follow_symlinks=False)
        new.replace(path)
        kept.rename(new)
    return new


def _restore(path: Path, old: Path | None) -> None:
    if old is None:
        path.unlink()
    else:
        old.replace(path)


def rename_noreplace(source: Path, target: Path) -> None:
    """Rename that never replaces anything, not even an empty folder.

    Both parents are flushed afterwards. When it raises nothing has moved. Raises
    FileExistsError.
    """
    hit("rename")
    _move(source, target)
    try:
        hit("rename.fsync-target")
        fsync_dir(target.parent)
        if source.parent != target.parent:
            hit("rename.fsync-source")
            fsync_dir(source.parent)
    except BaseException:
        with suppress(OSError):
            _move(target, source)
        raise


def move_back(source: Path, target: Path) -> None:
    """Undo a ``rename_noreplace`` of ``target`` to ``source``."""
    _move(source, target)
    for folder in dict.fromkeys((target.parent, source.parent)):
        fsync_dir(folder)


def _move(source: Path, target: Path) -> None:
    if _renameat2(source, target, _RENAME_NOREPLACE):
        return
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    source.rename(target)


def _renameat2(source: Path, target: Path, flag: int) -> bool:
    """renameat2(2); False, and nothing done, where the file system does not know the flag."""
    result = _libc.renameat2(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flag)
    if result == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


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
    """Whether somebody holds the flock of ``path``; False when it is not there.

    It asks for a shared one, so two that look at the same moment don't see each other.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def data_ranges(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The (start, end) byte ranges of an open file that are no holes."""
    end = 0
    while end < size:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, end
