"""An admitted session: bytes between a board and the storage daemon, counted, until either ends.

One thread serves all sessions with non-blocking sockets and one shared buffer. Requests are
looked at only until the first one that changes the disk; from then on bytes just pass.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sbctui.engine.services import nbd
from sbctui.engine.services.gate_peer import peer_closed

_BUFFER = bytearray(256 * 1024)
_VIEW = memoryview(_BUFFER)
_RESET = struct.pack("ii", 1, 0)


class Flow:
    """One direction. What the receiver can't take yet is kept, and the sender waits meanwhile."""

    __slots__ = ("_loop", "_over", "_pending", "_source", "_target", "count", "watch")

    def __init__(
        self, source: socket.socket, target: socket.socket, over: Callable[[str], None], why: str
    ) -> None:
        self.count = 0
        self.watch: Callable[[memoryview], None] | None = None
        self._source = source
        self._target = target
        self._over = partial(over, why)
        self._pending = b""
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin to pass bytes."""
        self._loop.add_reader(self._source, self._readable)

    def stop(self) -> None:
        """Pass no more; both sockets must still be open."""
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._target)

    def _readable(self) -> None:
        try:
            got = self._source.recv_into(_BUFFER)
        except BlockingIOError:
            return
        except OSError:
            got = 0
        if not got:
            self._over()
            return
        self.count += got
        part = _VIEW[:got]
        if self.watch is not None:
            self.watch(part)
        try:
            sent = self._target.send(part)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._over()
            return
        if sent < got:
            self._pending = bytes(part[sent:])
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._target, self._writable)

    def _writable(self) -> None:
        try:
            sent = self._target.send(self._pending)
        except BlockingIOError:
            return
        except OSError:
            self._over()
            return
        self._pending = self._pending[sent:]
        if not self._pending:
            self._loop.remove_writer(self._target)
            self._loop.add_reader(self._source, self._readable)


class FirstWrite:
    """Looks at requests, which have no payload yet, until one changes the disk."""

    def __init__(self, flow: Flow) -> None:
        self.at: float | None = None
        self._flow = flow
        self._over = 0
        flow.watch = self._look

    def _look(self, part: memoryview) -> None:
        """Of each request only its command matters; ``_over`` bytes of the first came before."""
        size = nbd.REQUEST.size
        first = (nbd.COMMAND_AT - self._over) % size
        if not nbd.CHANGING.isdisjoint(part[first::size]):
            self.at = time.time()
            self._flow.watch = None
        self._over = (self._over + len(part)) % size


class Relay:
    """One admitted session. ``closed`` is set once the storage daemon has let go of the disk."""

    def __init__(self, export: str, peer: str, client: socket.socket, backend: socket.socket):
        self.export = export
        self.peer = peer
        self.since = time.time()
        self.reason = ""
        self.closed = asyncio.Event()
        self._client = client
        self._backend = backend
        self._up = Flow(client, backend, self._over, "connection lost")
        self._down = Flow(backend, client, self._over, "disconnected")
        self._first = FirstWrite(self._up)

    def start(self) -> None:
        """Pass bytes both ways."""
        self._up.start()
        self._down.start()

    def facts(self) -> dict[str, object]:
        """The session as the control socket tells it. Bytes are those of the protocol.

        Who has not written has sent requests and no data.
        """
        return {
            "export": self.export,
            "address": self.peer.rpartition(":")[0],
            "since": self.since,
            "bytes_read": self._down.count,
            "bytes_written": self._up.count if self._first.at else 0,
            "first_write": self._first.at,
        }

    def end(self, reason: str) -> None:
        """Cut the board off now and let the storage daemon finish; ``closed`` comes later."""
        if self.reason:
            return
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._over(reason)

    def _over(self, reason: str) -> None:
        if self.reason:
            return
        self.reason = reason
        self._up.stop()
        self._down.stop()
        self._client.close()
        with suppress(OSError):
            self._backend.shutdown(socket.SHUT_WR)
        self._task = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        """Read the backend to its end, then wait, however long, for its descriptor to go too."""
        loop = asyncio.get_running_loop()
        try:
            with suppress(OSError):
                while await loop.sock_recv(self._backend, len(_BUFFER)):
                    pass
            pause = 0.001
            while not peer_closed(self._backend):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.1)
        finally:
            self._backend.close()
            self.closed.set()
