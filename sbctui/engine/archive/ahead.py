"""A stream unpacked by a thread of its own, a few MiB ahead of who reads it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sbctui.engine.archive.format import bad
from sbctui.engine.archive.stream import CUT, Decoder, Read
from sbctui.engine.archive.unpack import decoder
from sbctui.engine.errors import Cancelled, SbcError

_MEMORY, _DEPTH = 4 * 1024**2, 4
"""Large pieces: on a busy machine every meeting of two threads costs a turn of the processor."""
_TICK = 0.1
Piece = tuple[bytearray, int, int]
"""Memory, and from where to where it holds what was read; until the next is asked for."""


class Ahead:
    """What a stream holds, in order. Made by ``ahead``.

    ``beside`` is a thread for what may be done with a piece while it is used.
    """

    def __init__(self, read: Read, stop: threading.Event) -> None:
        self._stop = stop
        self._read = read
        self._full: queue.Queue[tuple[bytearray, int] | BaseException] = queue.Queue()
        self._free: queue.Queue[bytearray | None] = queue.Queue()
        for _ in range(_DEPTH):
            self._free.put(bytearray(_MEMORY))
        self._memory = bytearray()
        self._at = self._end = 0
        self._over = False
        self.beside = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self._thread = threading.Thread(target=self._fill, daemon=True, name="unpack")
        self._thread.start()

    def some(self, most: int) -> Piece:
        """The next bytes, at most so many; an empty piece at the end.

        Raises BadArchive, Cancelled, OSError.
        """
        if self._at == self._end and not self._over:
            self._turn()
        start = self._at
        self._at = min(self._end, start + most)
        return self._memory, start, self._at

    def take(self, count: int) -> bytes:
        """Exactly so many bytes. Raises BadArchive as well where there are fewer."""
        parts = []
        while count:
            memory, start, end = self.some(count)
            if start == end:
                raise bad("", CUT)
            parts.append(bytes(memory[start:end]))
            count -= end - start
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Let the thread go; one that waits for a stream ends when that does."""
        self._free.put(None)
        self.beside.shutdown(wait=True)

    def _turn(self) -> None:
        if self._memory:
            self._free.put(self._memory)
            self._memory, self._at, self._end = bytearray(), 0, 0
        while True:
            if self._stop.is_set():
                raise Cancelled("stopped while reading an archive; nothing is left of it")
            try:
                got = self._full.get(timeout=_TICK)
                break
            except queue.Empty:
                continue
        if isinstance(got, BaseException):
            self._over = True
            raise got
        self._memory, self._end = got
        self._at = 0
        self._over = not self._end

    def _fill(self) -> None:
        try:
            inside = decoder(self._read)
            while (memory := self._free.get()) is not None:
                if not self._filled(inside, memory):
                    return
        except (SbcError, OSError) as error:
            self._full.put(error)
        except Exception as error:  # noqa: BLE001 - whatever a library says, the archive is bad
            self._full.put(bad("", f"can't be unpacked ({type(error).__name__})"))

    def _filled(self, inside: Decoder, memory: bytearray) -> bool:
        """Fill it whole where that can be: two threads that meet often wait for each other.

        What came before an error is handed on first, so that who reads knows where it was.
        """
        room, count, over = memoryview(memory), 0, False
        try:
            while count < len(room) and (got := inside.readinto(room[count:])):
                count += got
            over = not count
        finally:
            if count or over:
                self._full.put((memory, count))
        return not over


@contextmanager
def ahead(read: Read, stop: threading.Event) -> Iterator[Ahead]:
    """Unpack a stream while it is read; ``stop`` ends waiting for it."""
    stream = Ahead(read, stop)
    try:
        yield stream
    finally:
        stream.close()
