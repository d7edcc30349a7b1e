"""Run a program, as root, in a private world where only one folder can be written.

``python -I confine.py FOLDER PROGRAM ARGS…``: a mount namespace of its own, everything
read-only but FOLDER, and no set-id or device file in FOLDER works. Ends with 77 before the
program starts when the kernel or the container does not allow it. Standard library only: it
is run as a script, so that nothing of the engine is loaded on the way.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_NEWNS = 0x20000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 1 << 18
_MOUNT_SETATTR = 442
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY, _NOSUID, _NODEV = 1, 2, 4
UNABLE = 77
"""Exit code when nothing was run because the private world can't be had."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _attributes(path: bytes, flags: int, *, put: int, drop: int) -> None:
    wanted = struct.pack("=4Q", put, drop, 0, 0)
    call = _libc.syscall
    size = ctypes.c_size_t(len(wanted))
    _checked(call(_MOUNT_SETATTR, _AT_FDCWD, path, ctypes.c_uint(flags), wanted, size))


def confine(folder: str) -> None:
    """Leave this process with a world in which only ``folder`` can be written; go there."""
    path = os.fsencode(os.path.realpath(folder))
    _checked(_libc.unshare(_NEWNS))
    _checked(_libc.mount(None, b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None))
    _checked(_libc.mount(path, path, None, ctypes.c_ulong(_BIND), None))
    _attributes(b"/", _AT_RECURSIVE, put=_RDONLY, drop=0)
    _attributes(path, 0, put=_NOSUID | _NODEV, drop=_RDONLY)
    os.chdir(path)


def main(argv: list[str]) -> int:
    """The script: confine, then become the program."""
    folder, *command = argv
    try:
        confine(folder)
    except OSError as error:
        sys.stderr.write(f"no private mount namespace: {error.strerror}\n")
        return UNABLE
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
