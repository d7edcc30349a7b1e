"""A root's disk and boot files out of an OS image, in one pass, without mounting anything."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sbctui.engine import commands
from sbctui.engine.boot.detect import lacks_trees
from sbctui.engine.disks.bootfiles import TREES, copy_boot
from sbctui.engine.disks.image import require_ext, split
from sbctui.engine.disks.port import Report
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.resize import resize
from sbctui.engine.disks.target import new_disk
from sbctui.engine.disks.tools import check_room, complaint
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import Owner, fsync_file, hit, make_dir, remove_tree
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size as told
from sbctui.engine.model.requests import Source


def make_from_image(
    disk: Path,
    size: int,
    source: Source,
    *,
    owner: Owner,
    stop: threading.Event,
    report: Report,
    log: commands.Log | None,
) -> None:
    """Make ``disk`` from the image's root, ``size`` bytes large, and fill ``boot/`` beside it.

    The file system is checked and grown to ``size``. Raises BadInput for a damaged image, Refused
    when its root is larger than ``size``, NoSpace, ToolFailed, ToolMissing, Cancelled; what was
    begun then has to be thrown away with the folder.
    """
    assert source.layout is not None
    if source.layout.root.size > size:
        raise Refused(
            f"the root of {shown(source.path)} has {told(source.layout.root.size)}, more than a "
            f"disk of {told(size)}; give a larger --size"
        )
    with _scratch(disk.parent / ".unpack") as scratch:
        fat = scratch / "fat"
        hit("disk.unpack")
        with new_disk(disk, stop) as root, open(fat, "xb", buffering=0) as boot:
            split(source, root, boot.fileno(), stop=stop, log=log, far=report)
        require_ext(disk, f"the root of {shown(source.path)}")
        repair(disk, stop=stop, log=log, everything=True)
        if size > source.layout.root.size:
            resize(disk, size, stop=stop, log=log)
        fsync_file(disk)
        tree = scratch / "tree"
        make_dir(tree)
        make_dir(tree / "boot")
        if source.layout.boot is not None:
            _from_fat(fat, tree / "boot", source.path, stop=stop, log=log)
        _from_root(disk, scratch, tree / "boot", stop=stop, log=log)
        _trees_from_root(disk, tree, stop=stop, log=log)
        copy_boot(tree, disk.parent / "boot", owner=owner, stop=stop)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    make_dir(folder, mode=0o700)
    try:
        yield folder
    finally:
        remove_tree(folder)


def _from_fat(
    fat: Path, target: Path, name: str, *, stop: threading.Event, log: commands.Log | None
) -> None:
    """The files of the boot partition: firmware, kernels, device trees."""
    done = commands.run(
        ["mcopy", "-s", "-n", "-m", "-i", fat, "::/", target],
        ok=range(256),
        env={"MTOOLS_SKIP_CHECK": "1"},
        stop=stop,
        log=log,
    )
    check_room(done, "unpacking the boot partition")
    if done.returncode != 0:
        raise BadInput(
            f"the boot partition of {shown(name)} can't be read: {complaint(done)}; "
            "get the image again"
        )


def _from_root(
    disk: Path, scratch: Path, target: Path, *, stop: threading.Event, log: commands.Log | None
) -> None:
    """What lies in the root's own /boot and not in the boot partition."""
    inside = scratch / "root"
    make_dir(inside)
    argv = ["debugfs", "-R", "rdump /boot .", str(disk)]
    done = commands.run(argv, ok=range(256), stop=stop, cwd=inside, log=log)
    check_room(done, "unpacking the boot folder")
    found = inside / "boot"
    if not found.is_dir() or found.is_symlink():
        return
    for entry in sorted(os.listdir(found)):
        if not os.path.lexists(target / entry):
            os.rename(found / entry, target / entry)


def _trees_from_root(
    disk: Path, tree: Path, *, stop: threading.Event, log: commands.Log | None
) -> None:
    """Device trees that lie beside the modules of the kernel in /boot, and not in /boot."""
    version = lacks_trees(tree / "boot")
    if not version:
        return
    parent = tree / PurePosixPath(TREES).parent
    make_dir(tree / "usr")
    make_dir(parent)
    argv = ["debugfs", "-R", f"rdump /{TREES}{version} .", str(disk)]
    done = commands.run(argv, ok=range(256), stop=stop, cwd=parent, log=log)
    check_room(done, "unpacking the device trees")
