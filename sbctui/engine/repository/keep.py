"""The files of a cache: where they are, the lock of an image, its former version, making room."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from sbctui.engine.errors import Locked, NoSpace, NoSuchNode
from sbctui.engine.files import (
    Owner,
    flocked,
    fsync_dir,
    hit,
    is_held,
    make_dir,
    swap,
    write_atomic,
    write_new,
)
from sbctui.engine.model.amounts import size
from sbctui.engine.model.repository import ATTACHED, IMAGES, LET_DROP, SIDE_FILES, is_image
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks
from sbctui.engine.repository.chunks import Chunks, Report
from sbctui.engine.repository.tree import PREVIOUS

PART, OLDER, LOCK = ".part", ".older", ".lock"
CONTROL = ".aria2"
"""Behind the name of a part that came by torrent: which pieces are there."""


def hidden(image: Path, ending: str) -> Path:
    """A file of ours beside an image, which nobody takes for one."""
    return image.with_name(f".{image.name}{ending}")


def make_folders(root: Path, folder: str, owner: Owner) -> None:
    """The folders down to ``folder`` below ``root``, those that are missing. Raises OSError."""
    place = root
    for part in folder.split("/"):
        place = place / part
        if not place.is_dir():
            make_dir(place, owner=owner)


@contextmanager
def locked(image: Path, owner: Owner = None) -> Iterator[None]:
    """Hold the lock of an image, which also marks it as used now. Raises Locked."""
    lock = hidden(image, LOCK)
    if not lock.exists():
        with suppress(FileExistsError):
            write_new(lock, b"", owner=owner)
    try:
        with flocked(lock, blocking=False):
            os.utime(lock)
            yield
    except BlockingIOError:
        raise Locked(f"the image {clean(image.name)} is being worked on; try again later") from None


def sweep(image: Path) -> None:
    """Drop what killed writers left of an image's files; for who holds its lock. Raises OSError."""
    ours = [image.name, *(hidden(image, ending).name for ending in (PART, PREVIOUS, OLDER))]
    endings = "|".join(re.escape(ending) for ending in ("", *SIDE_FILES, *ATTACHED))
    names = "|".join(re.escape(name) for name in ours)
    temporary = re.compile(rf"\.(?:{names})(?:{endings})\.[0-9a-f]{{8}}\.tmp(?:\.old)?")
    for name in os.listdir(image.parent):
        if temporary.fullmatch(name):
            (image.parent / name).unlink()


def commit(image: Path, part: Path, sides: Callable[[], None], *, backup: bool) -> None:
    """Put a whole new version in the place of the one that stands; that is kept or dropped.

    ``sides`` then puts its side files beside it. There is an image under its name at every
    moment, where the file system knows hard links.
    """
    hit("cache.commit")
    if image.exists() and backup:
        _keep(image, hidden(image, PREVIOUS))
    for ending in (*SIDE_FILES, *ATTACHED):
        image.with_name(image.name + ending).unlink(missing_ok=True)
    hit("cache.rename")
    part.replace(image)
    fsync_dir(image.parent)
    forget_parts(image)
    sides()


def forget_parts(image: Path) -> None:
    """Drop what was fetched of versions that don't stand."""
    for ending in (PART, OLDER):
        hidden(image, ending).unlink(missing_ok=True)
        chunks.beside(hidden(image, ending)).unlink(missing_ok=True)
    hidden(image, PART + CONTROL).unlink(missing_ok=True)


def _keep(image: Path, previous: Path) -> None:
    if previous.exists() and previous.samefile(image):
        return  # a run that was killed has kept it
    beside, kept = chunks.beside(image), chunks.beside(previous)
    kept.unlink(missing_ok=True)
    if beside.exists() and chunks.known(image):
        beside.replace(kept)
    between = hidden(image, f"{PREVIOUS}.new")
    between.unlink(missing_ok=True)
    try:
        os.link(image, between)
    except OSError:
        image.replace(previous)  # a file system without hard links
        return
    between.replace(previous)


