"""How an initramfs is built as an action of a plan."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.bootkit.build import Surroundings, Wanted, build
from sbctui.engine.bootkit.kits import initrd
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import BadInput
from sbctui.engine.plan import BuildBootkit


def build_bootkit(action: BuildBootkit, ctx: Context) -> Undo:
    """Build it; it stands when this returns, and nothing has changed when this raises."""
    sources = Path(action.sources) if action.sources else None
    if sources is not None and not sources.is_file():
        raise BadInput(f"{sources} is no file; name a sources.list for apt")
    disk = ctx.site.disk_path(action.root) if action.root else None
    manifest = build(
        ctx.site.path,
        Wanted(action.arch, action.kernel, action.root, disk, sources, action.offline),
        Surroundings(ctx.warn, ctx.stop, ctx.log, ctx.owner),
    )
    ctx.found.data["kernel"] = manifest.kernel
    ctx.found.data["initrd"] = str(initrd(ctx.site.path, manifest.arch, manifest.kernel))
    return nothing
