"""How the site's own initramfs gets into the boot folder of a published node."""

from __future__ import annotations

import os
from pathlib import Path

from sbctui.engine.boot.kitlink import beside, put_link
from sbctui.engine.bootkit.arch import image_name
from sbctui.engine.bootkit.kits import kit
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import Refused
from sbctui.engine.files import forget, rename_noreplace, swap, swap_back
from sbctui.engine.model.site import BOOT
from sbctui.engine.plan import UseKit


def use_kit(action: UseKit, ctx: Context) -> Undo:
    """Let the newest build take the place of an older one, or of none."""
    built = kit(ctx.site.path, action.arch, action.kernel)
    if built is None or built.manifest is None:
        raise Refused(
            f"there is no initramfs for {action.arch} and kernel {action.kernel} any more; "
            f"build it: sbctui bootkit build --arch {action.arch} --root {action.name}"
        )
    if action.sha256 not in ("", built.manifest.sha256):
        raise Refused(f"the initramfs for {action.kernel} was built again meanwhile; look again")
    target = ctx.site.node_path(action.name) / BOOT / image_name(action.kernel)
    if target.exists() and os.path.samefile(target, built.path):
        return nothing
    return _put(built.path, target, ctx)


def _put(source: Path, target: Path, ctx: Context) -> Undo:
    temp = beside(target)
    try:
        put_link(source, temp, ctx.owner)
        if not target.exists():
            rename_noreplace(temp, target)
            return lambda: swap_back(target, None)
        swap(temp, target)
    except BaseException:
        forget(temp)
        raise
    ctx.holds.callback(forget, temp)
    return lambda: swap_back(target, temp)
