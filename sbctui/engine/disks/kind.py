"""Which file system a raw disk without partitions begins with."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.disks.ext4 import superblock

MAGICS = (
    ("xfs", 0, b"XFSB"),
    ("f2fs", 1024, b"\x10\x20\xf5\xf2"),
    ("btrfs", 65600, b"_BHRfS_M"),
)
"""Kind, where its mark stands, and the mark (linux/magic.h and each kind's own superblock)."""


def filesystem_kind(disk: Path) -> str:
    """As mount(8) calls it: ext2, ext3, ext4, xfs, f2fs, btrfs; empty for any other and for none.

    Raises OSError when the disk can't be read.
    """
    facts = superblock(disk)
    if facts is not None:
        return facts.kind
    with disk.open("rb") as file:
        for kind, at, magic in MAGICS:
            file.seek(at)
            if file.read(len(magic)) == magic:
                return kind
    return ""
