"""An archive in the making: ``FILE.part``, held by flock, renamed when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sbctui.engine.archive.address import STREAM
from sbctui.engine.errors import Refused
from sbctui.engine.files import Owner, Writeback, fsync_dir, fsync_fd, hit, rename_noreplace

_MODE = 0o640
_TRIES = 5
Write = Callable[[bytes], None]


def part_of(target: str) -> Path:
    """Where an archive is written before it has its name."""
    return Path(f"{target}.part")


@contextmanager
def written(target: str, owner: Owner, holds: ExitStack, *, keep: bool) -> Iterator[Write]:
    """Write the part of ``target``, flushed at the end and gone on any error; or to a stream.

    ``keep`` is for what is read again soon. It is held until ``holds`` ends, so that no other run
    writes it before it has its name. What a killed run left of it is written over. Raises Refused
    when another run writes it, OSError.
    """
    if target == STREAM:
        out = sys.__stdout__
        fd = out.fileno() if out is not None else 1
        hit("archive.write")
        yield lambda data: _write(fd, data)
        return
    part = part_of(target)
    fd = _opened(part)
    holds.callback(os.close, fd)
    try:
        os.fchmod(fd, _MODE)
        if owner is not None:
            os.fchown(fd, *owner)
        hit("archive.write")
        yield _flushing(fd, part, keep=keep)
        hit("archive.fsync")
        fsync_fd(fd)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _opened(part: Path) -> int:
    """The part, empty and ours. A run that ends meanwhile takes its own away: then again."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    for _ in range(_TRIES):
        hit("archive.create")
        fd = os.open(part, flags, 0o600)
        try:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                raise Refused(f"{part} is no file; take it away, or name another archive")
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _still(part, facts):
                os.ftruncate(fd, 0)
                return fd
        except BlockingIOError:
            os.close(fd)
            break
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise Refused(f"{part} is being written by another export; wait for it, or name another file")


def _still(part: Path, facts: os.stat_result) -> bool:
    try:
        now = part.lstat()
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (facts.st_dev, facts.st_ino)


def publish(target: str, *, replace: bool) -> None:
    """Give the part its name. Raises Refused when the name was taken meanwhile, OSError."""
    path, part = Path(target), part_of(target)
    if replace:
        hit("archive.publish")
        os.replace(part, path)
        fsync_dir(path.parent)
        return
    try:
        rename_noreplace(part, path)
    except FileExistsError:
        raise Refused(
            f"{target} was made meanwhile; name another file, or replace it (--replace)"
        ) from None


def _flushing(fd: int, part: Path, *, keep: bool) -> Write:
    """Writes behind what is written; an error names the file, as there are two disks here."""
    written, behind = 0, Writeback(fd, keep=keep)

    def write(data: bytes) -> None:
        nonlocal written
        try:
            _write(fd, data)
        except OSError as error:
            error.filename = str(part)
            raise
        written += len(data)
        behind.wrote(written, len(data))

    return write


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BrokenPipeError:
            raise OSError(errno.EPIPE, "whoever read the archive has gone away") from None
