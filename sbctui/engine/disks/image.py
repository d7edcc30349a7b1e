"""OS images as people download them: which partition is the root, which holds the boot files."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sbctui.engine import commands
from sbctui.engine.disks.ext4 import Superblock, superblock
from sbctui.engine.disks.kind import MAGICS, filesystem_kind
from sbctui.engine.disks.packed import Read, packer, unpacked, unpacked_size
from sbctui.engine.disks.partitions import HEAD, Partition, partitions
from sbctui.engine.disks.port import Report
from sbctui.engine.disks.sink import BLOCK, Sink
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.requests import Extent, Layout, Source

_PEEK = 128 * 1024
"""Bytes of a file system in which every kind we name shows itself (btrfs: at 64 KiB)."""
_NEAR = 64 * 1024**2
"""How far a compressed image is unpacked to look at its root file system before the plan."""
_TAR = (257, b"ustar")
_DISKS = ((b"\x55\xaa", 510), (b"\x53\xef", 0x438), (b"EFI PART", 512))
_BARE = (*((magic, at) for _, at, magic in MAGICS), (b"hsqs", 0), (b"LUKS\xba\xbe", 0))
"""What else fills a whole disk without a partition table: seen, to be refused by its name."""
_FOREIGN = ((b"QFI\xfb", 0), (b"KDMV", 0), (b"conectix", 0))
_KINDS = {
    "crypto_LUKS": "is encrypted (LUKS)",
    "LVM2_member": "is an LVM volume",
    "linux_raid_member": "is part of a RAID",
    "": "holds no file system that is known",
}


def is_image(path: Path) -> bool:
    """Whether a file, perhaps compressed, is a disk image. Raises BadInput for other formats."""
    with unpacked(path) as read:
        start = read(2048)
        if start.startswith(_TAR[1], _TAR[0]):
            return False
        if any(start.startswith(magic, at) for magic, at in _FOREIGN):
            raise BadInput(
                f"{shown(path.name)} is a virtual machine's disk; turn it into a plain one with: "
                "qemu-img convert -O raw FILE IMAGE.img"
            )
        if any(start.startswith(magic, at) for magic, at in _DISKS):
            return True
        start += read(_PEEK - len(start))
    return any(start.startswith(magic, at) for magic, at in _BARE)


def inspect_image(path: Path) -> Source:
    """Look at a disk image without unpacking all of it.

    Raises BadInput with the reason when no root can be made of it, ToolMissing.
    """
    whole = unpacked_size(path)
    with TemporaryDirectory(prefix="sbctui-") as folder, unpacked(path) as read:
        head = Path(folder, "head")
        start = read(HEAD)
        head.write_bytes(start)
        found = partitions(head, path.name)
        if found:
            root, boot = _root(found, path.name), _boot(found)
            kind = _filesystem(path, root, read, len(start), Path(folder))
        else:
            head.write_bytes(start[:_PEEK])
            bare = require_ext(head, f"{shown(path.name)} has no partition table and")
            root, boot, kind = Extent(start=0, size=bare.size), None, bare.kind
    _whole_enough(path, whole, root, boot)
    layout = Layout(root=root, boot=boot, filesystem=kind, packed=packer(path))
    return Source(path=str(path), kind="image", bytes=root.size, layout=layout)


def require_ext(disk: Path, what: str) -> Superblock:
    """The ext file system that a file begins with. Raises BadInput, saying what it is instead."""
    found = superblock(disk)
    if found is not None:
        return found
    done = commands.run(["blkid", "-p", "-o", "value", "-s", "TYPE", disk], ok=range(256))
    kind = done.stdout.strip() or filesystem_kind(disk)
    if kind in _KINDS:
        says = f"{_KINDS[kind]}; a root wants ext4, as in the images of most boards"
    else:
        says = f"holds {kind}; a root wants ext4: mount it and give that folder instead"
    raise BadInput(f"{what} {says}")


def _root(found: Sequence[Partition], name: str) -> Extent:
    """The largest Linux partition. Raises BadInput when there is none."""
    linux = [p for p in found if p.use == "linux"]
    if linux:
        largest = max(linux, key=lambda p: p.size)
        return Extent(start=largest.start, size=largest.size)
    uses = {p.use for p in found}
    for use, says in (
        ("lvm", "has its root on LVM"),
        ("raid", "has its root on a RAID"),
        ("extended", "has only logical partitions"),
    ):
        if use in uses:
            raise BadInput(f"{shown(name)} {says}; give an image with one plain ext4 partition")
    raise BadInput(f"{shown(name)} has no Linux partition; give an image of a Linux system")


def _boot(found: Sequence[Partition]) -> Extent | None:
    first = next((p for p in found if p.use == "fat"), None)
    return Extent(start=first.start, size=first.size) if first else None


def _filesystem(path: Path, root: Extent, read: Read, position: int, folder: Path) -> str:
    """The root's file system where that can be seen cheaply; else empty. Raises BadInput."""
    peek = folder / "peek"
    if not packer(path):
        with open(path, "rb") as file:
            file.seek(root.start)
            peek.write_bytes(file.read(_PEEK))
    elif root.start <= _NEAR:
        kept = b""
        while position < root.start + _PEEK and (data := read(HEAD)):
            kept = (kept + data)[-2 * HEAD :]
            position += len(data)
        peek.write_bytes(kept[len(kept) - (position - root.start) :][:_PEEK])
    else:
        return ""
    os.truncate(peek, root.size)  # what holds a size of its own is believed only in one as large
    return require_ext(peek, f"the root partition of {shown(path.name)}").kind


def _whole_enough(path: Path, whole: int, root: Extent, boot: Extent | None) -> None:
    last = max(root.end, boot.end if boot else 0)
    if whole and whole < last:
        raise BadInput(
            f"{shown(path.name)} is cut off: its partitions end at byte {last} and it has "
            f"{whole}; get the file again"
        )


def split(
    source: Source,
    root: int,
    boot: int | None,
    *,
    stop: threading.Event,
    log: commands.Log | None,
    far: Report,
) -> None:
    """Unpack an image once: its root partition into the file ``root``, its FAT into ``boot``.

    Open descriptors of empty files; zeros become holes. Raises BadInput when the image is
    damaged, cut off, or its root is no ext file system; Cancelled, OSError.
    """
    assert source.layout is not None
    layout, path = source.layout, Path(source.path)
    sinks = [Sink(root, layout.root)]
    if boot is not None and layout.boot is not None:
        sinks.append(Sink(boot, layout.boot))
    at, judged = 0, False
    with unpacked(path, stop=stop, log=log, far=far) as read:
        # Steps that end where the root's own blocks end: no hole is cut in two.
        while data := read(HEAD if at else HEAD + layout.root.start % BLOCK):
            for sink in sinks:
                sink.take(at, data)
            at += len(data)
            if not judged and at >= layout.root.start + _PEEK:
                judged = True
                require_ext(
                    Path(f"/proc/{os.getpid()}/fd/{root}"), f"the root of {shown(path.name)}"
                )
    last = max(sink.extent.end for sink in sinks)
    if at < last:
        raise BadInput(
            f"{shown(path.name)} is cut off: its partitions end at byte {last} and it has "
            f"{at}; get the file again"
        )
