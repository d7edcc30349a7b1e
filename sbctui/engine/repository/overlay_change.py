"""How overlays' folders are changed and moved, and how that is undone.

A changed overlay is built beside the old one, of hard links and what is new, and takes its place
by one rename: files are replaced, never rewritten.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sbctui.engine.context import Context, Undo
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import (
    Owner,
    fsync_dir,
    hit,
    make_dir,
    move_back,
    remove_tree,
    rename_noreplace,
    swap,
    sync_tree,
    write_all,
    write_new,
)
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.text import clean
from sbctui.engine.plan import ChangeOverlay, MoveFolder
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_read import STOWED, layer, read, stowed
from sbctui.engine.repository.overlay_table import TABLE, Row, parse_table, with_row

_STEP = 1024**2
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def change_overlay(action: ChangeOverlay, ctx: Context) -> Undo:
    """Put a file or a row of the table into an overlay; all is checked before it counts."""
    folder = ctx.site.path / action.place
    make_folders(ctx.site.path, folder.parent, ctx.owner)
    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    there = os.path.lexists(folder)
    try:
        _build(action, folder if there else None, staged, ctx)
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
        _copy(source, staged, ctx)
        _check(place, staged, ctx)
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


def _build(action: ChangeOverlay, old: Path | None, staged: Path, ctx: Context) -> None:
    make_dir(staged, owner=ctx.owner)
    if old is not None:
        _link_tree(old, staged, ctx.owner)
    if action.source:
        _put(Path(action.source), staged, action.target, ctx)
    if not (action.source and _row(action) is None and not (staged / TABLE).exists()):
        _write_table(action, staged, ctx.owner)
    _check(Place.parse(action.place), staged, ctx)


def _link_tree(old: Path, new: Path, owner: Owner) -> None:
    """The same files under another folder. Raises Refused for what is no file."""
    with os.scandir(old) as entries:
        for entry in entries:
            target = new / entry.name
            if entry.is_dir(follow_symlinks=False):
                mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
                make_dir(target, mode=mode, owner=owner)
                _link_tree(Path(entry.path), target, owner)
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                hit("overlay.link")
                os.link(entry.path, target, follow_symlinks=False)
            else:
                raise Refused(f"{clean(entry.path)} is neither file, folder nor link")


def _put(source: Path, staged: Path, target: str, ctx: Context) -> None:
    *folders, name = target.split("/")
    place = staged
    for folder in folders:
        place = place / folder
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise Refused(f"{target} would be inside {folder}, which is no folder in the overlay")
        if not place.exists():
            make_dir(place, mode=0o755, owner=ctx.owner)
    if name == TABLE and not folders:
        raise Refused(f"{TABLE} is the overlay's own table; edit it, or lay the file elsewhere")
    _copy(source, place / name, ctx)


def _copy(source: Path, target: Path, ctx: Context) -> None:
    """A file, a link as a link, or a folder with all in it, over what is there."""
    ctx.raise_if_stopped("copying files into an overlay")
    facts = os.lstat(source)
    there = target.is_dir() and not target.is_symlink()
    if stat.S_ISDIR(facts.st_mode):
        if not there:
            if os.path.lexists(target):
                raise Refused(f"{clean(target.name)} is there and is no folder; take it out first")
            make_dir(target, mode=0o755, owner=ctx.owner)
        for name in sorted(os.listdir(source)):
            _copy(source / name, target / name, ctx)
        return
    if there:
        raise Refused(f"{clean(target.name)} is a folder in the overlay; take it out first")
    target.unlink(missing_ok=True)
    if stat.S_ISLNK(facts.st_mode):
        hit("overlay.symlink")
        os.symlink(os.readlink(source), target)
        if ctx.owner is not None:
            os.chown(target, *ctx.owner, follow_symlinks=False)
    elif stat.S_ISREG(facts.st_mode):
        _copy_file(source, target, ctx.owner)
    else:
        raise BadInput(f"{clean(str(source))} is neither file, folder nor link; leave it out")


def _copy_file(source: Path, target: Path, owner: Owner) -> None:
    given = os.open(source, _READ)
    try:
        mode = os.fstat(given).st_mode & 0o777
        hit("overlay.copy")
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            while data := os.read(given, _STEP):
                write_all(made, data)
            if owner is not None:
                os.fchown(made, *owner)
            os.fchmod(made, mode)
        finally:
            os.close(made)
    finally:
        os.close(given)


def _row(action: ChangeOverlay) -> Row | None:
    row = Row(
        owner=action.owner, mode=action.mode, template=action.template, remove=action.remove
    )  # fmt: skip
    return None if action.forget or row == Row() else row


def _write_table(action: ChangeOverlay, staged: Path, owner: Owner) -> None:
    path = staged / TABLE
    before = path.read_bytes() if path.exists() else b""
    parse_table(before, f"{action.place}/{TABLE}")
    after = with_row(before, action.target, _row(action))
    path.unlink(missing_ok=True)
    write_new(path, after, owner=owner)


def _check(place: Place | None, staged: Path, ctx: Context) -> None:
    """What was built can be laid: names, owners, templates. Raises Refused, BadInput."""
    assert place is not None
    beside = Place(place.level, place.owner, staged.name)
    try:
        found = layer(ctx.site.path, beside)
        for _, item in fields.templates_in((found,)):
            fields.template(beside, item, read(ctx.site.path, beside, item, fields.LARGEST))
    except (Refused, BadInput) as error:
        raise type(error)(str(error).replace(staged.name, place.image)) from None


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
