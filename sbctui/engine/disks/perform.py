"""How each action on a disk is done, in the staging folder of its node.

A function that raises has left no file behind. What it found out is in ``ctx.found``; undoing
the staging undoes the rest.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from sbctui.engine.boot.detect import detect
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.bootfiles import link_boot
from sbctui.engine.disks.create import make_root
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.disks.kind import filesystem_kind
from sbctui.engine.disks.personalise import personalise
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.resize import resize
from sbctui.engine.disks.stores import store_for
from sbctui.engine.disks.target import new_disk
from sbctui.engine.errors import Refused
from sbctui.engine.files import fsync_file, hit, remove_tree
from sbctui.engine.model.addresses import undashed
from sbctui.engine.model.node import DISK_FILES, BootSpec, DiskFormat, NodeConfig
from sbctui.engine.model.site import BOOT, Broken
from sbctui.engine.nodefile import read_node
from sbctui.engine.plan import CloneDisk, MakeDisk, PersonaliseDisk, ResizeDisk


def make_disk(action: MakeDisk, ctx: Context) -> Undo:
    """A new raw disk with ext4, filled from the action's source, and its boot files."""
    folder = ctx.staged(action.name)
    disk = folder / DISK_FILES["raw"]
    try:
        lost = make_root(
            disk,
            action.size,
            action.source,
            owner=ctx.owner,
            stop=ctx.stop,
            report=ctx.progress(f"filling {action.name}" if action.source else "formatting"),
            log=ctx.log,
        )
        _settle(disk, ctx)
        ctx.found.boot = _supplied(action.name, detect(folder / BOOT), disk, ctx)
    except BaseException:
        _drop(folder, disk)
        raise
    if lost:
        ctx.warn(f"{action.name}: {lost}")
        ctx.found.data["not kept"] = lost
    ctx.found.filesystem = filesystem_kind(disk)
    ctx.found.promise = "clean"
    return nothing


def clone_disk(action: CloneDisk, ctx: Context) -> Undo:
    """A copy of a root's disk and links to its boot files; repaired if it was not unmounted.

    Of a root that an earlier unit of the same plan made, the boot files are found out here.
    """
    source = ctx.site.node_path(action.source) / DISK_FILES["raw"]
    if action.source in ctx.site.nodes:
        source = ctx.site.disk_path(action.source)
    else:
        ctx.found.boot = _made(action.source, ctx).boot
    if action.live and source.name != DISK_FILES["raw"]:
        raise Refused(
            f"a board has the disk of {action.source} open, and a copy of an open overlay would "
            "be torn; shut the board down first"
        )
    format = store_for(action.store).format(leaf=undashed(action.name) is not None)
    folder = ctx.staged(action.name)
    disk = folder / DISK_FILES[format]
    _copy(action, source, disk, ctx)
    try:
        seen = disk if format == "raw" else source
        facts = superblock(seen)
        torn = action.live or (facts is not None and facts.dirty)
        if torn and facts is not None and format == "raw":
            repair(disk, stop=ctx.stop, log=ctx.log)
            fsync_file(disk)
        _settle(disk, ctx)
        boot = ctx.site.node_path(action.source) / BOOT
        link_boot(boot, folder / BOOT, owner=ctx.owner, stop=ctx.stop)
        if undashed(action.name) is None:
            loads = ctx.site.nodes[action.source].config.boot
            ctx.found.boot = _supplied(action.name, loads, disk, ctx)
    except BaseException:
        _drop(folder, disk)
        raise
    ctx.found.filesystem = facts.kind if facts is not None else filesystem_kind(seen)
    ctx.found.promise = "crash-consistent" if torn else "clean"
    ctx.found.base = source if format == "qcow2" else None
    return nothing


def _made(name: str, ctx: Context) -> NodeConfig:
    """The config of a node that the site's snapshot does not have yet."""
    found = read_node(ctx.site.node_path(name))
    if isinstance(found, Broken):
        raise Refused(f"{name} can't be copied: {found.reason}")
    return found.config


def _copy(action: CloneDisk, source: Path, disk: Path, ctx: Context) -> None:
    """The bare copy, as at one instant even of a disk that is being written."""
    report = ctx.progress(f"copying {action.source}")
    if action.live and action.store != "reflink" and ctx.control.running():
        export = ctx.site.nodes[action.source].config.export
        with new_disk(disk, ctx.stop) as made:
            os.ftruncate(made, source.stat().st_size)
            if ctx.owner is not None:
                os.fchown(made, *ctx.owner)
            hit("disk.live-copy")
            ctx.control.copy(export, action.name, ctx.stop, report)
        return
    shared = action.live and action.store == "reflink"
    with nullcontext() if shared else read_lease(source):
        store_for(action.store).clone(source, disk, stop=ctx.stop, report=report)


def personalise_disk(action: PersonaliseDisk, ctx: Context) -> Undo:
    """Host name, machine-id and host key into the staged disk; what is left out is said.

    A disk that came here with what its board was given keeps that.
    """
    if ctx.found.personalised is not None:
        return nothing
    folder = ctx.staged(action.name)
    format: DiskFormat = "raw" if ctx.found.base is None else "qcow2"
    disk = folder / DISK_FILES[format]
    result = personalise(
        disk, format, ctx.found.base, action.hostname, action.what, stop=ctx.stop, log=ctx.log
    )
    ctx.found.personalised = result.done
    ctx.found.host_key = result.public_key
    if result.left_out:
        left = ", ".join(name.replace("_", " ") for name in result.left_out)
        ctx.warn(f"{action.hostname}: {left} not written into its disk: {result.why}")
        ctx.found.data["left out"] = left
    return nothing


def resize_disk(action: ResizeDisk, ctx: Context) -> Undo:
    """Grow a published root's disk and file system; what is grown stays grown."""
    disk = ctx.site.disk_path(action.name)
    if not resize(disk, action.size, stop=ctx.stop, log=ctx.log):
        ctx.warn(
            f"{action.name} holds no ext4 file system: its disk is larger now, what is on it is "
            "not; grow that from the board"
        )
    return nothing


def _supplied(name: str, boot: BootSpec, disk: Path, ctx: Context) -> BootSpec:
    """``boot.supply``, which is read in when a root is made and not with every verb."""
    from sbctui.engine.boot.supply import supply

    return supply(name, boot, disk, ctx)


def _settle(disk: Path, ctx: Context) -> None:
    if ctx.owner is not None:
        hit("disk.owner")
        os.chown(disk, *ctx.owner)
        fsync_file(disk)


def _drop(folder: Path, disk: Path) -> None:
    """Take back the disk and whatever boot files came with it."""
    disk.unlink(missing_ok=True)
    for entry in (folder / BOOT).iterdir() if (folder / BOOT).is_dir() else ():
        remove_tree(entry)
