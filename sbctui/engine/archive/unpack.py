"""Streams that may be compressed, unpacked piece by piece: never more in memory than a window.

Every way in which one can be damaged or cut off is a ``BadArchive``. zstd: RFC 8878, and its
seekable format, whose table must agree with the frames.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

from sbctui.engine.archive.format import bad
from sbctui.engine.archive.stream import CUT, STEP, WINDOW, Decoder, Read, Source
from sbctui.engine.archive.unzstd import SKIPPED, ZSTD, Zstd


def decoder(read: Read) -> Decoder:
    """By its first bytes: zstd, gzip, xz, bzip2, or nothing that is packed."""
    source = Source(read)
    start = source.peek(6)
    magic = int.from_bytes(start[:4], "little")
    if magic == ZSTD or magic & ~0xF == SKIPPED:
        return Zstd(source)
    if start.startswith(b"\x1f\x8b"):
        return _Members(source, lambda: zlib.decompressobj(31), _ZlibRoom)
    if start.startswith(b"\xfd7zXZ\0"):
        return _Members(source, _new_xz, _Room)
    if start.startswith(b"BZh"):
        return _Members(source, bz2.BZ2Decompressor, _Room)
    return source


def _new_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW)


class _Room:
    """One packed member through bz2 or lzma."""

    def __init__(self, machine: Any) -> None:
        self._machine = machine

    def unpack(self, data: bytes, most: int) -> bytes:
        """At most so many bytes; ``data`` is empty while the last is not used up."""
        return bytes(self._machine.decompress(data, most))

    @property
    def hungry(self) -> bool:
        """Whether it wants more."""
        return bool(self._machine.needs_input)

    @property
    def over(self) -> bool:
        """Whether the member has ended."""
        return bool(self._machine.eof)

    @property
    def rest(self) -> bytes:
        """What came after its end."""
        return bytes(self._machine.unused_data)


class _ZlibRoom(_Room):
    """The same through zlib."""

    _left = b""

    def unpack(self, data: bytes, most: int) -> bytes:
        """See _Room."""
        out = bytes(self._machine.decompress(data or self._left, most))
        self._left = self._machine.unconsumed_tail
        return out

    @property
    def hungry(self) -> bool:
        """Whether it wants more."""
        return not self._left


class _Members:
    """gzip, xz and bzip2: packed members one after another."""

    def __init__(
        self, source: Source, new: Callable[[], Any], room: Callable[[Any], _Room]
    ) -> None:
        self._source = source
        self._make: Callable[[], _Room] = lambda: room(new())
        self._member: _Room | None = self._make()

    def readinto(self, room: memoryview) -> int:
        """See Decoder."""
        while self._member is not None:
            try:
                data = self._member.unpack(self._fed(), len(room))
            except (zlib.error, lzma.LZMAError, OSError, EOFError, MemoryError) as error:
                raise bad("", f"is damaged ({error})") from None
            if self._member.over:
                self._next(self._member.rest)
            if data:
                room[: len(data)] = data
                return len(data)
        return 0

    def _fed(self) -> bytes:
        assert self._member is not None
        if not self._member.hungry:
            return b""
        data = self._source.some(STEP)
        if not data:
            raise bad("", CUT)
        return data

    def _next(self, rest: bytes) -> None:
        self._source.give_back(rest)
        self._member = self._make() if self._source.peek(1) else None
