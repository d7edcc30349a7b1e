"""Gives a root in the making the site's own initramfs where its image's can't have NBD."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.boot.check import initramfs_faults
from sbctui.engine.boot.kernels import fitting
from sbctui.engine.boot.kitlink import put_link
from sbctui.engine.boot.rootdisk import RootDisk
from sbctui.engine.boot.served import look_in
from sbctui.engine.bootkit.arch import image_version
from sbctui.engine.bootkit.kits import kit
from sbctui.engine.context import Context
from sbctui.engine.disks.kind import filesystem_kind
from sbctui.engine.errors import BadInput
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.site import BOOT


@dataclass(frozen=True, slots=True)
class _Root:
    """A staged root: its boot folder as a board would see it, and its disk."""

    config: NodeConfig
    folder: Path
    disk: Path


def supply(name: str, boot: BootSpec, disk: Path, ctx: Context) -> BootSpec:
    """What a staged root should load: with the site's initramfs if its own can't have NBD.

    Says which, or, where none is built for its kernel, the command that makes it so. ``disk`` is a
    raw one. Raises ToolMissing, Cancelled, OSError.
    """
    spec = DiskSpec(size=disk.stat().st_size, filesystem=filesystem_kind(disk))
    config = NodeConfig(kind="root", name=name, disk=spec, boot=boot)
    root = _Root(config, ctx.staged(name) / BOOT, disk)
    found = fitting(root.folder, boot, RootDisk(disk, ctx.stop))
    if not found.arch or image_version(boot.initramfs):
        return boot
    why = _fault(root, ctx)
    if not why:
        return boot
    built = kit(ctx.site.path, found.arch, found.version) if found.version else None
    if built is None:
        ctx.warn(
            f"{name}: {why}; for an initramfs of the site's own: "
            f"sbctui boot use {name} --initramfs bootkit"
        )
        return boot
    after = found.with_kit(boot)
    put_link(built.path, root.folder / after.initramfs, ctx.owner)
    ctx.found.data["initramfs"] = f"the site's own for {found.version}, as {why}"
    ctx.say(f"{name}: {why}, so it gets the site's own initramfs for {found.version}")
    return after


def _fault(root: _Root, ctx: Context) -> str:
    """Why its own initramfs won't do; empty where it will, or where a template hides it."""
    try:
        faults = initramfs_faults(look_in(root.folder, root.config, ctx.site), root.disk, ctx.stop)
    except BadInput:
        return ""
    return next((lack.why for lack in faults if lack.stops), "")
