"""How a root gets another name, and what a crash left of that is settled.

The config under the new name is written beside the old one; then the folder is renamed, which
is the commit, as readers take the config that has the folder's name; then the two change names.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path

from sbctui.engine.context import Context, Undo
from sbctui.engine.disks.inuse import write_lease
from sbctui.engine.errors import Refused
from sbctui.engine.files import (
    Owner,
    forget,
    fsync_dir,
    hit,
    move_back,
    rename_noreplace,
    swap,
    write_new,
)
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import CONFIG, Broken
from sbctui.engine.nodefile import RENAMED, has_other_name, read_node
from sbctui.engine.plan import RenameRoot


def rename(action: RenameRoot, ctx: Context) -> Undo:
    """Rename a root while nobody can have its disk open: the commit is the folder's rename."""
    old, new = ctx.site.node_path(action.name), ctx.site.node_path(action.to)
    found = read_node(old)
    if isinstance(found, Broken):
        raise Refused(f"{action.name} can't be renamed: {found.reason}")
    disk = old / found.config.disk.file
    for folder in (old, new):
        ctx.holds.callback(forget, folder / RENAMED)
    _put_beside(old, found.config.model_copy(update={"name": action.to}), ctx.owner)
    with write_lease(disk) if disk.exists() else nullcontext():
        rename_noreplace(old, new)
    _changed(action, ctx)
    try:
        swap(new / RENAMED, new / CONFIG)
    except BaseException:
        with suppress(OSError):
            move_back(new, old)
        _changed(action, ctx)
        raise

    def undo() -> None:
        move_back(new, old)
        swap(old / RENAMED, old / CONFIG)
        _changed(action, ctx)

    return undo


def _put_beside(folder: Path, config: NodeConfig, owner: Owner) -> None:
    (folder / RENAMED).unlink(missing_ok=True)
    write_new(folder / RENAMED, config.to_json(), owner=owner)
    hit("file.fsync-folder")
    fsync_dir(folder)


def _changed(action: RenameRoot, ctx: Context) -> None:
    ctx.changed(action.name)
    ctx.changed(action.to)


def settle(folder: Path) -> bool:
    """Finish or drop what a crash left of a rename; whether there was a name to finish.

    May be killed itself: until the two configs have changed names it can be done again.
    """
    finish = has_other_name(folder)
    if finish:
        swap(folder / RENAMED, folder / CONFIG)
    forget(folder / RENAMED)
    return finish
