"""How nodes and leftovers go to the trash, come back, and go for good."""

from __future__ import annotations

from contextlib import nullcontext, suppress

from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.fuse import let_go
from sbctui.engine.disks.inuse import write_lease
from sbctui.engine.errors import Refused
from sbctui.engine.files import flocked, move_back, remove_tree, rename_noreplace
from sbctui.engine.model.site import Broken
from sbctui.engine.model.text import clean
from sbctui.engine.nodefile import read_node
from sbctui.engine.plan import (
    DropStaging,
    PurgeFolder,
    RestoreNode,
    RestoreStray,
    TrashNode,
    TrashStray,
)
from sbctui.engine.repository.overlay_change import stow, unstow
from sbctui.engine.store import GONE


def trash(action: TrashNode, ctx: Context) -> Undo:
    """Move a node and its overlays into the trash while nobody can have its disk open: the commit.

    The overlays are moved into the node's folder first; recovery puts back what a crash left there.
    """
    path = ctx.site.node_path(action.name)
    bin_path = ctx.site.path / "trash" / action.folder
    node = read_node(path)
    disk = None if isinstance(node, Broken) else path / node.config.disk.file
    back = stow(ctx, path, action.overlays)
    try:
        with write_lease(disk) if disk is not None and disk.exists() else nullcontext():
            rename_noreplace(path, bin_path)
    except BaseException:
        with suppress(OSError):
            back()
        raise
    ctx.changed(action.name)

    def undo() -> None:
        rename_noreplace(bin_path, path)
        back()
        ctx.changed(action.name)

    return undo


def restore(action: RestoreNode, ctx: Context) -> Undo:
    """Move a node back from the trash: the commit; then the overlays that went with it."""
    bin_path = ctx.site.path / "trash" / action.folder
    path = ctx.site.node_path(action.name)
    rename_noreplace(bin_path, path)
    try:
        back = unstow(ctx.site.path, path, action.overlays, ctx.owner)
    except BaseException:
        with suppress(OSError):
            move_back(path, bin_path)
        raise
    ctx.changed(action.name)

    def undo() -> None:
        back()
        rename_noreplace(path, bin_path)
        ctx.changed(action.name)

    return undo


def restore_stray(action: RestoreStray, ctx: Context) -> Undo:
    """Move what is no node from the trash to where it lay."""
    bin_path = ctx.site.path / "trash" / action.folder
    path = ctx.site.path / action.path
    name = clean(action.path)
    try:
        rename_noreplace(bin_path, path)
    except FileExistsError:
        raise Refused(f"{name} can't come back: there is something in its place") from None
    except FileNotFoundError:
        raise Refused(f"{name} can't come back: its folder is gone") from None
    ctx.changed("*")

    def undo() -> None:
        rename_noreplace(path, bin_path)
        ctx.changed("*")

    return undo


def purge(action: PurgeFolder, ctx: Context) -> Undo:
    """Delete a trash folder for good; a crash in the middle is finished by recovery."""
    bin_path = ctx.site.path / "trash" / action.folder
    gone = bin_path.with_name(GONE + action.folder)
    rename_noreplace(bin_path, gone)
    remove_tree(gone)
    ctx.changed("")
    return nothing


def trash_stray(action: TrashStray, ctx: Context) -> Undo:
    """Move what is no node into the trash."""
    path = ctx.site.path / action.path
    bin_path = ctx.site.path / "trash" / action.folder
    rename_noreplace(path, bin_path)
    ctx.changed("*")

    def undo() -> None:
        rename_noreplace(bin_path, path)
        ctx.changed("*")

    return undo


def drop_staging(action: DropStaging, ctx: Context) -> Undo:
    """Delete a half-made node, unless a running job holds it."""
    path = ctx.site.path / action.path
    try:
        with suppress(FileNotFoundError), flocked(path, blocking=False):
            let_go(path)
            remove_tree(path)
    except BlockingIOError:
        raise Refused(f"{action.path} is being made by a running job; wait for it") from None
    ctx.changed("*")
    return nothing
