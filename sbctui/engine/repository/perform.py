"""How each action on this server's repository, and on the list of all, is done and undone."""

from __future__ import annotations

import os
from pathlib import Path

from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.sparse import copy_data
from sbctui.engine.errors import Refused
from sbctui.engine.files import (
    forget,
    fsync_dir,
    fsync_file,
    hit,
    swap_back,
    swap_in,
)
from sbctui.engine.model.repository import IMAGES, OWN, is_image
from sbctui.engine.model.text import clean
from sbctui.engine.plan import (
    ImportImage,
    IndexRepository,
    MountRepository,
    SetRepository,
    UnmountRepository,
)
from sbctui.engine.repository import mounts
from sbctui.engine.repository.keep import make_folders
from sbctui.engine.repository.lists import worth_listing, write_lists
from sbctui.engine.repository.settings import edited
from sbctui.engine.services.rundir import prepare_run_dir
from sbctui.engine.store import SETTINGS


def set_repository(action: SetRepository, ctx: Context) -> Undo:
    """Write site.toml anew; the old one is kept until the unit ends."""
    path = ctx.site.path / SETTINGS
    text = edited(path.read_text("utf-8"), action.name, action.after)
    facts = path.stat()
    owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None
    old = swap_in(path, text.encode(), owner=owner)
    ctx.holds.callback(forget, old)
    ctx.changed("")

    def undo() -> None:
        swap_back(path, old)
        ctx.changed("")

    return undo


def mount_repository(action: MountRepository, ctx: Context) -> Undo:
    """Mount it where only root can have prepared a place."""
    point = Path(action.point)
    facts = ctx.site.path.stat()
    prepare_run_dir(ctx.site.path, (facts.st_uid, facts.st_gid))
    point.parent.mkdir(mode=0o755, exist_ok=True)
    mounts.mount(action.repository, action.device, point, stop=ctx.stop, log=ctx.log)
    ctx.found.data["folder"] = action.point
    return lambda: mounts.unmount(point, log=ctx.log)


def unmount_repository(action: UnmountRepository, ctx: Context) -> Undo:
    """Unmount it, wherever it is mounted."""
    point = Path(action.point)
    mounts.unmount(point, log=ctx.log)
    return lambda: mounts.mount(action.repository, action.device, point, log=ctx.log)


def index_repository(action: IndexRepository, ctx: Context) -> Undo:
    """Write which boards each root has, and the list of all files for readers over HTTPS.

    Of the site as it is now, under its lock: two jobs that end together leave the later list.
    """
    site = ctx.reload()
    if action.begin or worth_listing(site):
        write_lists(site, ctx.owner)
    return nothing


def import_image(action: ImportImage, ctx: Context) -> Undo:
    """Bring the files of one image in; they lie in its folder when this returns, or none does."""
    root = ctx.site.path / OWN
    make_folders(ctx.site.path, f"{OWN}/{IMAGES}/{action.name}", ctx.owner)
    done: list[tuple[Path, Path]] = []

    def undo() -> None:
        for source, target in reversed(done):
            if not source.exists():
                _bring(target, source, "move", ctx)
            target.unlink(missing_ok=True)

    try:
        # Side files come last: they must not look older than what they are about.
        for path in sorted(action.files, key=lambda one: not is_image(one)):
            source = Path(action.folder, path)
            target = root / IMAGES / action.name / source.name
            if os.path.lexists(target):
                raise Refused(f"{clean(str(target))} is there already")
            done.append((source, target))
            _bring(source, target, action.how, ctx)
        fsync_dir(root / IMAGES / action.name)
    except BaseException:
        undo()
        raise
    return undo


def _bring(source: Path, target: Path, how: str, ctx: Context) -> None:
    hit("import.file")
    near = source.stat().st_dev == target.parent.stat().st_dev
    if how == "move" and near:
        os.rename(source, target)
    elif how == "link" and near:
        os.link(source, target, follow_symlinks=False)
    else:
        _copy(source, target, ctx)
        if how == "move":
            source.unlink()


def _copy(source: Path, target: Path, ctx: Context) -> None:
    given = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        facts = os.fstat(given)
        made = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            report = ctx.progress(f"copy {clean(source.name)}")
            copy_data(given, made, stop=ctx.stop, report=report)
            os.utime(made, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            if ctx.owner is not None:
                os.fchown(made, *ctx.owner)
        except BaseException:
            target.unlink()
            raise
        finally:
            os.close(made)
    finally:
        os.close(given)
    fsync_file(target)
