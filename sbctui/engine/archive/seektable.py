"""The table at the end of a seekable zstd file: where its independent frames are.

Format: "Zstandard Seekable Format" 0.1.0, facebook/zstd contrib/seekable_format: the file ends
with a skippable frame (RFC 8878, 3.1.2) that holds for each frame its compressed and unpacked
length, and a footer of nine bytes. All numbers are little-endian.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = 0x184D2A5E
"""Of the skippable frame that holds the table."""
FOOTER = struct.Struct("<IBI")
"""How many frames, what each entry has, and the format's own magic."""
_SEEKABLE = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_CHECKSUM = 0x80
_RESERVED = 0x7C
_MOST = 0x8000000
"""Frames that a table may have by the format."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: its place and length in the file, and its length unpacked, in bytes."""

    offset: int
    size: int
    unpacked: int


def seek_table(sizes: array[int]) -> bytes:
    """The skippable frame with the sizes of all frames: packed, unpacked, packed, …"""
    entries = struct.pack(f"<{len(sizes)}I", *sizes)
    footer = FOOTER.pack(len(sizes) // 2, 0, _SEEKABLE)
    return _HEADER.pack(MAGIC, len(entries) + len(footer)) + entries + footer


def same_sizes(table: bytes, sizes: array[int]) -> bool:
    """Whether a table, without its frame's header, has these sizes and is whole."""
    entry, count = _footer(table[-FOOTER.size :])
    if entry is None or count != len(sizes) // 2 or len(table) != count * entry + FOOTER.size:
        return False
    found = b"".join(table[at : at + 8] for at in range(0, count * entry, entry))
    return found == struct.pack(f"<{len(sizes)}I", *sizes)


def read_frames(fd: int, last: int = _MOST) -> tuple[Frame, ...] | None:
    """The frames of an open file, or the last so many; the table itself is not among them.

    None when the file does not end with a table, or with one that does not fit the file.
    Raises OSError.
    """
    size = os.fstat(fd).st_size
    if size < _HEADER.size + FOOTER.size:
        return None
    entry, count = _footer(os.pread(fd, FOOTER.size, size - FOOTER.size))
    if entry is None:
        return None
    length = count * entry
    start = size - FOOTER.size - length - _HEADER.size
    if start < 0:
        return None
    if os.pread(fd, _HEADER.size, start) != _HEADER.pack(MAGIC, length + FOOTER.size):
        return None
    kept = min(count, last) * entry
    table = os.pread(fd, kept, size - FOOTER.size - kept)
    sizes = [struct.unpack_from("<II", table, at) for at in range(0, len(table), entry)]
    first = start - sum(packed for packed, _ in sizes)
    if len(table) != kept or first < 0 or (count <= last and first):
        return None
    return tuple(_placed(first, sizes))


def _footer(data: bytes) -> tuple[int | None, int]:
    """Bytes of an entry and how many; None where it is no footer."""
    if len(data) != FOOTER.size:
        return None, 0
    count, descriptor, magic = FOOTER.unpack(data)
    if magic != _SEEKABLE or descriptor & _RESERVED or count > _MOST:
        return None, 0
    return (12 if descriptor & _CHECKSUM else 8), count


def _placed(offset: int, sizes: list[tuple[int, int]]) -> Iterator[Frame]:
    for packed, unpacked in sizes:
        yield Frame(offset, packed, unpacked)
        offset += packed
