"""Making a root's disk: a sparse raw file with ext4, empty or filled from a tar or folder."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.bootfiles import copy_boot
from sbctui.engine.disks.fromimage import make_from_image
from sbctui.engine.disks.image import inspect_image, is_image
from sbctui.engine.disks.netroot import settle
from sbctui.engine.disks.port import Report
from sbctui.engine.disks.target import new_disk
from sbctui.engine.disks.tools import check, check_room
from sbctui.engine.disks.unpack import listing, unpack
from sbctui.engine.disks.watch import phase, watched
from sbctui.engine.errors import BadInput, NotPermitted, Refused, from_os
from sbctui.engine.files import Owner, hit, make_dir, remove_tree
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size as told
from sbctui.engine.model.requests import Source

_BLOCK = 4096
_BYTES_PER_INODE = 16384
_SPARE_INODES = 256
_FEATURES = "metadata_csum,metadata_csum_seed"
_TOO_SMALL = ("Could not allocate", "No free space", "not enough space", "Filesystem too small")


@dataclass(frozen=True, slots=True)
class Filling:
    """What goes into a new disk: a tree, and the words before a program that reads it."""

    tree: Path
    before: Sequence[str | Path] = ()
    lost: str = ""


def inspect_source(path: Path) -> Source:
    """What a root could be filled from: an OS image or a tar (also .gz, .xz, .zst), or a folder.

    Reads a tar's whole table of contents. Raises BadInput when it is none or not whole,
    NotPermitted, ToolMissing.
    """
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
        if stat.S_ISDIR(mode):
            return _inspect_folder(real)
        if not stat.S_ISREG(mode):
            raise BadInput(f"{shown(str(path))} is neither a file nor a folder; give a rootfs tar")
        if is_image(real):
            return inspect_image(real)
        listed = listing(real)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        raise BadInput(f"there is no {shown(str(path))}; give a rootfs tar or a folder") from None
    except OSError as error:
        raise from_os(error, f"reading {shown(str(path))}") from error
    if not listed.members:
        raise BadInput(f"{shown(path.name)} holds no files; give a rootfs tar or a folder")
    return Source(path=str(real), kind="tar", bytes=listed.bytes, inodes=listed.members)


def _inspect_folder(folder: Path) -> Source:
    def unreadable(error: OSError) -> None:
        raise error

    size = inodes = 0
    linked: set[tuple[int, int]] = set()
    for top, folders, names in os.walk(folder, onerror=unreadable):
        for name in (*folders, *names):
            facts = os.lstat(os.path.join(top, name))
            if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
                if (facts.st_dev, facts.st_ino) in linked:
                    continue
                linked.add((facts.st_dev, facts.st_ino))
            inodes += 1
            rounded = -(-facts.st_size // _BLOCK) * _BLOCK
            size += min(rounded, max(facts.st_blocks * 512, _BLOCK))
    if not inodes:
        raise BadInput(f"{shown(str(folder))} is empty; give a folder with a root file system")
    return Source(path=str(folder), kind="directory", bytes=size, inodes=inodes)


def make_root(
    disk: Path,
    size: int,
    source: Source | None,
    *,
    owner: Owner = None,
    stop: threading.Event,
    report: Report,
    log: commands.Log | None = None,
) -> str:
    """Make ``disk`` and fill ``boot/`` beside it; a sentence on what could not be kept.

    On any error the disk and the scratch files are gone; the caller drops ``boot/``. Raises
    NoSpace, Refused when the source does not fit, ToolFailed, ToolMissing, Cancelled.
    """
    if source is not None and source.kind == "image":
        make_from_image(disk, size, source, owner=owner, stop=stop, report=report, log=log)
        settle(disk, stop=stop, log=log)
        return ""
    with new_disk(disk, stop) as fd:
        hit("disk.size")
        os.ftruncate(fd, size)
        unpacked, written = _phases(source, report)
        with _filling(disk, source, stop=stop, report=unpacked, log=log) as filling:
            with _growing(fd, source, written):
                _format(disk, size, source, filling, stop=stop, log=log)
            if filling is not None:
                copy_boot(filling.tree, disk.parent / "boot", owner=owner, stop=stop)
        if source is None:
            report(size, size)
    if filling is None:
        return ""
    settle(disk, stop=stop, log=log)
    return filling.lost


def _phases(source: Source | None, report: Report) -> tuple[Report, Report]:
    """Reports for unpacking and for writing: one number of bytes goes up through both."""
    if source is None or source.kind == "directory":
        return report, report
    return phase(0, 2, source.bytes, report), phase(1, 2, source.bytes, report)


def _growing(fd: int, source: Source | None, report: Report) -> AbstractContextManager[None]:
    """Tell how much of the source mke2fs has written, by what the disk takes."""
    if source is None:
        return nullcontext()
    return watched(lambda: os.fstat(fd).st_blocks * 512, source.bytes, report)


@contextmanager
def _filling(
    disk: Path,
    source: Source | None,
    *,
    stop: threading.Event,
    report: Report,
    log: commands.Log | None,
) -> Iterator[Filling | None]:
    if source is None:
        yield None
        return
    path = Path(source.path)
    if source.kind == "directory":
        if disk.resolve().is_relative_to(path):
            raise Refused(f"{shown(source.path)} holds the site itself; give another folder")
        yield Filling(path, () if os.geteuid() == 0 else ("fakeroot", "--"))
        return
    scratch = disk.parent / ".unpack"
    make_dir(scratch, mode=0o700)
    try:
        make_dir(scratch / "tree", mode=0o755)
        before, lost = unpack(path, scratch / "tree", stop=stop, log=log, read=report)
        yield Filling(scratch / "tree", before, lost)
    finally:
        remove_tree(scratch)


def _format(
    disk: Path,
    size: int,
    source: Source | None,
    filling: Filling | None,
    *,
    stop: threading.Event,
    log: commands.Log | None,
) -> None:
    """The file system. Its tables and journal are holes of the new file: zero already."""
    wanted = (source.inodes * 5 // 4 if source else 0) + _SPARE_INODES
    inodes = str(max(size // _BYTES_PER_INODE, wanted))
    argv: list[str | Path] = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(_BLOCK)]
    argv += ["-N", inodes, "-O", _FEATURES, "-E", "lazy_itable_init=0,lazy_journal_init=1"]
    if filling is not None:
        argv = [*filling.before, *argv, "-d", filling.tree]
    hit("disk.format")
    done = commands.run([*argv, disk], ok=range(256), stop=stop, log=log)
    check_room(done, "making the file system")
    what = shown(source.path) if source else "an ext4 file system"
    if done.returncode != 0 and any(text in done.stderr for text in _TOO_SMALL):
        raise Refused(f"{what} does not fit into a disk of {told(size)}; give a larger --size")
    if "Permission denied" in done.stderr:
        raise NotPermitted(f"not every file of {what} can be read; run as root or with sudo")
    check(done, "making the file system")
