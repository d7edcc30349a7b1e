"""How each action on archives is done, and undone.

A function that raises has left no file behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sbctui.engine.archive.address import image_at
from sbctui.engine.archive.differing import differing, disk_sum
from sbctui.engine.archive.flatten import flatten_disk
from sbctui.engine.archive.leaf import take_leaf
from sbctui.engine.archive.manifest import Base
from sbctui.engine.archive.partfile import part_of, publish, written
from sbctui.engine.archive.ranges import Ranges, filled
from sbctui.engine.archive.taken import opened, take_archive
from sbctui.engine.archive.writer import Content
from sbctui.engine.archive.writer import write_archive as write
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.bootfiles import boot_files
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.errors import BadInput
from sbctui.engine.files import make_dir, remove_tree
from sbctui.engine.model.node import DISK_FILES, DiskSpec, NodeConfig
from sbctui.engine.model.repository import IMAGES, OWN
from sbctui.engine.model.site import BOOT, Site
from sbctui.engine.model.text import clean
from sbctui.engine.plan import (
    PublishArchive,
    UnstageNode,
    WriteArchive,
)

_LOOK = 16
"""Looking for zeros is about so many times as fast as all that follows."""


def unstage(action: UnstageNode, ctx: Context) -> Undo:
    """Delete the copy that was worked on."""
    remove_tree(ctx.staged(action.name))
    ctx.changed(action.name)
    return nothing


def write_archive(action: WriteArchive, ctx: Context) -> Undo:
    """The archive's part, or all of it into a stream."""
    drop = _make_folders(ctx.site, action.target, ctx)
    try:
        undo = _written(action, ctx)
    except BaseException:
        drop()
        raise

    def both() -> None:
        undo()
        drop()

    return both


def _written(action: WriteArchive, ctx: Context) -> Undo:
    disk = _disk_of(action, ctx)
    boot = ctx.site.node_path(action.name) / BOOT
    lease = nullcontext() if action.staged else read_lease(disk)
    report = ctx.progress(f"exporting {action.name}")
    hashed_next = bool(image_at(ctx.site.path, action.target))
    part = written(action.target, ctx.owner, ctx.holds, keep=hashed_next)
    with lease, opened(disk) as fd, part as put:
        ranges, base = _chosen(action, fd, ctx, report)
        content = Content(
            config=_exported(action, ctx, os.fstat(fd).st_size),
            boot=_boot_of(boot, ctx),
            disk=fd,
            ranges=ranges,
            base=base,
        )
        looked = os.fstat(fd).st_blocks * 512 // _LOOK
        manifest = write(
            content,
            put,
            action.packing,
            made=datetime.fromtimestamp(ctx.site.facts.now, UTC),
            stop=ctx.stop,
            report=lambda done, total: report(looked + done, looked + total),
        )
    ctx.found.data["data"] = str(manifest.disk.data)
    if action.target == "-":
        return nothing
    ctx.found.data["bytes"] = str(part_of(action.target).stat().st_size)
    return lambda: part_of(action.target).unlink(missing_ok=True)


def publish_archive(action: PublishArchive, ctx: Context) -> Undo:
    """The rename that makes it whole."""
    publish(action.target, replace=action.replace)
    return nothing


def _boot_of(boot: Path, ctx: Context) -> Iterator[tuple[Path, str]]:
    """Boot files and their names; links that somebody made stay, and that is said."""
    for file, name in boot_files(boot):
        if os.path.islink(file):
            ctx.warn(f"boot/{clean(name)} is a link, which is left out")
        else:
            yield Path(file), name


def _disk_of(action: WriteArchive, ctx: Context) -> Path:
    if action.staged:
        return ctx.staged(action.staged) / DISK_FILES["raw"]
    return ctx.site.disk_path(action.name)


def _exported(action: WriteArchive, ctx: Context, size: int) -> NodeConfig:
    """The node's config without what belongs to this site alone."""
    config = ctx.site.nodes[action.name].config
    own = {} if config.kind == "leaf" else {"mac": None}
    disk = DiskSpec(size=size, filesystem=config.disk.filesystem)
    promise = ctx.found.promise or config.promise
    return config.model_copy(
        update={
            **own,
            "ip": None,
            "ip_rule": None,
            "children": {},
            "disk": disk,
            "promise": promise,
        }
    )


def _chosen(
    action: WriteArchive, fd: int, ctx: Context, report: Callable[[int, int], None]
) -> tuple[Ranges, Base | None]:
    """What of the disk goes into the archive."""
    allocated = os.fstat(fd).st_blocks * 512
    looked = 0

    def far(count: int) -> None:
        nonlocal looked
        looked += count
        report(min(looked, allocated) // _LOOK, allocated // _LOOK + allocated)

    if not action.base:
        return filled(fd, ctx.stop, far), None
    path = ctx.site.disk_path(action.base)
    with read_lease(path), opened(path) as below:
        size = os.fstat(below).st_size
        if size > os.fstat(fd).st_size:
            raise BadInput(f"the disk of {action.base} is larger than that of {action.name}")
        ranges = differing(fd, below, ctx.stop, far)
        known = disk_sum(below, ctx.stop, _unheard)
        return ranges, Base(root=action.base, size=size, sha256=known)


def _unheard(count: int) -> None:
    """Nobody is told."""


def _make_folders(site: Site, target: str, ctx: Context) -> Undo:
    """Folders of the repository are made; others have to be there.

    Undone, those made here go again, but for one that somebody has put something into.
    """
    folder = Path(target).parent
    images = site.path / OWN / IMAGES
    made: list[Path] = []

    def drop() -> None:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir()

    if images in (folder, *folder.parents):
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        try:
            for one in reversed(missing):
                make_dir(one, owner=ctx.owner)
                made.append(one)
        except BaseException:
            drop()
            raise
    return drop


ACTIONS: dict[str, Callable[[Any, Context], Undo]] = {
    "unstage": unstage,
    "flatten-disk": flatten_disk,
    "write-archive": write_archive,
    "publish-archive": publish_archive,
    "take-archive": take_archive,
    "take-leaf": take_leaf,
}
"""What the executor calls, by the kind of action."""
