"""Whether anybody has a disk open, asked of the kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine.errors import NotPermitted, Refused

_NO_LEASES = (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP)


@contextmanager
def write_lease(path: Path) -> Iterator[None]:
    """Hold the file's write lease: nobody has it open, and who opens it now waits for us.

    The kernel lets a newcomer wait for at most ``/proc/sys/fs/lease-break-time`` seconds (45),
    so hold it briefly, and start no program on the file meanwhile. Raises Refused when it is
    open or the file system knows no leases, NotPermitted, FileNotFoundError.
    """
    with _leased(path, fcntl.F_WRLCK):
        yield


@contextmanager
def read_lease(path: Path) -> Iterator[None]:
    """Hold the file's read lease: others may read it, nobody writes it.

    A newcomer who wants to write waits, at most ``lease-break-time`` seconds; should one have
    got in by the end, what was read may be torn, and this raises Refused. Raises like
    ``write_lease`` otherwise.
    """
    with _leased(path, fcntl.F_RDLCK) as fd:
        yield
        if fcntl.fcntl(fd, fcntl.F_GETLEASE) != fcntl.F_RDLCK:
            raise Refused(f"{_where(path)} was opened for writing while it was read; try again")


@contextmanager
def _leased(path: Path, kind: int) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # The kernel announces a waiting newcomer by a signal; SIGURG is ignored by default,
        # where SIGIO would end the program.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        _take(fd, path, kind)
        yield fd
    finally:
        os.close(fd)


def _where(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _take(fd: int, path: Path, kind: int) -> None:
    where = _where(path)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EBUSY):
            how = "open" if kind == fcntl.F_WRLCK else "being written"
            raise Refused(
                f"{where} is {how} by another program; 'fuser -v {path}' names it, end it first"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise NotPermitted(
                f"only the owner of {where} can ask who has it open; run as that user or as root"
            ) from error
        if error.errno in _NO_LEASES:
            raise Refused(
                f"the file system of {path.parent} can't tell who has {where} open; "
                "keep the site on a local ext4, XFS or btrfs"
            ) from error
        raise
