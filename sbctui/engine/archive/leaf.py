"""An archive as the leaf of a root: an overlay on the root's disk, or a disk of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sbctui.engine import streams
from sbctui.engine.archive.differing import differing
from sbctui.engine.archive.format import DIFFERENCE, DISK
from sbctui.engine.archive.guess import told_leaf
from sbctui.engine.archive.land import overlay
from sbctui.engine.archive.reading import Reading
from sbctui.engine.archive.taken import (
    is_difference,
    lay_over,
    opened,
    or_nothing,
    put_difference,
    require_base,
    settle_boot,
    taken,
    tell_guessed,
)
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks import fuse
from sbctui.engine.disks.ext4 import Superblock, superblock
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.disks.overlay import Overlay
from sbctui.engine.files import fsync_fd, hit
from sbctui.engine.model.node import DISK_FILES, DiskSpec
from sbctui.engine.plan import TakeLeaf

_THIN = DISK_FILES["qcow2"]


def take_leaf(action: TakeLeaf, ctx: Context) -> Undo:
    """Disk, boot files and what the archive says of them, into the staged leaf."""
    folder = ctx.staged(action.name)
    with or_nothing(folder):
        found = taken(action, ctx)
        assert found.disk is not None
        size = found.disk.entry.real
        why = _no_overlay(action, size, ctx)
        if not why:
            facts = _thin(found, action, folder, ctx)
        else:
            if is_difference(found):
                lay_over(found, action.root, folder, ctx)
            facts = superblock(folder / DISK)
        settle_boot(found, action.name, ctx)
    if why and action.thin:
        ctx.warn(f"{action.name} gets a disk of its own: {why}")
    root = ctx.site.nodes[action.root].config
    base = {} if why else {"format": "qcow2", "base": root.name, "base_made": root.created}
    told, guessed = told_leaf(found.config, action.name, size)
    ctx.found.told = {
        **_free(told, action.name, ctx),
        "disk": DiskSpec.model_validate({"size": size, **base}),
        "store": "overlay" if not why else _kind(found, ctx),
    }
    if "personalised" in told:
        ctx.found.personalised = told["personalised"]
    ctx.found.filesystem = facts.kind if facts is not None else ""
    ctx.found.promise = found.manifest.disk.promise if found.manifest else ""
    ctx.found.base = None if why else ctx.site.disk_path(action.root)
    tell_guessed(action.name, guessed, ctx)
    return nothing


def _kind(found: Reading, ctx: Context) -> str:
    """How a raw disk came to be: only what was laid over a base shares anything with it."""
    shared = is_difference(found) and ctx.site.facts.store == "reflink"
    return "reflink" if shared else "copy"


def _no_overlay(action: TakeLeaf, size: int, ctx: Context) -> str:
    """Why the leaf can't be an overlay; empty when it can."""
    if not action.thin:
        return "disks are no overlays on this site"
    root = ctx.site.nodes[action.root].config
    if root.disk.size > size:
        return f"that of {root.name} is larger, so nothing of that size can stand on it"
    reason = fuse.unavailable()
    return f"overlays can't be written here: {reason}" if reason else ""


def _thin(found: Reading, action: TakeLeaf, folder: Path, ctx: Context) -> Superblock | None:
    """An overlay with what differs from the root's disk; what the archive brought goes."""
    base, thin = ctx.site.disk_path(action.root), folder / _THIN
    assert found.disk is not None
    size = found.disk.entry.real
    with read_lease(base), opened(base) as below:
        if is_difference(found):
            require_base(found, action.root, below, ctx)
        Overlay().make(base, thin, size, stop=ctx.stop)
        with fuse.exported(thin, base, size, stop=ctx.stop, log=ctx.log) as view:
            with opened(view, os.O_RDWR) as fd:
                if is_difference(found):
                    put_difference(found, folder, fd, ctx)
                else:
                    _put_whole(folder / DISK, below, fd, ctx)
                fsync_fd(fd)
            facts = superblock(view)
    if ctx.owner is not None:
        os.chown(thin, *ctx.owner)
    with opened(thin) as fd:
        fsync_fd(fd)
    for name in (DISK, DIFFERENCE):
        (folder / name).unlink(missing_ok=True)
    return facts


def _put_whole(disk: Path, below: int, view: int, ctx: Context) -> None:
    """What of a whole disk is other than in the root's."""
    report = ctx.progress("comparing it with its root's disk")
    with opened(disk) as whole:
        ranges = differing(whole, below, ctx.stop, _counted(os.fstat(whole).st_size, report))
        hit("archive.lay-over")
        for _ in overlay(whole, view, ranges):
            streams.go_on(ctx.stop, "laying what differs over a root's disk")


def _counted(total: int, report: Callable[[int, int], None]) -> Callable[[int], None]:
    done = 0

    def far(count: int) -> None:
        nonlocal done
        done = min(total, done + count)
        report(done, total)

    return far


def _free(told: dict[str, object], name: str, ctx: Context) -> dict[str, object]:
    """Without an alias that another node has by now."""
    alias = told.get("alias")
    others = [n for n in ctx.site.by_alias.get(str(alias), ()) if n != name]
    if alias and (others or alias in ctx.site.nodes):
        ctx.warn(f"{name} comes without its alias {alias}, which is taken here")
        return {key: value for key, value in told.items() if key != "alias"}
    return told
