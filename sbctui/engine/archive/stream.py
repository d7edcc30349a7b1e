"""Bytes of an archive as they come, packed or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sbctui.engine.archive.format import bad

Read = Callable[[int], bytes]
"""Bytes wanted → some of them; none at the end."""

STEP = 128 * 1024
"""Bytes that are asked for at once."""
WINDOW = 128 * 1024**2
"""Bytes that unpacking may need to look back; xz gets as much memory in all."""
CUT = "is cut off"


class Decoder(Protocol):
    """What is inside a stream."""

    def readinto(self, room: memoryview) -> int:
        """Fill some of ``room``; 0 at the end. Raises BadArchive, and what reading raises."""


class Source:
    """Bytes as they come, with a look ahead. Also the decoder of what is not packed."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._held = b""
        self._at = 0

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end, which stay."""
        while len(self._held) - self._at < count:
            more = self._read(STEP)
            if not more:
                break
            self.give_back(more, behind=True)
        return self._held[self._at : self._at + count]

    def some(self, count: int) -> bytes:
        """At most so many bytes; none at the end."""
        if self._at == len(self._held):
            self._held, self._at = self._read(max(count, STEP)), 0
        data = self._held[self._at : self._at + count]
        self._at += len(data)
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
                raise bad("", CUT)
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def give_back(self, data: bytes, *, behind: bool = False) -> None:
        """Bytes that were too many come first again, or ``behind`` what is held."""
        left = self._held[self._at :]
        self._held, self._at = (left + data if behind else data + left), 0

    def readinto(self, room: memoryview) -> int:
        """See Decoder."""
        data = self.some(len(room))
        room[: len(data)] = data
        return len(data)