def write_sides(image: Path, of: Chunks, owner: Owner) -> None:
    """Hash and chunks beside an image; the chunks come last: with them it is up to date."""
    line = f"{of.sha256}  {image.name}\n".encode()
    write_atomic(image.with_name(image.name + ".sha256"), line, owner=owner)
    chunks.write(image, of, owner)


def restore(image: Path, owner: Owner, stop: threading.Event, report: Report) -> None:
    """Let the former version and the one that stands change places.

    It is read to the end before. Raises NoSuchNode, Cancelled, OSError.
    """
    previous = hidden(image, PREVIOUS)
    if not previous.exists():
        raise NoSuchNode(f"no former version of {clean(image.name)} was kept")
    of = chunks.compute(previous, stop, report)
    now = chunks.known(image)
    chunks.beside(image).unlink(missing_ok=True)
    if image.exists():
        swap(previous, image)
    else:
        previous.replace(image)
    chunks.beside(previous).unlink(missing_ok=True)
    for ending in (".torrent", ".mcast"):
        image.with_name(image.name + ending).unlink(missing_ok=True)
    if now:
        chunks.write(previous, now, owner)
    write_sides(image, of, owner)


def sha256_of(path: Path) -> str:
    """The hash of a whole file. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, order=True)
class _Droppable:
    rank: int
    used: float
    path: Path
    size: int


def make_room(root: Path, needs: int, image: Path, *, drop: bool, since: float) -> list[str]:
    """See to ``needs`` free bytes; what was dropped, relative to the root.

    With ``drop`` former versions go first, then what was left half-done, then the images that
    were used least recently; never what was used after ``since``, nor ``image``. Raises NoSpace
    before anything is dropped when that is not enough.
    """
    missing = needs - free_bytes(root)
    if missing <= 0:
        return []
    found = sorted(_droppable(root, image, since)) if drop else []
    if sum(one.size for one in found) < missing:
        tried = ", even without all that it may drop; make room"
        raise NoSpace(
            f"the cache {root} lacks {size(missing)} for {clean(image.name)}"
            f"{tried if drop else LET_DROP}"
        )
    dropped = []
    for one in found:
        if missing > 0:
            _drop(one.path)
            missing -= one.size
            dropped.append(str(one.path.relative_to(root)))
    return dropped


def room_for(image: Path, root: Path, size: int, *, drop: bool, since: float) -> list[str]:
    """``make_room`` for a new version of ``size`` bytes; what has come of it is no more needed.

    What was dropped, clean to be shown.
    """
    part = hidden(image, PART)
    here = part.stat().st_blocks * 512 if part.exists() else 0
    return [clean(path) for path in make_room(root, size - here, image, drop=drop, since=since)]


def free_bytes(root: Path) -> int:
    """Free bytes for an ordinary user."""
    space = os.statvfs(root)
    return space.f_bavail * space.f_frsize


def _droppable(root: Path, image: Path, since: float) -> Iterator[_Droppable]:
    for folder, _, names in os.walk(root / IMAGES):
        for name in names:
            path = Path(folder, name)
            of, rank = _of(path)
            if of is None or of == image or is_held(hidden(of, LOCK)):
                continue
            used = _used(of)
            if rank < 2 or used < since:
                yield _Droppable(rank, used, path, path.lstat().st_blocks * 512)


def _of(path: Path) -> tuple[Path | None, int]:
    """The image that a file is a version of, and how soon it may go; None for side files."""
    if not path.name.startswith("."):
        return (path, 2) if is_image(path.name) else (None, 0)
    for rank, ending in enumerate((PREVIOUS, PART)):
        if path.name.endswith(ending):
            return path.with_name(path.name[1:].removesuffix(ending)), rank
    return None, 0


def _used(image: Path) -> float:
    with suppress(OSError):
        return hidden(image, LOCK).stat().st_mtime
    return image.stat().st_mtime if image.exists() else 0.0


def _drop(path: Path) -> None:
    hit("cache.drop")
    path.unlink()
    for ending in (chunks.ENDING, CONTROL):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if not path.name.startswith("."):
        for ending in (*SIDE_FILES, *ATTACHED):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        hidden(path, LOCK).unlink(missing_ok=True)
