"""A new disk file: whole and flushed, or not there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sbctui.engine.errors import Cancelled, from_os
from sbctui.engine.files import fsync_dir, fsync_fd, hit

_MODE = 0o640


@contextmanager
def new_disk(path: Path, stop: threading.Event) -> Iterator[int]:
    """Create ``path`` (0640) and give its descriptor; flushed at the end, gone on any error.

    Raises FileExistsError when it is there (and leaves that one alone), NoSpace, NotPermitted,
    and Cancelled when ``stop`` is set already.
    """
    if stop.is_set():
        raise Cancelled(f"stopped before making {path.name}")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    hit("disk.create")
    fd = os.open(path, flags, 0o600)
    try:
        try:
            os.fchmod(fd, _MODE)
            yield fd
            hit("disk.fsync")
            fsync_fd(fd)
        finally:
            os.close(fd)
        hit("disk.fsync-folder")
        fsync_dir(path.parent)
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise from_os(error, f"making {path.name} in {path.parent.name}") from error
        raise
