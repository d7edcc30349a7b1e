"""Boot files: taken out of a root file system's /boot, and shared between nodes."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sbctui.engine.boot.detect import lacks_trees
from sbctui.engine.boot.imagefiles import is_ours
from sbctui.engine.boot.loaders import LOADERS
from sbctui.engine.boot.pi import CMDLINE, CONFIG, KEPT
from sbctui.engine.boot.render import RENDERED
from sbctui.engine.disks.sparse import copy_data
from sbctui.engine.disks.target import new_disk
from sbctui.engine.files import Owner, hit, make_dir
from sbctui.engine.model.text import clean

_KEPT = (CONFIG, CMDLINE)
_SKIPPED = (*(name for name in RENDERED if name not in _KEPT), "grub", "lost+found")
_FIRMWARE = "firmware"
_PLACES = (f"boot/{_FIRMWARE}", "boot")
TREES = "usr/lib/linux-image-"
"""Where Debian's kernels keep their device trees, before the version."""
_HOPS, _DEPTH = 40, 8
_MODE = 0o644


def copy_boot(tree: Path, target: Path, *, owner: Owner, stop: threading.Event) -> None:
    """Copy the regular files below ``tree``/boot into the existing folder ``target``.

    Links are followed inside ``tree`` only; two names of one file stay one file. What sbctui
    renders itself, and names that no terminal could show, are left out; a Raspberry Pi's two
    texts are kept aside. What is mounted at ``boot/firmware`` comes first and to the top, where
    its firmware looks for it. Device trees that a distribution has beside its modules, and not in
    /boot, go to ``dtbs``. Raises NoSpace, Cancelled, OSError.
    """
    taken = _Taken(target, owner, stop)
    for place in _PLACES:
        start = resolve_inside(tree, PurePosixPath(place))
        if start is not None and start.is_dir():
            for source, name in _files(tree, start, PurePosixPath(), 0):
                if name.parts[0] != _FIRMWARE or place != "boot":
                    taken.take(source, name)
    _device_trees(tree, taken)


class _Taken:
    """What was copied so far."""

    def __init__(self, target: Path, owner: Owner, stop: threading.Event) -> None:
        self.target = target
        self._owner = owner
        self._stop = stop
        self._copied: dict[tuple[int, int], Path] = {}

    def take(self, source: Path, name: PurePosixPath) -> None:
        """Copy one file, or link it where it was copied before; the first of a name stays."""
        kept = name.with_name(name.name + KEPT) if str(name) in _KEPT else name
        path = self.target / kept
        if os.path.lexists(path):
            return
        _make_parents(self.target, path.parent, self._owner)
        facts = source.stat(follow_symlinks=False)
        known = self._copied.get((facts.st_dev, facts.st_ino))
        if known is not None:
            hit("boot.link")
            os.link(known, path)
        else:
            _copy(source, path, owner=self._owner, stop=self._stop)
            self._copied[facts.st_dev, facts.st_ino] = path


def _device_trees(tree: Path, taken: _Taken) -> None:
    """Those of the kernel that will be booted, where Debian keeps them: /usr/lib/linux-image-*."""
    version = lacks_trees(taken.target)
    start = resolve_inside(tree, PurePosixPath(TREES + version)) if version else None
    if start is not None and start.is_dir():
        for source, name in _files(tree, start, PurePosixPath(), 0):
            if name.suffix in (".dtb", ".dtbo"):
                taken.take(source, PurePosixPath("dtbs", version, name))


def link_boot(source: Path, target: Path, *, owner: Owner, stop: threading.Event) -> None:
    """Give ``target`` the boot files of another node by hard links, but for the rendered ones.

    An image's own texts for a Raspberry Pi are linked under the names they are kept by.
    Falls back to a copy where the file system allows no further link. Raises NoSpace, OSError.
    """
    made = ""
    for file, name in boot_files(source):
        folder = name.rpartition("/")[0]
        if folder != made:
            _make_parents(target, target / folder, owner)
            made = folder
        _link_or_copy(file, f"{target}/{name}", owner=owner, stop=stop)


def boot_files(source: Path) -> Iterator[tuple[str, str]]:
    """A node's boot files but for the rendered ones, and the names under which copies keep them.

    In an order that is always the same. Links that sbctui makes, to the folder itself and to a
    PC's boot programs, are no files.
    """
    top = os.fspath(source)
    for folder, folders, names in os.walk(top):
        folders.sort()
        inside = folder[len(top) + 1 :]
        if not inside:
            folders[:] = [name for name in folders if name not in RENDERED]
            own = () if (source / f"{CONFIG}{KEPT}").exists() or is_ours(source) else _KEPT
            names = [name for name in names if name not in RENDERED or name in own]
            names = [name for name in names if not _to_loader(f"{folder}/{name}", name)]
        for name in sorted(names):
            kept = name + KEPT if not inside and name in _KEPT else name
            yield f"{folder}/{name}", f"{inside}/{kept}" if inside else kept


def _to_loader(path: str, name: str) -> bool:
    return name in LOADERS and os.path.islink(path)


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


def _link_or_copy(source: str, path: str, *, owner: Owner, stop: threading.Event) -> None:
    hit("boot.link")
    try:
        os.link(source, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EPERM, errno.EXDEV):
            raise
        _copy(Path(source), Path(path), owner=owner, stop=stop)


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
