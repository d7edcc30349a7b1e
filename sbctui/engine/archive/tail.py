"""The end of an archive, unpacked without what is before it: what is packed in pieces, or not.

zstd by its table of frames. gzip (RFC 1952) by the magic of its members, each of which has to end
where the next one begins. xz (the .xz file format 1.2.1, tukaani.org) by the footer and the index
of its streams. All of it is bounded: whatever a file holds, a look at its end is short.
"""

from __future__ import annotations

import lzma
import os
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import zstandard

from sbctui.engine.archive.format import FRAME
from sbctui.engine.archive.seektable import read_frames
from sbctui.engine.archive.stream import WINDOW

_MOST = 8 * 1024**2
"""Bytes at the end of the file that are looked at: more than any manifest."""
_LAST = 12
"""Of so many frames at the end, the manifest has some."""
_GZIP, _TRIES = b"\x1f\x8b\x08", 64
"""The magic of a member, and how many places with it are tried."""
_XZ, _XZ_END, _XZ_EDGE = b"\xfd7zXZ\0", b"YZ", 12
"""What a stream begins and ends with, and the bytes of its header, and of its footer."""


def pieces_back(fd: int) -> Generator[bytes]:
    """What an open archive ends with, the last piece first. Raises OSError.

    Nothing comes of what can't be unpacked from its end: a gzip or xz in one piece, bzip2.
    """
    start = os.pread(fd, len(_XZ), 0)
    if frames := read_frames(fd, _LAST):
        machine = zstandard.ZstdDecompressor()
        for one in reversed(frames):
            if one.unpacked > FRAME or one.size > 2 * FRAME:
                return
            try:
                yield machine.decompress(os.pread(fd, one.size, one.offset), one.unpacked)
            except zstandard.ZstdError:
                return
    elif start.startswith(_GZIP):
        yield from _gzip(_end_of(fd))
    elif start == _XZ:
        yield from _xz(_end_of(fd))
    else:
        yield _end_of(fd)


def _end_of(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    return os.pread(fd, _MOST, max(0, size - _MOST))


def _gzip(data: bytes) -> Iterator[bytes]:
    end = at = len(data)
    for _ in range(_TRIES):
        at = data.rfind(_GZIP, 0, at + len(_GZIP) - 1)
        if at < 0:
            return
        found = _whole(zlib.decompressobj(31), data[at:end])
        if found is not None:
            yield found
            end = at


def _xz(data: bytes) -> Iterator[bytes]:
    end = len(data)
    while end and (start := _stream_start(data, end)) is not None:
        machine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW)
        found = _whole(machine, data[start:end])
        if found is None:
            return
        yield found
        end = start


def _whole(machine: Any, data: bytes) -> bytes | None:
    """A packed piece of at most a frame; None where it is none, or something follows it."""
    try:
        found = bytes(machine.decompress(data, FRAME + 1))
    except (zlib.error, lzma.LZMAError, EOFError, MemoryError):
        return None
    return found if machine.eof and not machine.unused_data else None


def _stream_start(data: bytes, end: int) -> int | None:
    """Where the xz stream begins that ends there: its index has the sizes of its blocks."""
    foot = data[max(0, end - _XZ_EDGE) : end]
    if len(foot) < _XZ_EDGE or foot[-2:] != _XZ_END:
        return None
    length = (int.from_bytes(foot[4:8], "little") + 1) * 4
    index = end - _XZ_EDGE - length
    if index < 0:
        return None
    start = index - _blocks(data[index : end - _XZ_EDGE]) - _XZ_EDGE
    return start if start >= 0 and data[start : start + len(_XZ)] == _XZ else None


def _blocks(index: bytes) -> int:
    """Bytes of all blocks that an index tells of, each filled up to four; more than any if bad."""
    numbers = _numbers(index[1:])
    total = 0
    for _ in range(min(next(numbers, 0), len(index))):
        size = next(numbers, WINDOW)
        total += size + -size % 4
        next(numbers, 0)
    return total


def _numbers(data: bytes) -> Iterator[int]:
    """Multibyte integers: seven bits in each byte, the lowest first."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0
