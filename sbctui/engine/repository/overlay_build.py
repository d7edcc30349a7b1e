"""How an overlay's folder is built anew beside the old one, of hard links and what is new."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sbctui.engine.context import Context
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import Owner, hit, make_dir, write_all, write_new
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import ACCESS, Xattrs, written
from sbctui.engine.plan import ChangeOverlay
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_read import layer, read
from sbctui.engine.repository.overlay_table import TABLE, Row, Table, parse_table, with_rows
from sbctui.engine.repository.overlay_xattrs import of_source

_STEP = 1024**2
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_Found = dict[str, Xattrs]
"""The attributes of all that was copied, by path in the overlay."""


def build(action: ChangeOverlay, old: Path | None, staged: Path, ctx: Context) -> None:
    """Make the folder ``staged`` what the overlay in ``old`` is to be, and check that.

    Raises Refused, BadInput, OSError; the caller removes what is there then.
    """
    make_dir(staged, owner=ctx.owner)
    if old is not None:
        _link_tree(old, staged, ctx.owner)
    found: _Found = {}
    if action.source:
        _put(Path(action.source), staged, action.target, found, ctx)
    _write_table(action, staged, found, ctx.owner)
    check(Place.parse(action.place), staged, ctx)


def _link_tree(old: Path, new: Path, owner: Owner) -> None:
    """The same files under another folder. Raises Refused for what is no file."""
    with os.scandir(old) as entries:
        for entry in entries:
            target = new / entry.name
            if entry.is_dir(follow_symlinks=False):
                mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
                make_dir(target, mode=mode, owner=owner)
                for name, value in of_source(entry.path):
                    os.setxattr(target, name, value, follow_symlinks=False)
                _link_tree(Path(entry.path), target, owner)
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                hit("overlay.link")
                os.link(entry.path, target, follow_symlinks=False)
            else:
                raise Refused(f"{clean(entry.path)} is neither file, folder nor link")


def _put(source: Path, staged: Path, target: str, found: _Found, ctx: Context) -> None:
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
    copied = copy_all(source, place / name, ctx)
    found |= {f"{target}/{path}".rstrip("/"): xattrs for path, xattrs in copied.items()}


def copy_all(source: Path, target: Path, ctx: Context, path: str = "") -> _Found:
    """A file, a link as a link, or a folder with all in it, over what is there.

    Gives the attributes of each by its path below ``target``, whose own is empty. Raises Refused,
    BadInput, OSError, Cancelled.
    """
    ctx.raise_if_stopped("copying files into an overlay")
    facts = os.lstat(source)
    there = target.is_dir() and not target.is_symlink()
    if stat.S_ISDIR(facts.st_mode):
        if not there:
            if os.path.lexists(target):
                raise Refused(f"{clean(target.name)} is there and is no folder; take it out first")
            make_dir(target, mode=0o755, owner=ctx.owner)
        found = {path: of_source(str(source))}
        for name in sorted(os.listdir(source)):
            inner = f"{path}/{name}".lstrip("/")
            found |= copy_all(source / name, target / name, ctx, inner)
        return found
    if there:
        raise Refused(f"{clean(target.name)} is a folder in the overlay; take it out first")
    target.unlink(missing_ok=True)
    if stat.S_ISLNK(facts.st_mode):
        hit("overlay.symlink")
        os.symlink(os.readlink(source), target)
        if ctx.owner is not None:
            os.chown(target, *ctx.owner, follow_symlinks=False)
        return {path: ()}
    if stat.S_ISREG(facts.st_mode):
        return {path: _copy_file(source, target, ctx.owner)}
    raise BadInput(f"{clean(str(source))} is neither file, folder nor link; leave it out")


def _copy_file(source: Path, target: Path, owner: Owner) -> Xattrs:
    """Copy a file; gives its attributes, which the copy has not."""
    given = os.open(source, _READ)
    try:
        mode, xattrs = os.fstat(given).st_mode & 0o777, of_source(given)
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
    return xattrs


def _rows(action: ChangeOverlay, table: Table, found: _Found, *, is_folder: bool) -> dict[str, Row]:
    """What the table is to say of the target, and of the attributes of what was copied with it."""
    target = action.target
    rows = {path: _dressed(table.get(path, Row()), xattrs) for path, xattrs in found.items()}
    before = table.get(target, Row())
    if action.forget:
        return {target: Row()}
    if action.remove:
        return {
            target: before.model_copy(update={"remove": True}) if is_folder else Row(remove=True)
        }
    said = Row(
        owner=action.owner,
        mode=action.mode,
        template=action.template,
        remove=is_folder and before.remove,
    )
    dressed = _dressed(said, found.get(target, ()))
    xattrs = {**dressed.xattrs, **action.xattrs}
    return {**rows, target: dressed.model_copy(update={"xattrs": xattrs})}


def _dressed(row: Row, xattrs: Xattrs) -> Row:
    """With other attributes; a mode that is said counts before that of an access control list."""
    kept = tuple(one for one in xattrs if not (row.mode and one[0] == ACCESS))
    return row.model_copy(update={"xattrs": written(kept)})


def _write_table(action: ChangeOverlay, staged: Path, found: _Found, owner: Owner) -> None:
    path = staged / TABLE
    before = path.read_bytes() if path.exists() else b""
    table = parse_table(before, f"{action.place}/{TABLE}")
    there = staged / action.target
    is_folder = there.is_dir() and not there.is_symlink()
    after = with_rows(before, _rows(action, table, found, is_folder=is_folder))
    if after != before:
        path.unlink(missing_ok=True)
        write_new(path, after, owner=owner)


def check(place: Place | None, staged: Path, ctx: Context) -> None:
    """What was built can be laid: names, owners, templates. Raises Refused, BadInput."""
    assert place is not None
    beside = Place(place.level, place.owner, staged.name)
    try:
        found = layer(ctx.site.path, beside)
        for _, item in fields.templates_in((found,)):
            fields.template(beside, item, read(ctx.site.path, beside, item, fields.LARGEST))
    except (Refused, BadInput) as error:
        raise type(error)(str(error).replace(staged.name, place.image)) from None
