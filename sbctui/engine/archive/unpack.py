"""Streams that may be compressed, unpacked piece by piece: never more in memory than a window.

Every way in which one can be damaged or cut off is a ``BadArchive``. zstd: RFC 8878, and its
seekable format, whose table must agree with the frames.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import zstandard

from sbctui.engine.archive.format import bad
from sbctui.engine.archive.seektable import FOOTER, MAGIC, same_sizes

Read = Callable[[int], bytes]
"""Bytes wanted → some of them; none at the end."""

_STEP = 128 * 1024
_WINDOW = 128 * 1024**2
"""Bytes that unpacking may need to look back; xz gets as much memory in all."""
_ZSTD = 0xFD2FB528
_SKIPPABLE = 0x184D2A50
"""The first of the sixteen magics of frames that are skipped."""
_PZSTD = (0x184D2A50, 4)
"""Magic and size of what pzstd writes before every frame: that frame's size."""
_MOST_TABLE = 64 * 1024**2
_MOST_FRAMES = 4_000_000
_CUT = "is cut off"


class Decoder(Protocol):
    """What is inside a stream."""

    def readinto(self, room: memoryview) -> int:
        """Fill some of ``room``; 0 at the end. Raises BadArchive, and what reading raises."""


def decoder(read: Read) -> Decoder:
    """By its first bytes: zstd, gzip, xz, bzip2, or nothing that is packed."""
    source = _Source(read)
    start = source.peek(6)
    magic = int.from_bytes(start[:4], "little")
    if magic == _ZSTD or magic & ~0xF == _SKIPPABLE:
        return _Zstd(source)
    if start.startswith(b"\x1f\x8b"):
        return _Members(source, lambda: zlib.decompressobj(31), _ZlibRoom)
    if start.startswith(b"\xfd7zXZ\0"):
        return _Members(source, _new_xz, _Room)
    if start.startswith(b"BZh"):
        return _Members(source, bz2.BZ2Decompressor, _Room)
    return source


def _new_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_WINDOW)


class _Source:
    """Bytes as they come, with a look ahead. Also the decoder of what is not packed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held = b""

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end, which stay."""
        while len(self._held) < count:
            more = self._read(_STEP)
            if not more:
                break
            self._held += more
        return self._held[:count]

    def some(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        if not self._held:
            self._held = self._read(max(count, _STEP))
        data, self._held = self._held[:count], self._held[count:]
        return data

    def take(self, count: int) -> bytes:
        """Exactly so many. Raises BadArchive."""
        data = self.some(count)
        if len(data) == count:
            return data
        parts = [data]
        left = count - len(data)
        while left:
            data = self.some(left)
            if not data:
                raise bad("", _CUT)
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def give_back(self, data: bytes) -> None:
        """Bytes that were too many come first again."""
        self._held = data + self._held

    def readinto(self, room: memoryview) -> int:
        """See Decoder."""
        data = self.some(len(room))
        room[: len(data)] = data
        return len(data)


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
        self, source: _Source, new: Callable[[], Any], room: Callable[[Any], _Room]
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
        data = self._source.some(_STEP)
        if not data:
            raise bad("", _CUT)
        return data

    def _next(self, rest: bytes) -> None:
        self._source.give_back(rest)
        self._member = self._make() if self._source.peek(1) else None


class _Zstd:
    """zstd frames one after another; those that programs skip are skipped."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._machine = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._parts: Iterator[bytes] = iter(())
        self._frame: Any = None
        self._packed = self._unpacked = 0
        self._sizes = array("I")
        self._table = b""

    def readinto(self, room: memoryview) -> int:
        """See Decoder."""
        while self._frame is not None or self._begin():
            try:
                count = int(self._frame.readinto(room))
            except zstandard.ZstdError as error:
                raise bad("", f"is damaged ({error})") from None
            if count:
                self._unpacked += count
                return count
            self._end()
        return 0

    def _begin(self) -> bool:
        """Go to the next frame; False when there is none."""
        while start := self._source.peek(4):
            if len(start) < 4:
                raise bad("", _CUT)
            magic = int.from_bytes(start, "little")
            if magic == _ZSTD:
                self._packed = self._unpacked = 0
                self._parts = self._frame_parts()
                self._frame = self._machine.stream_reader(self._file(), read_size=_STEP)
                self._table = b""
                return True
            if magic & ~0xF != _SKIPPABLE:
                raise bad("", "holds something else behind its packed data")
            self._skip()
        self._compare()
        return False

    def _end(self) -> None:
        """The frame gave all it had; was that all of it?"""
        if next(self._parts, b""):
            raise bad("", "is damaged (a frame ends before its end)")
        self._frame = None
        if len(self._sizes) < 2 * _MOST_FRAMES:
            self._sizes.extend((self._packed & 0xFFFFFFFF, self._unpacked & 0xFFFFFFFF))

    def _frame_parts(self) -> Iterator[bytes]:
        """A frame's own bytes: header, blocks, checksum (RFC 8878, 3.1.1)."""
        head = self._part(5)
        yield head
        flags = head[4]
        single = flags & 0x20
        more = (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
        more += (1 if single else 0, 2, 4, 8)[flags >> 6]
        yield self._part(more)
        last = False
        while not last:
            block = self._part(3)
            number = int.from_bytes(block, "little")
            last, kind, size = bool(number & 1), number >> 1 & 3, number >> 3
            if size > _STEP:
                raise bad("", "is damaged (a block is too large)")
            yield block
            if body := 1 if kind == 1 else size:
                yield self._part(body)
        if flags & 4:
            yield self._part(4)

    def _file(self) -> Any:
        return _Reader(self._parts)

    def _part(self, count: int) -> bytes:
        self._packed += count
        return self._source.take(count)

    def _skip(self) -> None:
        """Of frames that are skipped two are known: a table, and what pzstd writes."""
        magic, size = struct.unpack("<II", self._source.take(8))
        if magic == MAGIC and FOOTER.size <= size <= _MOST_TABLE:
            self._table = self._source.take(size)
        elif (magic, size) == _PZSTD:
            self._source.take(size)
        else:
            raise bad("", "is damaged (a frame that is skipped is not known)")

    def _compare(self) -> None:
        """A table of frames at the end must be that of the frames."""
        table, count = self._table, len(self._sizes) // 2
        if not table or count >= _MOST_FRAMES:
            return
        if not same_sizes(table, self._sizes):
            raise bad("", "is damaged (its table of frames is wrong)")


class _Reader:
    """Parts as a file."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Some bytes; none at the end."""
        while not self._held or (len(self._held) < size):
            part = next(self._parts, b"")
            if not part:
                break
            self._held += part
        data, self._held = self._held[:size], self._held[size:]
        return data
