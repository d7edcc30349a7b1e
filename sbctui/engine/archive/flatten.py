"""What an overlay shows, as a raw disk in a staging folder; nothing in its header is followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.disks.overlay import Overlay
from sbctui.engine.disks.qcow2 import node_spec
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.target import new_disk
from sbctui.engine.disks.tools import check
from sbctui.engine.disks.watch import watched
from sbctui.engine.errors import Refused
from sbctui.engine.files import hit
from sbctui.engine.model.node import DISK_FILES
from sbctui.engine.plan import FlattenDisk
from sbctui.engine.room import require_room

_ARGV = ("qemu-img", "convert", "-n", "--target-is-zero", "-q", "-O", "raw")


def flatten_disk(action: FlattenDisk, ctx: Context) -> Undo:
    """A raw copy of what an overlay shows: as it lies there, or as at one instant of its use."""
    config = ctx.site.nodes[action.source].config
    base = config.disk.base
    if base is None or base not in ctx.site.nodes:
        raise Refused(f"the root that {action.source} stands on is not here; see: sbctui audit")
    below = ctx.site.disk_path(base)
    disk = ctx.staged(action.name) / DISK_FILES["raw"]
    with (
        read_lease(below),
        _still(action, below, ctx) as source,
        new_disk(disk, ctx.stop) as fd,
    ):
        os.ftruncate(fd, config.disk.size)
        _flatten(source, below, disk, ctx.progress(f"reading the overlay of {action.source}"), ctx)
        if action.live and superblock(disk) is not None:
            repair(disk, stop=ctx.stop, log=ctx.log)
    if action.live:
        ctx.found.promise = "crash-consistent"
    return nothing


@contextmanager
def _still(action: FlattenDisk, below: Path, ctx: Context) -> Iterator[Path]:
    """The overlay as nobody writes it: itself, or a copy of it that goes again."""
    source = ctx.site.disk_path(action.source)
    if not action.live or not ctx.control.running():
        yield source
        return
    config = ctx.site.nodes[action.source].config
    copy = ctx.staged(action.name) / DISK_FILES["qcow2"]
    Overlay().make(below, copy, config.disk.size, stop=ctx.stop)
    try:
        if ctx.owner is not None:
            os.chown(copy, *ctx.owner)
        hit("disk.live-copy")
        report = ctx.progress(f"copying the overlay of {action.source}")
        ctx.control.copy(config.export, action.name, ctx.stop, report)
        yield copy
    finally:
        copy.unlink()


def _flatten(
    source: Path, below: Path, disk: Path, report: Callable[[int, int], None], ctx: Context
) -> None:
    total = sum(path.stat().st_blocks * 512 for path in (source, below))
    require_room(disk.parent, total, "what an overlay shows")
    hit("disk.flatten")
    with watched(lambda: disk.stat().st_blocks * 512, total, report):
        done = commands.run(
            [*_ARGV, node_spec(source, below), disk],
            ok=range(256),
            stop=ctx.stop,
            log=ctx.log,
        )
    check(done, f"writing what an overlay shows to {disk}")
