"""The disk kinds beside what a person would type instead, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. Both sides of a ratio end with the same
promise: the copy is flushed to the disk. They take turns, and each one's fastest run counts.
The file systems are loop mounts, in memory where there is room for them, so that the machine's
own disk does not decide.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine.disks import fuse
from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.personalise import personalise
from sbctui.engine.disks.stores import store_for
from sbctui.engine.model.node import DISK_FILES, StoreKind
from tests import rootfs
from tests.disks.place import mounted

MIB, GIB = 1024**2, 1024**3
APPARENT, DATA, EXTENTS = 8 * GIB, 640 * MIB, 2000
RUNS = 7
REFLINK_LIMIT, COPY_LIMIT, OVERLAY_SECONDS = 3.0, 1.2, 0.1
WHAT = ("hostname", "machine_id", "ssh_host_key")
LEAVES = 20
NEVER = threading.Event()
_fresh = itertools.count()


def silent(done: int, total: int) -> None:
    """A report that nobody reads."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory, or on the disk where memory is short."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * DATA
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as folder:
        yield Path(folder)


def worn(path: Path) -> Path:
    """A disk as a board leaves it: data in many places, most of it empty."""
    dice = random.Random(7)
    length = DATA // EXTENTS // 4096 * 4096
    page = dice.randbytes(length)
    with open(path, "wb") as file:
        file.truncate(APPARENT)
        for place in range(EXTENTS):
            file.seek(place * (APPARENT // EXTENTS) // 4096 * 4096)
            file.write(page)
        os.fsync(file.fileno())
    return path


def typed(option: str, source: Path, target: Path) -> None:
    """What a person would type, flushed."""
    subprocess.run(["cp", option, source, target], check=True)
    fd = os.open(target, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def ours(kind: StoreKind, source: Path, target: Path) -> None:
    store_for(kind).clone(source, target, stop=NEVER, report=silent)


def fastest(source: Path, name: str, *acts: Callable[[Path, Path], None]) -> list[float]:
    """Seconds of each act's fastest run; they take turns."""
    best = [float("inf")] * len(acts)
    for _ in range(RUNS):
        for index, act in enumerate(acts):
            folder = source.parent / f"leaf-{next(_fresh)}"
            folder.mkdir()
            began = time.perf_counter()
            act(source, folder / name)
            best[index] = min(best[index], time.perf_counter() - began)
            shutil.rmtree(folder)
    return best


class Table:
    """Lines as they come, and whether one broke its limit."""

    def __init__(self) -> None:
        self.broken = False
        print(f"{'disks':44} {'ours s':>9} {'theirs s':>9} {'ratio':>7}  limit")

    def ratio(self, what: str, mine: float, theirs: float, limit: float) -> None:
        held = mine <= limit * theirs
        self._line(what, f"{mine:9.4f} {theirs:9.4f} {mine / theirs:7.2f}", f"× {limit:g}", held)

    def seconds(self, what: str, mine: float, limit: float = 0.0) -> None:
        shown = f"{mine:9.4f} {'':9} {'':7}"
        self._line(what, shown, f"{limit:g} s" if limit else "", not limit or mine <= limit)

    def _line(self, what: str, figures: str, limit: str, held: bool) -> None:
        self.broken |= not held
        verdict = ("holds" if held else "BROKEN") if limit else ""
        print(f"{what:44} {figures}  {limit} {verdict}".rstrip(), flush=True)


def reflinks(table: Table, folder: Path) -> None:
    for filesystem in ("btrfs", "xfs"):
        with mounted(filesystem, 2 * GIB, folder) as point:
            mine, theirs = fastest(
                worn(point / "root.img"),
                "root.img",
                lambda source, target: ours("reflink", source, target),
                lambda source, target: typed("--reflink=always", source, target),
            )
            table.ratio(f"clone on {filesystem} / cp --reflink=always", mine, theirs, REFLINK_LIMIT)


def copies(table: Table, folder: Path) -> None:
    with mounted("ext4", 3 * GIB, folder) as point:
        source = worn(point / "root.img")
        first = time.perf_counter()
        ours("overlay", source, point / "first.qcow2")
        table.seconds("first overlay on ext4", time.perf_counter() - first, OVERLAY_SECONDS)
        (next_one,) = fastest(source, "root.qcow2", lambda s, t: ours("overlay", s, t))
        table.seconds("every further overlay", next_one, OVERLAY_SECONDS)
        mine, theirs = fastest(
            source,
            "root.img",
            lambda source, target: ours("copy", source, target),
            lambda source, target: typed("--sparse=auto", source, target),
        )
        table.ratio("sparse copy on ext4 / cp --sparse=auto", mine, theirs, COPY_LIMIT)
        with open(point / "large.img", "wb") as file:
            file.truncate(8 * 1024 * GIB)
        (large,) = fastest(point / "large.img", "root.qcow2", lambda s, t: ours("overlay", s, t))
        table.seconds("overlay on a disk of 8 TiB", large, OVERLAY_SECONDS)


def personalising(table: Table, folder: Path) -> None:
    with mounted("btrfs", 2 * GIB, folder) as point:
        (point / "boot").mkdir()
        tar = rootfs.awkward_tar(folder / "root.tar")
        root = point / "root.img"
        make_root(root, 2 * GIB, inspect_source(tar), stop=NEVER, report=silent)
        kinds: tuple[StoreKind, ...] = ("reflink", "overlay")
        for kind in kinds:
            if kind == "overlay" and (reason := fuse.unavailable()):
                print(f"personalising an overlay: {reason}")
                continue
            table.seconds(f"personalising one leaf, {kind}", one_leaf(kind, root))


def one_leaf(kind: StoreKind, root: Path) -> float:
    """Seconds per leaf for host name, machine-id and host key."""
    format = store_for(kind).format(leaf=True)
    disks = [root.parent / f"{kind}-{number}" / DISK_FILES[format] for number in range(LEAVES)]
    for disk in disks:
        disk.parent.mkdir()
        ours(kind, root, disk)
    began = time.perf_counter()
    for number, disk in enumerate(disks):
        personalise(disk, format, root, f"pi-{number}", WHAT, stop=NEVER)
    return (time.perf_counter() - began) / LEAVES


def main() -> int:
    if os.geteuid() != 0:
        print("disks: needs root for loop mounts; run: sudo ./run bench disks", file=sys.stderr)
        return 1
    table = Table()
    with scratch() as folder:
        reflinks(table, folder)
        copies(table, folder)
        personalising(table, folder)
    return int(table.broken)


if __name__ == "__main__":
    sys.exit(main())
