"""How overlays are laid over a leaf's disk: in a copy beside it, which then takes its place."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks import fuse
from sbctui.engine.disks.debugfs import Image
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import read_lease, write_lease
from sbctui.engine.disks.lay import Piece, lay
from sbctui.engine.disks.layback import original
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.stores import store_for
from sbctui.engine.errors import Refused
from sbctui.engine.files import (
    forget,
    fsync_dir,
    fsync_file,
    hit,
    make_dir,
    remove_tree,
    swap,
    swap_back,
    swap_in,
    write_new,
)
from sbctui.engine.model.node import DISK_FILES
from sbctui.engine.model.overlay import (
    OWN,
    RECORD,
    Laid,
    Layer,
    Place,
    Record,
    fingerprint,
    parse_path,
)
from sbctui.engine.model.overlay_merge import (
    Back,
    conflicts,
    given_back,
    hidden,
    merged,
    within,
)
from sbctui.engine.plan import CopyLeafDisk, LayOverlay, TakeDisk
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_read import copy, layer, read, read_record

_SHOWN = 3


def copy_leaf_disk(action: CopyLeafDisk, ctx: Context) -> Undo:
    """A copy of a leaf's disk in its staging folder; nobody writes to it meanwhile."""
    config = ctx.site.nodes[action.name].config
    source = ctx.site.disk_path(action.name)
    disk = ctx.staged(action.name) / source.name
    store = store_for("reflink" if ctx.site.facts.store == "reflink" else "copy")
    report = ctx.progress(f"copying the disk of {action.name}")
    with read_lease(source):
        store.clone(source, disk, stop=ctx.stop, report=report)
    if ctx.owner is not None:
        hit("disk.owner")
        os.chown(disk, *ctx.owner)
    if config.disk.base is not None:
        ctx.found.base = ctx.site.node_path(config.disk.base) / DISK_FILES["raw"]
    return nothing


def lay_overlay(action: LayOverlay, ctx: Context) -> Undo:
    """Lay the files over the staged disk and write down what was laid; staging undoes it."""
    layers = _as_planned(action, ctx)
    folder = ctx.staged(action.name)
    if reason := _unable(action, ctx, folder):
        if action.required:
            raise Refused(f"nothing can be laid over the disk of {action.name}: {reason}")
        ctx.warn(f"{action.name}: no files were laid over its disk: {reason}")
        ctx.found.data["overlay"] = f"left out: {reason}"
        return nothing
    before = read_record(ctx.site.node_path(action.name))
    laid = merged(layers)
    with _scratch(folder) as scratch:
        files, pieces = _pieces(action, ctx, laid, scratch)
        back = _given_back(action, ctx, given_back(before, laid), scratch)
        _edit(action, ctx, scratch, [*_outside(back, laid), *pieces])
    now = datetime.fromtimestamp(ctx.site.facts.now, UTC).replace(microsecond=0)
    record = before.model_copy(update={"files": files, "hidden": hidden(laid), "applied": now})
    write_new(folder / RECORD, record.to_json(), owner=ctx.owner)
    ctx.found.data["overlay"] = f"{sum(one.item.kind != 'folder' for one in laid)} laid"
    return nothing


def _as_planned(action: LayOverlay, ctx: Context) -> tuple[Layer, ...]:
    places = [place for path in action.places if (place := Place.parse(path)) is not None]
    layers = tuple(layer(ctx.site.path, place) for place in places)
    if fingerprint(layers) != action.digest:
        raise Refused(
            f"the files laid over {action.name} were changed since this was planned, so nothing "
            "was done; look at the new plan"
        )
    if fault := next(conflicts(layers), None):
        raise Refused(fault)
    return layers


def _unable(action: LayOverlay, ctx: Context, folder: Path) -> str:
    """Why this disk can't be written to here, or nothing."""
    if ctx.found.base is not None and (reason := fuse.unavailable()):
        return f"overlays can't be edited here: {reason}"
    seen = ctx.found.base or folder / DISK_FILES["raw"]
    if superblock(seen) is None:
        return "it holds no ext4 file system"
    return ""


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    scratch = folder / f".lay-{secrets.token_hex(4)}"
    make_dir(scratch, mode=0o700)
    try:
        yield scratch
    finally:
        remove_tree(scratch)


