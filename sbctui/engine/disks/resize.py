"""Growing a raw disk and the file system on it; doing it again finishes what a crash cut."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import write_lease
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.tools import check
from sbctui.engine.errors import Cancelled, Refused, from_os
from sbctui.engine.files import fsync_file, hit
from sbctui.engine.model.amounts import exact


def resize(
    path: Path, size: int, *, stop: threading.Event, log: commands.Log | None = None
) -> bool:
    """Grow a raw disk to ``size`` bytes, and its ext4 to all of that.

    Safe to run again at any point. A disk without ext4 only grows; then the answer is False.
    Raises Refused to shrink and while somebody has the disk open, NoSpace, ToolFailed,
    ToolMissing, Cancelled: then the disk has its old size, unless its file system has grown.
    """
    before = path.stat().st_size
    if size < before:
        raise Refused(
            f"the disk has {exact(before)} and can't shrink to {exact(size)}; "
            "make a smaller root and copy the files over"
        )
    if stop.is_set():
        raise Cancelled(f"stopped before growing {path.parent.name}")
    # Also keeps out of the way of a resize2fs whose job was killed and that still works.
    with write_lease(path):
        pass
    if superblock(path) is not None:
        repair(path, stop=stop, log=log, everything=True)
    try:
        _grow(path, size)
        if superblock(path) is None:
            return False
        hit("disk.resize-filesystem")
        # Not stoppable: there is no way back out of the middle of a resize.
        done = commands.run(["resize2fs", path], ok=range(256), log=log)
        check(done, f"growing the file system of {path.parent.name}")
        fsync_file(path)
    except BaseException:
        with suppress(OSError):
            if (found := superblock(path)) is None or found.size <= before:
                os.truncate(path, before)
        raise
    return True


def _grow(path: Path, size: int) -> None:
    hit("disk.grow")
    try:
        os.truncate(path, size)
    except OSError as error:
        raise from_os(error, f"growing {path.parent.name}/{path.name}") from error
    fsync_file(path)
