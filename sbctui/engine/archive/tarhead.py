"""A tar's header block: ustar, GNU and old ones. Strict: what is odd is damaged.

POSIX.1-2017 "ustar Interchange Format"; the GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sbctui.engine.archive.format import MOST_DISK, BadArchive, bad
from sbctui.engine.model.amounts import size

_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "folder",
    b"6": "a FIFO",
}
_SUM = slice(148, 156)
_GNU_RANGES, _IN_HEADER, _IN_BLOCK = 386, 4, 21


@dataclass(frozen=True, slots=True)
class Head:
    """One header block. ``what`` is ``file``, ``folder``, or what else it is, in words."""

    name: str
    type: bytes
    what: str
    size: int
    link: str


def begins(block: bytes) -> bool:
    """Whether a first block is a tar's, be it a damaged one: it has the magic, or the sum."""
    if block[257:262] == b"ustar":
        return True
    try:
        return number(block[_SUM], "") == _total(block)
    except BadArchive:
        return False


def parse(block: bytes) -> Head:
    """A block of 512 bytes that are not all zero. Raises BadArchive."""
    raw = block[:100].partition(b"\0")[0]
    if block[257:262] == b"ustar" and block[262:263] == b"\0" and block[345:346] != b"\0":
        raw = block[345:500].partition(b"\0")[0] + b"/" + raw
    name = text(raw)
    if number(block[_SUM], name) != _total(block):
        raise bad(name, "has a damaged header")
    kind = block[156:157]
    what = _KINDS.get(kind, f"something of the type {kind!r}")
    if kind in (b"0", b"\0") and name.endswith("/"):
        what = "folder"
    size = 0 if what.startswith("a ") or what == "folder" else number(block[124:136], name)
    return Head(name, kind, what, size, text(block[157:257].partition(b"\0")[0]))


def _total(block: bytes) -> int:
    return sum(block) - sum(block[_SUM]) + 8 * 32


def gnu_ranges(block: bytes, name: str) -> tuple[list[tuple[int, int]], int, bool]:
    """Of an old GNU sparse file: (offset, size) of its first ranges, its size, is there more."""
    ranges = _ranges(block[_GNU_RANGES:], _IN_HEADER, name)
    return ranges, number(block[483:495], name), block[482] != 0


def more_gnu_ranges(block: bytes, name: str) -> tuple[list[tuple[int, int]], bool]:
    """The same of a block behind the header."""
    return _ranges(block, _IN_BLOCK, name), block[504] != 0


def _ranges(data: bytes, count: int, name: str) -> list[tuple[int, int]]:
    found = []
    for index in range(count):
        start, size = struct.unpack_from("12s12s", data, index * 24)
        if not start.strip(b"\0"):
            break
        found.append((number(start, name), number(size, name)))
    return found


def number(field: bytes, name: str) -> int:
    """A number in octal digits, or with the first bit set in binary (GNU). Raises BadArchive."""
    if field[:1] == b"\x80":
        value = int.from_bytes(field[1:], "big")
    else:
        digits = field.partition(b"\0")[0].strip(b" ")
        if not all(c in b"01234567" for c in digits):
            raise bad(name, "has a damaged header")
        value = int(digits or b"0", 8)
    if value > MOST_DISK:
        raise bad(name, f"says that it has {size(value)}, more than any disk")
    return value


def text(raw: bytes) -> str:
    """A name as it stands; bytes that are no UTF-8 become lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")