def _pieces(
    action: LayOverlay, ctx: Context, laid: tuple[Laid, ...], scratch: Path
) -> tuple[dict[str, str], list[Piece]]:
    """Path to what will stand there as a hash; and the pieces, their content in ``scratch``."""
    files: dict[str, str] = {}
    pieces: list[Piece] = []
    for number, one in enumerate(laid):
        item, source = one.item, f"new-{number}"
        text = None
        size = item.size
        if item.kind == "file" and item.template:
            data = read(ctx.site.path, one.place, item, fields.LARGEST)
            text = fields.template(one.place, item, data)
            write = fields.filled(text, action.fields)
            write_new(scratch / source, write)
            size = len(write)
        elif item.kind == "file":
            copy(ctx.site.path, one.place, item, scratch / source)
        files[item.path] = fields.digest(item, text, action.fields)
        pieces.append(
            Piece(item.path, item.kind, item.mode, item.uid, item.gid, size, source, item.target,
                  item.set_, item.clears, item.xattrs)
        )  # fmt: skip
    return files, pieces


def _given_back(action: LayOverlay, ctx: Context, back: Back, scratch: Path) -> tuple[Piece, ...]:
    """What the leaf's root has at paths that were laid or hidden earlier and are no more."""
    if kept := [path for path in back.all if path.startswith(OWN)]:
        ctx.warn(f"{action.name}: {', '.join(kept)} stay as they are: they are this board's own")
    back = Back(_but_own(back.paths), _but_own(back.folders))
    if not back.all:
        return ()
    node = ctx.site.nodes.get(action.image)
    root = ctx.site.node_path(action.image) / DISK_FILES["raw"]
    if node is None or not root.exists():
        ctx.warn(f"{action.name}: {len(back.all)} files stay: the root they were laid over is gone")
        return ()
    found = original(Image(root, scratch, ctx.stop, ctx.log), back)
    if found.left:
        few = ", ".join(f"/{path}" for path in found.left[:_SHOWN])
        more = f" and {len(found.left) - _SHOWN} more" if len(found.left) > _SHOWN else ""
        ctx.warn(f"{action.name}: {few}{more} stay away: devices, pipes and sockets are not laid")
    return found.pieces


def _but_own(paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(parse_path(path) for path in paths if not path.startswith(OWN))


def _outside(back: Sequence[Piece], laid: Sequence[Laid]) -> list[Piece]:
    """What is given back but for that which is laid there now, or hidden again."""
    here = {one.item.path: one.item.kind for one in laid}
    away = set(hidden(laid))
    return [
        piece
        for piece in back
        if (piece.path not in here or piece.kind == here[piece.path] == "folder")
        and not within(piece.path, away)
    ]


def _edit(action: LayOverlay, ctx: Context, scratch: Path, pieces: list[Piece]) -> None:
    base = ctx.found.base
    disk = ctx.staged(action.name) / DISK_FILES["raw" if base is None else "qcow2"]
    if base is None:
        _write(disk, scratch, pieces, action.name, ctx.stop, ctx.log)
    else:
        with fuse.exported(disk, base, base.stat().st_size, stop=ctx.stop, log=ctx.log) as view:
            _write(view, scratch, pieces, action.name, ctx.stop, ctx.log)
    fsync_file(disk)


def _write(
    disk: Path,
    scratch: Path,
    pieces: list[Piece],
    whose: str,
    stop: threading.Event,
    log: commands.Log | None,
) -> None:
    facts = superblock(disk)
    if facts is not None and facts.dirty:
        repair(disk, stop=stop, log=log)
        facts = superblock(disk)
    if facts is None:
        raise Refused(f"the disk of {whose} holds no ext4 file system")
    lay(Image(disk, scratch, stop, log), facts, pieces, whose)


def take_disk(action: TakeDisk, ctx: Context) -> Undo:
    """Exchange a leaf's disk for the staged one while nobody can have it open: the commit.

    The record says that a change was begun before the disk changes, and what it is after.
    """
    node, staged = ctx.site.node_path(action.name), ctx.staged(action.name)
    disk = ctx.site.disk_path(action.name)
    record = read_record(staged)
    begun = read_record(node).begun(record)
    old = _put_record(node, begun, ctx)
    ctx.holds.callback(remove_tree, staged)
    try:
        with write_lease(disk) if disk.exists() else nullcontext():
            _exchange(staged / disk.name, disk)
    except BaseException:
        swap_back(node / RECORD, old)
        raise
    try:
        forget(_put_record(node, record, ctx))
    except BaseException:
        with suppress(OSError):
            _exchange(disk, staged / disk.name)
            swap_back(node / RECORD, old)
        raise
    ctx.holds.callback(forget, old)
    ctx.changed(action.name)

    def undo() -> None:
        _exchange(disk, staged / disk.name)
        swap_back(node / RECORD, old)
        ctx.changed(action.name)

    return undo


def _put_record(node: Path, record: Record, ctx: Context) -> Path | None:
    return swap_in(node / RECORD, record.to_json(), owner=ctx.owner)


def _exchange(one: Path, other: Path) -> None:
    swap(one, other)
    fsync_dir(one.parent)
