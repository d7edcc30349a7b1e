"""How many bytes a disk takes, how many of them are its own, and whether it is sound."""

from __future__ import annotations

import array
import fcntl
import os
import struct
import threading
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.port import Usage
from sbctui.engine.disks.qcow2 import node_spec
from sbctui.engine.errors import Cancelled
from sbctui.engine.model.node import DiskFormat
from sbctui.engine.model.text import clean

_FIEMAP = 0xC020660B
_SHARED, _LAST = 0x2000, 0x1
_HEADER = struct.Struct("=QQLLLL")
_EXTENT = struct.Struct("=QQQQQLLLL")
_BATCH = 2048
_AFTER_NAME = "': "
_EVERYTHING = 0xFFFF_FFFF_FFFF_FFFF


def usage(path: Path, stop: threading.Event) -> Usage:
    """A disk's apparent, allocated and exclusive bytes, measured now.

    Takes milliseconds for most disks and about a second for a very worn one. Raises Cancelled,
    OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        facts = os.fstat(fd)
        allocated = facts.st_blocks * 512
        shared = _shared(fd, stop)
    finally:
        os.close(fd)
    return Usage(facts.st_size, allocated, max(0, allocated - shared))


def _shared(fd: int, stop: threading.Event) -> int:
    """Bytes in extents that another file has too; 0 where the file system can't say."""
    shared = start = 0
    buffer = array.array("B", bytes(_HEADER.size + _BATCH * _EXTENT.size))
    while not stop.is_set():
        _HEADER.pack_into(buffer, 0, start, _EVERYTHING - start, 0, 0, _BATCH, 0)
        try:
            fcntl.ioctl(fd, _FIEMAP, buffer, True)
        except OSError:
            return 0
        count = _HEADER.unpack_from(buffer)[3]
        for index in range(count):
            extent = _EXTENT.unpack_from(buffer, _HEADER.size + index * _EXTENT.size)
            logical, _, length, _, _, flags, *_ = extent
            shared += length if flags & _SHARED else 0
            start = logical + length
            if flags & _LAST:
                return shared
        if not count:
            return shared
    raise Cancelled("stopped while measuring a disk")


def verify(path: Path, format: DiskFormat, *, stop: threading.Event | None = None) -> str:
    """What is wrong with a disk that nobody writes, in one sentence; empty when it is sound.

    A raw disk without an ext file system is not looked into. Raises ToolMissing, Cancelled.
    """
    if format == "qcow2":
        argv = ["qemu-img", "check", "-q", node_spec(path, None)]
        done = commands.run(argv, ok=range(256), stop=stop)
        return "" if done.returncode == 0 else _complaint(done, "qemu-img check finds it damaged")
    if superblock(path) is None:
        return ""
    done = commands.run(["e2fsck", "-fn", path], ok=range(256), stop=stop)
    return "" if done.returncode == 0 else _complaint(done, "e2fsck finds errors")


def _complaint(done: commands.Done, text: str) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("e2fsck ", "Pass "))]
    return f"{text}: {clean(telling[0].rpartition(_AFTER_NAME)[2])}" if telling else text
