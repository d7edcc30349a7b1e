"""A disk as the storage daemon is told of it, and looked at before it is.

A node's name is made from what its files *are* (device and inode), so that a daemon that was
running before us tells which disks it has open, whatever happened to their paths since.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path
from typing import Any

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.text import clean
from sbctui.engine.services.port import Target

DISK = "d-"
"""Prefix of an exported disk's node."""
EXPORT = "e-"
"""Prefix of an export's id, which must begin with a letter."""
_DIGITS = 24
_QCOW2 = struct.Struct(">4sI64xQ")
_EXTERNAL_DATA = 4
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


def identify(target: Target) -> str:
    """Look at the files and name their node. Raises ServiceFailed naming the file.

    Opens without blocking: a file that a job holds by a lease is refused here, because the
    daemon would wait for it with every board waiting too.
    """
    with _Opened(target.file) as fd:
        own = _identity(fd)
        if target.format == "qcow2":
            _check_header(fd, target.file)
    base = ""
    if target.base is not None:
        with _Opened(target.base) as fd:
            base = _identity(fd)
    whole = f"{target.format} {own} {base}"
    return DISK + hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]


def disk_options(target: Target, node: str) -> dict[str, Any]:
    """Arguments of ``blockdev-add``. A disk's backing is what we say or nothing.

    The base needs its ``raw`` layer: without one the daemon follows the path in the header.
    Overlays of one base don't share a node for it: the daemon looks at all users of a node when
    one comes or goes, so that the thousandth overlay would stop every board for 25 ms.
    """
    protocol = {"driver": "file", "filename": str(target.file), "discard": "unmap"}
    common = {"node-name": node, "cache": {"direct": False, "no-flush": False}}
    if target.format == "raw":
        return {**protocol, **common}
    backing = None
    if target.base is not None:
        base = {"driver": "file", "filename": str(target.base)}
        backing = {"driver": "raw", "read-only": True, "file": base}
    return {"driver": "qcow2", "discard": "unmap", "file": protocol, "backing": backing, **common}


def export_options(export: str, node: str) -> dict[str, Any]:
    """Arguments of ``block-export-add``."""
    return {
        "type": "nbd",
        "id": EXPORT + export,
        "name": export,
        "node-name": node,
        "writable": True,
    }


class _Opened:
    """A regular file's descriptor, or ServiceFailed in words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        shown = clean(str(self._path))
        try:
            self._fd = os.open(self._path, _FLAGS)
        except FileNotFoundError:
            raise ServiceFailed(f"{shown} is missing") from None
        except BlockingIOError:
            raise ServiceFailed(f"{shown} is held by a job; it is served when that ends") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ServiceFailed(f"{shown} can't be opened: {why}") from None
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise ServiceFailed(f"{shown} is no regular file")
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _identity(fd: int) -> str:
    facts = os.fstat(fd)
    return f"{facts.st_dev}:{facts.st_ino}"


def _check_header(fd: int, path: Path) -> None:
    """A qcow2 may name a second file for its data, which would be opened and served."""
    head = os.pread(fd, _QCOW2.size, 0)
    shown = clean(str(path))
    if len(head) < _QCOW2.size or head[:4] != b"QFI\xfb":
        raise ServiceFailed(f"{shown} is no qcow2 disk")
    _, version, features = _QCOW2.unpack(head)
    if version >= 3 and features & _EXTERNAL_DATA:
        raise ServiceFailed(f"{shown} keeps its data in another file; convert it with qemu-img")
