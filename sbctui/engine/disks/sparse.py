"""Full copies that stay as sparse as their source, on any file system."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from sbctui.engine.disks.port import Report
from sbctui.engine.disks.target import new_disk
from sbctui.engine.errors import Cancelled
from sbctui.engine.files import data_ranges, hit
from sbctui.engine.model.node import DiskFormat, StoreKind

_STEP = 16 * 1024**2
"""Bytes per system call: what a cancel waits for at most."""
_METADATA = 64 * 1024
_NO_OFFLOAD = (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)


class SparseCopy:
    """Disks by copying data ranges and skipping holes."""

    kind: StoreKind = "copy"

    def format(self, *, leaf: bool) -> DiskFormat:
        """Raw, for leaves and roots."""
        return "raw"

    def needs(self, allocated: int) -> int:
        """All bytes of the source and 5 % for the file system's own."""
        return allocated + allocated // 20 + _METADATA

    def clone(self, source: Path, target: Path, *, stop: threading.Event, report: Report) -> None:
        """Copy every data range of ``source`` into the new ``target``."""
        given = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with new_disk(target, stop) as made:
                hit("disk.copy")
                copy_data(given, made, stop=stop, report=report)
        finally:
            os.close(given)


def copy_data(source: int, target: int, *, stop: threading.Event, report: Report) -> None:
    """Give the empty file ``target`` the data and holes of ``source`` (open descriptors).

    Raises Cancelled between steps, OSError.
    """
    facts = os.fstat(source)
    os.ftruncate(target, facts.st_size)
    total = min(facts.st_size, facts.st_blocks * 512)
    done = 0
    for start, end in data_ranges(source, facts.st_size):
        while start < end:
            if stop.is_set():
                raise Cancelled("stopped while copying a disk; the half copy is gone")
            start += (moved := _move(source, target, start, min(_STEP, end - start)))
            done += moved
            report(min(done, total), total)
    report(total, total)


def _move(source: int, target: int, offset: int, length: int) -> int:
    try:
        moved = os.copy_file_range(source, target, length, offset, offset)
    except OSError as error:
        if error.errno not in _NO_OFFLOAD:
            raise
        moved = os.pwrite(target, os.pread(source, min(length, 1024**2), offset), offset)
    if moved == 0:
        raise OSError(errno.EIO, "the disk became shorter while it was copied")
    return moved
