"""Where the independent frames of a seekable zstd file are.

Format: "Zstandard Seekable Format" 0.1.0, facebook/zstd contrib/seekable_format: the file ends
with a skippable frame (RFC 8878, 3.1.2) that holds for each frame its compressed and unpacked
length, and a footer of nine bytes. All numbers are little-endian.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_SKIPPABLE = 0x184D2A5E
_MAGIC = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
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


def read_frames(fd: int) -> tuple[Frame, ...] | None:
    """The frames of an open file, the table itself not among them.

    None when the file does not end with a table, or with one that does not fit the file.
    Raises OSError.
    """
    size = os.fstat(fd).st_size
    if size < _HEADER.size + _FOOTER.size:
        return None
    count, descriptor, magic = _FOOTER.unpack(os.pread(fd, _FOOTER.size, size - _FOOTER.size))
    if magic != _MAGIC or descriptor & _RESERVED or count > _MOST:
        return None
    entry = struct.Struct("<III" if descriptor & _CHECKSUM else "<II")
    length = count * entry.size
    start = size - _FOOTER.size - length - _HEADER.size
    if start < 0:
        return None
    table = os.pread(fd, _HEADER.size + length, start)
    if len(table) != _HEADER.size + length:
        return None
    if _HEADER.unpack_from(table) != (_SKIPPABLE, length + _FOOTER.size):
        return None
    return _frames(entry, table[_HEADER.size :], start)


def _frames(entry: struct.Struct, table: bytes, end: int) -> tuple[Frame, ...] | None:
    found: list[Frame] = []
    offset = 0
    for fields in entry.iter_unpack(table):
        found.append(Frame(offset, fields[0], fields[1]))
        offset += fields[0]
    return tuple(found) if offset == end else None
