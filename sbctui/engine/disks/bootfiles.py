"""Boot files: taken out of a root file system's /boot, and shared between nodes."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sbctui.engine.boot.render import RENDERED
from sbctui.engine.disks.sparse import copy_data
from sbctui.engine.disks.target import new_disk
from sbctui.engine.files import Owner, fsync_dir, hit, make_dir
from sbctui.engine.model.text import clean

_SKIPPED = (*RENDERED, "grub", "lost+found")
_HOPS, _DEPTH = 40, 8
_MODE = 0o644


def copy_boot(tree: Path, target: Path, *, owner: Owner, stop: threading.Event) -> None:
    """Copy the regular files below ``tree``/boot into the existing folder ``target``.

    Links are followed inside ``tree`` only; two names of one file stay one file. What sbctui
    renders itself, and names that no terminal could show, are left out. Raises NoSpace,
    Cancelled, OSError.
    """
    start = resolve_inside(tree, PurePosixPath("boot"))
    if start is not None and start.is_dir():
        copied: dict[tuple[int, int], Path] = {}
        for source, name in _files(tree, start, PurePosixPath(), 0):
            path = target / name
            _make_parents(target, path.parent, owner)
            facts = source.stat(follow_symlinks=False)
            known = copied.get((facts.st_dev, facts.st_ino))
            if known is not None:
                hit("boot.link")
                os.link(known, path)
            else:
                _copy(source, path, owner=owner, stop=stop)
                copied[facts.st_dev, facts.st_ino] = path


def link_boot(source: Path, target: Path, *, owner: Owner, stop: threading.Event) -> None:
    """Give ``target`` the boot files of another node by hard links, but for the rendered ones.

    Falls back to a copy where the file system allows no further link. Raises NoSpace, OSError.
    """
    if not source.is_dir():
        return
    for folder, folders, names in os.walk(source):
        inside = Path(folder).relative_to(source)
        if not inside.parts:
            folders[:] = [name for name in folders if name not in RENDERED]
            names = [name for name in names if name not in RENDERED]
        for name in names:
            path = target / inside / name
            _make_parents(target, path.parent, owner)
            _link_or_copy(Path(folder, name), path, owner=owner, stop=stop)


def resolve_inside(tree: Path, path: PurePosixPath) -> Path | None:
    """Where ``path`` leads if ``tree`` were ``/``; None when that is nowhere."""
    todo = [part for part in reversed(path.parts) if part != "/"]
    here: list[str] = []
    hops = 0
    while todo:
        part = todo.pop()
        if part in ("..", "."):
            here = here[:-1] if part == ".." else here
            continue
        try:
            mode = (tree.joinpath(*here) / part).lstat().st_mode
            if stat.S_ISLNK(mode):
                link = PurePosixPath(os.readlink(tree.joinpath(*here) / part))
        except OSError:
            return None
        if not stat.S_ISLNK(mode):
            here.append(part)
            continue
        hops += 1
        if hops > _HOPS:
            return None
        here = [] if link.is_absolute() else here
        todo.extend(part for part in reversed(link.parts) if part != "/")
    return tree.joinpath(*here)


def _files(
    tree: Path, folder: Path, name: PurePosixPath, depth: int
) -> Iterator[tuple[Path, PurePosixPath]]:
    """The regular files below a folder of the tree, and the names they are reached by."""
    with os.scandir(folder) as entries:
        found = sorted(entry.name for entry in entries)
    for entry in found:
        if clean(entry) != entry or (not name.parts and entry in _SKIPPED):
            continue
        real = resolve_inside(tree, PurePosixPath(folder.relative_to(tree).as_posix(), entry))
        if real is None:
            continue
        mode = real.lstat().st_mode
        if stat.S_ISREG(mode):
            yield real, name / entry
        elif stat.S_ISDIR(mode) and depth < _DEPTH and not folder.is_relative_to(real):
            yield from _files(tree, real, name / entry, depth + 1)


def _make_parents(top: Path, folder: Path, owner: Owner) -> None:
    if folder != top and not folder.exists():
        _make_parents(top, folder.parent, owner)
        make_dir(folder, owner=owner)
        fsync_dir(folder.parent)


def _link_or_copy(source: Path, path: Path, *, owner: Owner, stop: threading.Event) -> None:
    hit("boot.link")
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EPERM, errno.EXDEV):
            raise
        _copy(source, path, owner=owner, stop=stop)


def _copy(source: Path, path: Path, *, owner: Owner, stop: threading.Event) -> None:
    given = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        with new_disk(path, stop) as made:
            hit("boot.copy")
            copy_data(given, made, stop=stop, report=lambda done, total: None)
            os.fchmod(made, _MODE)
            if owner is not None:
                os.fchown(made, *owner)
    finally:
        os.close(given)
