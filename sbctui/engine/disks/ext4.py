"""What the superblock of an ext2, ext3 or ext4 file system says; read, never written, here."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_OFFSET, _LENGTH = 1024, 1024
_MAGIC = 0xEF53
_CLEAN = 1
_NEEDS_RECOVERY = 0x4
_EXTENTS = 0x40
_HAS_JOURNAL = 0x4
_CHECKSUM_SEED = 0x2000


@dataclass(frozen=True, slots=True)
class Superblock:
    """One file system's own account of itself; sizes in bytes.

    ``dirty`` = it was not unmounted: its journal must be replayed before anything else writes.
    ``seeded`` = its UUID can change without rewriting every checksum.
    """

    kind: str
    size: int
    block_size: int
    free: int
    free_inodes: int
    dirty: bool
    seeded: bool


def superblock(path: Path) -> Superblock | None:
    """The superblock of a raw disk without partitions, or None when there is no ext file system.

    Raises OSError when the file can't be read.
    """
    with open(path, "rb") as file:
        file.seek(_OFFSET)
        block = file.read(_LENGTH)
    if len(block) < _LENGTH or struct.unpack_from("<H", block, 0x38)[0] != _MAGIC:
        return None
    inodes, blocks, _, free, free_inodes, _, log_size = struct.unpack_from("<7I", block, 0)
    state = struct.unpack_from("<H", block, 0x3A)[0]
    compatible, incompatible = struct.unpack_from("<2I", block, 0x5C)
    if not inodes or log_size > 6:
        return None
    if incompatible & 0x80:
        blocks |= struct.unpack_from("<I", block, 0x150)[0] << 32
        free |= struct.unpack_from("<I", block, 0x158)[0] << 32
    block_size = 1024 << log_size
    return Superblock(
        kind=_kind(compatible, incompatible),
        size=blocks * block_size,
        block_size=block_size,
        free=free * block_size,
        free_inodes=free_inodes,
        dirty=bool(incompatible & _NEEDS_RECOVERY) or not state & _CLEAN,
        seeded=bool(incompatible & _CHECKSUM_SEED),
    )


def _kind(compatible: int, incompatible: int) -> str:
    if incompatible & _EXTENTS:
        return "ext4"
    return "ext3" if compatible & _HAS_JOURNAL else "ext2"
