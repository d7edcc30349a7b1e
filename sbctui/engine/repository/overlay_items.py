"""What one folder of an overlay holds, as values; nothing there is followed, run or trusted."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256

from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.amounts import size
from sbctui.engine.model.overlay import Item, Place, not_hidden, parse_path
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import mode_of, parse, unasked
from sbctui.engine.repository.overlay_table import (
    LARGEST,
    TABLE,
    Row,
    Table,
    parse_mode,
    parse_owner,
    parse_table,
)
from sbctui.engine.repository.overlay_xattrs import of_source

SETTLED = 10**9
"""Nanoseconds after which a write would give a file another time."""
_MOST = 20_000
"""Files in one overlay: more are an image."""
_STEP = 1024**2
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def hiding(path: str, there: Item | None, place: Place) -> Item:
    """What a row that takes away says of a path, at which the overlay itself has something or not.

    Raises Refused.
    """
    if fault := not_hidden(path):
        raise Refused(f"{place.path}: {fault}")
    if there is not None:
        return replace(there, clears=True)
    return Item(path, "removed", mode=0)


def table_in(folder: int, place: Place) -> Table:
    """The table in an overlay's folder. Raises Refused, BadInput, OSError."""
    where = f"{place.path}/{TABLE}"
    try:
        fd = os.open(TABLE, _READ, dir_fd=folder)
    except FileNotFoundError:
        return {}
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Refused(f"{where} is no file")
        data = os.read(fd, LARGEST + 1)
    finally:
        os.close(fd)
    if len(data) > LARGEST:
        raise BadInput(f"{where} is longer than {size(LARGEST)}")
    return parse_table(data, where)


def walk(top: int, above: str, table: Table, place: Place, *, own: bool) -> Iterator[Item]:
    """All in an overlay's folder, depth first; a folder comes before what is in it.

    ``own``: it is the site's, so the extended attributes of the files themselves count. Raises
    Refused, OSError.
    """
    count = 0
    waiting = [above]
    while waiting:
        path = waiting.pop()
        with opened_below(top, path) as folder, os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                if not path and entry.name == TABLE:
                    continue
                inner = f"{path}/{entry.name}".strip("/")
                item = _item(folder, inner, entry, table.get(inner, Row()), place, own=own)
                if item.kind == "folder":
                    waiting.append(item.path)
                count += 1
                if count > _MOST:
                    raise Refused(f"{place.path} holds more than {_MOST} files; make it an image")
                yield item


@contextmanager
def opened_below(top: int, path: str) -> Iterator[int]:
    """A folder below an open one, reached without following a link. Raises OSError."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top)
    try:
        for name in filter(None, path.split("/")):
            inner = os.open(name, _READ | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def _item(
    folder: int, path: str, entry: os.DirEntry[str], row: Row, place: Place, *, own: bool
) -> Item:
    try:
        parse_path(path)
    except BadInput as error:
        raise Refused(f"{place.path}: {error}") from None
    uid, gid = parse_owner(row.owner) if row.owner else (0, 0)
    if entry.is_symlink():
        if row.xattrs:
            raise Refused(f"{place.path}: {clean(path)} is a link, and links have no attributes")
        return Item(path, "link", 0o777, uid, gid, target=_target(folder, entry, path, place))
    with _opened(folder, path, entry, place) as fd:
        facts = os.fstat(fd)
        silent = own and not row.tells_xattrs
        xattrs = unasked(of_source(fd)) if silent else parse(row.xattrs)
        listed = mode_of(xattrs)
        said = bool(row.owner or row.mode or listed is not None)
        if stat.S_ISDIR(facts.st_mode):
            mode = _mode(row, listed, 0o755)
            return Item(path, "folder", mode, uid, gid, set_=said, xattrs=xattrs)
        mode = _mode(row, listed, facts.st_mode & 0o777)
        size, template = facts.st_size, row.template
        content = _content(fd, facts)
    return Item(
        path, "file", mode, uid, gid, size, content=content, template=template, xattrs=xattrs
    )


def _mode(row: Row, listed: int | None, usual: int) -> int:
    """What the table says, else what an access control list in it comes with, else the usual."""
    if row.mode:
        return parse_mode(row.mode)
    return usual if listed is None else listed


@contextmanager
def _opened(folder: int, path: str, entry: os.DirEntry[str], place: Place) -> Iterator[int]:
    """A file or folder, open for reading. Raises Refused for anything else, OSError."""
    if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
        raise Refused(
            f"{place.path}: {clean(path)} is neither file, folder nor link, and is not laid over "
            "an image; take it away"
        )
    fd = os.open(entry.name, _READ, dir_fd=folder)
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_IFMT(mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise Refused(f"{place.path}: {clean(path)} was changed while it was read; try again")
        yield fd
    finally:
        os.close(fd)


def _target(folder: int, entry: os.DirEntry[str], path: str, place: Place) -> str:
    target = os.readlink(entry.name, dir_fd=folder)
    if clean(target) != target or not target.isprintable():
        raise Refused(f"{place.path}: the link {clean(path)} leads to a name with odd characters")
    return target


_HASHES: dict[tuple[int, ...], str] = {}
_MOST_HASHES = 100_000


def _content(fd: int, facts: os.stat_result) -> str:
    """The hash of a file's bytes; of the same version of a file it is made once."""
    key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    if known := _HASHES.get(key):
        return known
    found = _hash(fd)
    if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > SETTLED:
        if len(_HASHES) >= _MOST_HASHES:
            _HASHES.clear()
        _HASHES[key] = found
    return found


def _hash(fd: int) -> str:
    found = sha256()
    while data := os.read(fd, _STEP):
        found.update(data)
    return found.hexdigest()
