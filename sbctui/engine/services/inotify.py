"""Being told when a file in a folder changes, without looking (man 7 inotify)."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MODIFY, _MOVED_TO, _CREATE = 0x2, 0x80, 0x100
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK
_BUFFER = 1 << 16
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Readable once a file in ``folder`` was written, made or moved there."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        self._fd = _checked(_libc.inotify_init1(_FLAGS))
        try:
            wanted = _MODIFY | _MOVED_TO | _CREATE
            _checked(_libc.inotify_add_watch(self._fd, os.fsencode(folder), wanted))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._fd

    def names(self) -> set[bytes]:
        """The names of the files that changed since the last call."""
        found: set[bytes] = set()
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return found
        at = 0
        while at + 16 <= len(data):
            size = int.from_bytes(data[at + 12 : at + 16], sys.byteorder)
            found.add(data[at + 16 : at + 16 + size].rstrip(b"\0"))
            at += 16 + size
        return found

    def close(self) -> None:
        """Watch no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
