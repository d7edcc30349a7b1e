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
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # The kernel announces a waiting newcomer by a signal; SIGURG is ignored by default,
        # where SIGIO would end the program.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        _take(fd, path)
        yield
    finally:
        os.close(fd)


def _take(fd: int, path: Path) -> None:
    where = f"{path.parent.name}/{path.name}"
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EBUSY):
            raise Refused(
                f"{where} is open by another program; 'fuser -v {path}' names it, end it first"
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
