"""zstd: frames one after another (RFC 8878), and the table of the seekable format at their end."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from typing import Any

import zstandard

from sbctui.engine.archive.format import bad
from sbctui.engine.archive.seektable import FOOTER, MAGIC, same_sizes
from sbctui.engine.archive.stream import CUT, STEP, WINDOW, Source

ZSTD = 0xFD2FB528
"""A frame's magic."""
SKIPPED = 0x184D2A50
"""The first of the sixteen magics of frames that are skipped."""
_PZSTD = (0x184D2A50, 4)
"""Magic and size of what pzstd writes before every frame: that frame's size."""
_MOST_TABLE = 64 * 1024**2
_MOST_FRAMES = 4_000_000


class Zstd:
    """zstd frames one after another; those that programs skip are skipped."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._machine = zstandard.ZstdDecompressor(max_window_size=WINDOW)
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
                raise bad("", CUT)
            magic = int.from_bytes(start, "little")
            if magic == ZSTD:
                self._packed = self._unpacked = 0
                self._parts = self._frame_parts()
                self._frame = self._machine.stream_reader(self._file(), read_size=STEP)
                self._table = b""
                return True
            if magic & ~0xF != SKIPPED:
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
            if size > STEP:
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
