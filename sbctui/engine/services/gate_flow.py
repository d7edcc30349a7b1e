"""Bytes from one socket to another, without a thread: one direction of a session."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from sbctui.engine.services.gate_request import Broken, Piece

SIZE = 256 * 1024
"""Bytes that are read at once."""
_BUFFER = bytearray(SIZE)
_VIEW = memoryview(_BUFFER)


class Flow:
    """One direction. What the receiver can't take yet is kept, and the sender waits meanwhile."""

    __slots__ = ("_loop", "_most", "_over", "_pending", "_source", "_take", "_target", "count")

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        take: Callable[[memoryview], Sequence[Piece]],
        most: Callable[[], int],
        over: Callable[[socket.socket, str], None],
    ) -> None:
        self.count = 0
        self._source = source
        self._target = target
        self._take = take
        self._most = most
        self._over = over
        self._pending = b""
        self._loop = asyncio.get_running_loop()

    def start(self, first: bytes = b"") -> None:
        """Begin to pass bytes, ``first`` before what comes."""
        self._pending = first
        if first:
            self._loop.add_writer(self._target, self._writable)
        else:
            self._loop.add_reader(self._source, self._readable)

    def stop(self) -> bytes:
        """Pass no more; what was not sent yet. Both sockets must still be open."""
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._target)
        return self._pending

    def _readable(self) -> None:
        try:
            got = self._source.recv_into(_BUFFER, self._most())
        except BlockingIOError:
            return
        except OSError:
            got = 0
        if not got:
            self._over(self._source, "")
            return
        self.count += got
        try:
            pieces = self._take(_VIEW[:got])
        except Broken as error:
            self._over(self._source, str(error))
            return
        self._pass(pieces)

    def _pass(self, pieces: Sequence[Piece]) -> None:
        for number, piece in enumerate(pieces):
            try:
                sent = self._target.send(piece)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._over(self._target, "")
                return
            if sent < len(piece):
                self._pending = b"".join((piece[sent:], *pieces[number + 1 :]))
                self._loop.remove_reader(self._source)
                self._loop.add_writer(self._target, self._writable)
                return

    def _writable(self) -> None:
        try:
            sent = self._target.send(self._pending)
        except BlockingIOError:
            return
        except OSError:
            self._over(self._target, "")
            return
        self._pending = self._pending[sent:]
        if not self._pending:
            self._loop.remove_writer(self._target)
            self._loop.add_reader(self._source, self._readable)
