"""How overlays' folders are changed and moved, and how that is undone.

A changed overlay is built beside the old one, of hard links and what is new, and takes its place
by one rename: files are replaced, never rewritten.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sbctui.engine.context import Context, Undo
from sbctui.engine.errors import Refused
from sbctui.engine.files import (
    Owner,
    fsync_dir,
    make_dir,
    move_back,
    remove_tree,
    rename_noreplace,
    swap,
    sync_tree,
)
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.text import clean
from sbctui.engine.plan import ChangeOverlay, MoveFolder
from sbctui.engine.repository.overlay_build import build, check, copy_all
from sbctui.engine.repository.overlay_read import STOWED, stowed


def change_overlay(action: ChangeOverlay, ctx: Context) -> Undo:
    """Put a file or a row of the table into an overlay; all is checked before it counts."""
    folder = ctx.site.path / action.place
    make_folders(ctx.site.path, folder.parent, ctx.owner)
    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    there = os.path.lexists(folder)
    try:
        build(action, folder if there else None, staged, ctx)
        sync_tree(staged)
        if there:
            swap(staged, folder)
        else:
            rename_noreplace(staged, folder)
    except BaseException:
        remove_tree(staged)
        raise
    ctx.holds.callback(remove_tree, staged)
    ctx.changed("")

    def undo() -> None:
        if there:
            swap(staged, folder)
        else:
            move_back(folder, staged)
        ctx.changed("")

    return undo


def take_overlay(source: Path, place: Place, ctx: Context) -> Undo:
    """Copy a folder to be an overlay; it is there when all of it is, and can be laid.

    Raises Refused, BadInput, OSError (FileExistsError where there is one already).
    """
    folder = ctx.site.path / place.path
    make_folders(ctx.site.path, folder.parent, ctx.owner)
    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        copy_all(source, staged, ctx)
        check(place, staged, ctx)
        sync_tree(staged)
        rename_noreplace(staged, folder)
    except BaseException:
        remove_tree(staged)
        raise
    ctx.holds.callback(remove_tree, staged)
    ctx.changed("")

    def undo() -> None:
        move_back(folder, staged)
        ctx.changed("")

    return undo


def make_folders(site: Path, folder: Path, owner: Owner) -> None:
    """Make what is missing of a folder below the site. Raises Refused for a link on the way."""
    path = site
    for name in folder.relative_to(site).parts:
        path = path / name
        if path.is_symlink():
            raise Refused(f"{path} is a link; overlays lie in real folders of the site")
        if not path.is_dir():
            make_dir(path, owner=owner)
            fsync_dir(path.parent)


def move_folder(action: MoveFolder, ctx: Context) -> Undo:
    """Give a folder of a group or an image another name."""
    old, new = ctx.site.path / action.path, ctx.site.path / action.to
    try:
        rename_noreplace(old, new)
    except FileExistsError:
        raise Refused(f"{clean(action.to)} is there already; move it away first") from None
    ctx.changed("")

    def undo() -> None:
        move_back(new, old)
        ctx.changed("")

    return undo


def stow(ctx: Context, folder: Path, paths: tuple[str, ...]) -> Callable[[], None]:
    """Move overlays into the folder of their node, to go where that goes; gives the way back.

    All of them or, when it raises, none.
    """
    moves = _moves(ctx.site.path, folder / STOWED, paths)
    return _move_all(moves, folder, folder / STOWED, ctx.owner)


def unstow(site: Path, folder: Path, paths: tuple[str, ...], owner: Owner) -> Callable[[], None]:
    """Move overlays out of a node's folder again; like ``stow``."""
    moves = _moves(folder / STOWED, site, paths)
    return _move_all(moves, site, folder / STOWED, owner)


def settle(site: Path, folder: Path, owner: Owner) -> bool:
    """Put back what a crash left in the folder of a node that is no more, or not yet, deleted.

    Whether there was any. What has another in its place stays for the audit.
    """
    paths = stowed(str(folder), folder.name)
    free = tuple(path for path in paths if not os.path.lexists(site / path))
    unstow(site, folder, free, owner)
    return bool(free)


def _moves(source: Path, target: Path, paths: tuple[str, ...]) -> list[tuple[Path, Path]]:
    """Those that are there, from where to where."""
    return [(source / path, target / path) for path in paths if (source / path).is_dir()]


def _move_all(
    moves: list[tuple[Path, Path]], top: Path, stowed: Path, owner: Owner
) -> Callable[[], None]:
    """Move folders to places below ``top``; folders that are left empty in the trash go."""
    moved: list[tuple[Path, Path]] = []

    def back() -> None:
        for old, new in reversed(moved):
            old.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            move_back(new, old)
        _drop_empty(stowed)

    try:
        for old, new in moves:
            make_folders(top, new.parent, owner)
            rename_noreplace(old, new)
            moved.append((old, new))
    except BaseException:
        with suppress(OSError):
            back()
        raise
    _drop_empty(stowed)
    return back


def _drop_empty(folder: Path) -> None:
    """Remove a folder of folders that hold nothing."""
    with suppress(OSError):
        for path, _, _ in os.walk(folder, topdown=False):
            os.rmdir(path)
