"""Reads overlays out of a site's ``repo/``; nothing there is followed, run or trusted.

Folders are opened one below the other and never through a link, so what is read lies where it
seems to, whoever plants links meanwhile.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from sbctui.engine.errors import Refused, SbcError, from_os
from sbctui.engine.files import write_all
from sbctui.engine.model.overlay import (
    FOLDERS,
    RECORD,
    Item,
    Layer,
    Place,
    Record,
)
from sbctui.engine.model.text import clean
from sbctui.engine.repository.overlay_items import SETTLED, hiding, opened_below, table_in, walk

_REPOSITORY = "repo"
"""The folder of the site's own repository, in which overlays lie."""
_LARGEST_RECORD = 8 * 1024**2
_STEP = 1024**2
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def places(site: Path) -> frozenset[Place]:
    """Every overlay's folder that there is. What can't be listed has none."""
    return places_in(site / _REPOSITORY)


def places_in(repository: Path) -> frozenset[Place]:
    """The same of any repository, by its folder; as they would be in the site."""
    found = set()
    for level, folder in FOLDERS.items():
        top = f"{repository}/{folder.removeprefix(f'{_REPOSITORY}/')}"
        for owner in _folders(top):
            images = _folders(f"{top}/{owner}")
            found |= {Place(level, owner, image) for image in images}
    return frozenset(found)


def closed(site: Path, owners: Iterable[str]) -> str:
    """Why what is laid for one of these groups and boards (``repo/groups/lab``) can't be known:
    its folder is there and may not be listed. Empty for none.
    """
    for path in (one for owner in owners for one in (os.path.dirname(owner), owner)):
        full = site / path
        with suppress(OSError):
            if stat.S_ISDIR(full.lstat().st_mode) and not os.access(full, os.R_OK | os.X_OK):
                return f"the folder {clean(path)} may not be read; give it to the site's owner"
    return ""


def half_changed(site: Path) -> list[Path]:
    """Folders in which an overlay was being changed."""
    found: list[Path] = []
    for folder in FOLDERS.values():
        for owner in _folders(f"{site}/{folder}"):
            found += (site / folder / owner).glob(".*.tmp")
    return found


STOWED = "overlay"
"""The folder, inside a deleted node's, of the overlays that went to the trash with it."""


def stowed(folder: str, name: str) -> tuple[str, ...]:
    """Overlays that went to the trash with the node ``name``: their places in the site.

    Of a board its whole folder, of a root one for each group and board.
    """
    inside = f"{folder}/{STOWED}"
    found = []
    for kept in FOLDERS.values():
        for owner in _folders(f"{inside}/{kept}"):
            images = _folders(f"{inside}/{kept}/{owner}")
            whole = f"{kept}/{owner}"
            own = kept == FOLDERS["board"] and owner == name
            found += [whole] if own else [f"{whole}/{image}" for image in images]
    return tuple(sorted(found))


def owners(site: Path) -> frozenset[str]:
    """Every group and board that has a folder, also an empty one: relative to the site."""
    return frozenset(
        f"{folder}/{owner}" for folder in FOLDERS.values() for owner in _folders(f"{site}/{folder}")
    )


_LISTS: dict[str, tuple[int, list[str]]] = {}


def _folders(path: str) -> list[str]:
    """Names of the folders in a folder; listed again only when something in it came or went."""
    try:
        changed = os.stat(path).st_mtime_ns
        if (known := _LISTS.get(path)) and known[0] == changed:
            return known[1]
        with os.scandir(path) as entries:
            found = [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]
    except OSError:
        return []
    if time.time_ns() - changed > SETTLED:
        _LISTS[path] = (changed, found)
    return found


def folder_of(place: Place, repository: Path) -> Path:
    """An overlay's folder in a repository that is not the site's own."""
    return repository / place.path.removeprefix(f"{_REPOSITORY}/")


def layer(site: Path, place: Place, repository: Path | None = None) -> Layer:
    """All that an overlay's folder holds, every file read for its hash.

    With ``repository`` it is one of that and not of the site's own, and what its files have of
    extended attributes is somebody else's word.

    Raises Refused for what can't be laid over an image, BadInput for a table that can't be
    used, SbcError when it can't be read.
    """
    own = repository is None
    with _reading(place), _opened(*_where(site, place, repository)) as folder:
        table = table_in(folder, place)
        items = {item.path: item for item in walk(folder, "", table, place, own=own)}
    for path, row in table.items():
        if row.remove:
            items[path] = hiding(path, items.get(path), place)
    return Layer(place, tuple(items[path] for path in sorted(items)))


def _where(site: Path, place: Place, repository: Path | None) -> tuple[Path, str]:
    if repository is None:
        return site, place.path
    return repository, place.path.removeprefix(f"{_REPOSITORY}/")


@contextmanager
def _reading(place: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise from_os(error, f"reading {clean(place.path)}") from error


@contextmanager
def _opened(site: Path, path: str) -> Iterator[int]:
    """A folder below the site, reached without following a link. Raises OSError."""
    top = os.open(site, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with opened_below(top, path) as folder:
            yield folder
    finally:
        os.close(top)


def read(
    site: Path, place: Place, item: Item, most: int = -1, repository: Path | None = None
) -> bytes:
    """A file's bytes, which are still those that the item says. Raises Refused, SbcError."""
    with _reading(place), _file(site, place, item, repository) as fd:
        data = b"".join(iter(lambda: os.read(fd, _STEP), b"")) if most < 0 else os.read(fd, most)
    if sha256(data).hexdigest() != item.content:
        raise _changed(place, item)
    return data


def copy(site: Path, place: Place, item: Item, target: Path) -> None:
    """Copy a file to a new one and see that it is what the item says. Raises Refused, SbcError."""
    found = sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _reading(place), _file(site, place, item) as fd:
        made = os.open(target, flags, 0o600)
        try:
            while data := os.read(fd, _STEP):
                found.update(data)
                write_all(made, data)
        finally:
            os.close(made)
    if found.hexdigest() != item.content:
        raise _changed(place, item)


@contextmanager
def _file(site: Path, place: Place, item: Item, repository: Path | None = None) -> Iterator[int]:
    top, path = _where(site, place, repository)
    folder, _, name = f"{path}/{item.path}".rpartition("/")
    with _opened(top, folder) as above:
        fd = os.open(name, _READ, dir_fd=above)
        try:
            yield fd
        finally:
            os.close(fd)


def _changed(place: Place, item: Item) -> Refused:
    return Refused(f"{place.path}/{item.path} was changed meanwhile; nothing was done, try again")


def read_record(node: Path) -> Record:
    """What was laid over a leaf's disk; empty when nothing was. Raises SbcError."""
    path = node / RECORD
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        return Record()
    except OSError as error:
        raise from_os(error, f"reading {path.parent.name}/{RECORD}") from error
    try:
        return _record(os.read(fd, _LARGEST_RECORD))
    except (OSError, ValueError) as error:
        raise SbcError(
            f"{path.parent.name}/{RECORD} can't be read: {clean(str(error).splitlines()[0])}; "
            "remove it, and lay the files anew with: sbctui overlay apply"
        ) from None
    finally:
        os.close(fd)


@lru_cache(maxsize=2048)
def _record(data: bytes) -> Record:
    return Record.model_validate_json(data)
