"""An admitted session: bytes between a board and the storage daemon, until the board leaves.

One thread serves all sessions with non-blocking sockets and one shared buffer. When the storage
daemon goes away the board's connection is held, and what it waits for is asked of the next one:
see gate_requests.py. Between two bytes a session can be paused, and go on here or in another gate.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sbctui.engine.services.gate_flow import SIZE, Flow
from sbctui.engine.services.gate_log import say
from sbctui.engine.services.gate_peer import peer_closed
from sbctui.engine.services.gate_request import Begun, Broken, Piece
from sbctui.engine.services.gate_requests import Requests
from sbctui.engine.services.gate_return import Recipe, Unlike, redo, rest_of
from sbctui.engine.services.gate_state import SessionState
from sbctui.engine.services.gate_wire import Backend, Hangup

_RESET = struct.pack("ii", 1, 0)
_KEPT_EACH = 32 * 1024**2
_KEPT_ALL = 512 * 1024**2
_KEPT_LITTLE = 1024**2
"""Bytes of unflushed writes held for one session and for all; then the gate flushes by itself,
sessions that hold little excepted."""
_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
_FRUITLESS = 5
"""Storage daemons that a session may lose in a row without an answer from any."""


class Relay:
    """One admitted session. ``closed`` is set once the storage daemon has let go of the disk.

    ``wanted`` says whether the board may still have its disk, should the storage daemon come back.
    """

    _all_kept = 0

    def __init__(
        self,
        recipe: Recipe,
        peer: str,
        client: socket.socket,
        backend: socket.socket,
        wanted: Callable[[], bool],
    ) -> None:
        self.export = recipe.export
        self.peer = peer
        self.since = time.time()
        self.reason = ""
        self.closed = asyncio.Event()
        self._recipe = recipe
        self._wanted = wanted
        self._client = client
        self._backend = backend
        self._requests = Requests()
        self._counted = 0
        self._read = self._written = 0
        self._fruitless = 0
        self._held = False
        self._asks = self._answers = b""
        self._task: asyncio.Task[None] | None = None
        self._wrote = False
        self._make_flows()

    @classmethod
    def of(
        cls,
        state: SessionState,
        client: socket.socket,
        backend: socket.socket,
        wanted: Callable[[], bool],
    ) -> Relay:
        """A session that another gate paused; a socket that it had not is a closed one.

        Raises ValueError when its state can't be.
        """
        made = cls(state.recipe, state.peer, client, backend, wanted)
        made.since, made.reason, made._held = state.since, state.reason, state.held
        made._wrote = state.written > 0
        made._read, made._written, made._fruitless = state.read, state.written, state.fruitless
        made._asks, made._answers = state.asks, state.answers
        made._requests = Requests.of(state.memory)
        made._make_flows()
        return made

    def _make_flows(self) -> None:
        self._up = Flow(self._client, self._backend, self._asked, self._most, self._lost)
        self._down = Flow(
            self._backend, self._client, self._requests.answered, lambda: SIZE, self._lost
        )

    def start(self) -> None:
        """Pass bytes both ways; one that was paused goes on with what it was about."""
        self._count_kept()
        if self.reason:
            self._end(self.reason)
        elif self._held:
            self._task = asyncio.create_task(self._return())
        else:
            self._up.start(self._asks)
            self._down.start(self._answers)
            self._asks = self._answers = b""

    async def pause(self) -> None:
        """Do nothing more with its sockets until ``start``."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
        elif not self._held and not self.reason:
            self._stop_flows()

    def state(self) -> SessionState:
        """What another gate wants to know of a paused session."""
        return SessionState(
            recipe=self._recipe,
            peer=self.peer,
            since=self.since,
            reason=self.reason,
            held=self._held,
            client=self._client.fileno() >= 0,
            backend=self._backend.fileno() >= 0,
            read=self._read,
            written=self._written,
            fruitless=self._fruitless,
            asks=self._asks,
            answers=self._answers,
            memory=self._requests.memory(),
        )

    def sockets(self) -> list[socket.socket]:
        """Those of its two sockets that are open, the board's first."""
        return [one for one in (self._client, self._backend) if one.fileno() >= 0]

    def _stop_flows(self) -> None:
        self._asks, self._answers = self._up.stop(), self._down.stop()
        self._read += self._down.count
        self._written += self._up.count
        self._up.count = self._down.count = 0

    def facts(self) -> dict[str, object]:
        """The session as the control socket tells it. Bytes are those of the protocol.

        Who has not written has sent requests and no data.
        """
        first = self._requests.first_change
        return {
            "export": self.export,
            "address": self.peer.rpartition(":")[0],
            "since": self.since,
            "bytes_read": self._read + self._down.count,
            "bytes_written": self._written + self._up.count if first else 0,
            "first_write": first,
        }

    # ── passing ───────────────────────────────────────────────────────────────────────────

    def _most(self) -> int:
        """Bytes to read of the board at once: when a flush is due, to the end of a request."""
        return (self._flush_due() and self._requests.until_whole) or SIZE

    def _flush_due(self) -> bool:
        kept = self._requests.kept
        return kept > _KEPT_EACH or (kept > _KEPT_LITTLE and Relay._all_kept > _KEPT_ALL)

    def _asked(self, part: memoryview) -> Sequence[Piece]:
        self._requests.sent(part)
        if not self._wrote and self._requests.first_change:
            self._wrote = True
            say(f"wrote {self.export} {self.peer}")
        self._count_kept()
        if self._flush_due() and not self._requests.until_whole:
            return (part, self._requests.own_flush())
        return (part,)

    def _count_kept(self) -> None:
        Relay._all_kept += self._requests.kept - self._counted
        self._counted = self._requests.kept

    # ── the storage daemon goes, and another comes ────────────────────────────────────────

    def _lost(self, end: socket.socket, why: str) -> None:
        """One end is gone, or what it says is no NBD."""
        if why or end is self._client:
            self._over(why or "connection lost")
        elif self._requests.leaving:
            self._over("disconnected")
        elif not self._wanted():
            self._over("its disk was taken away")
        elif self._too_often():
            self._over("the storage daemon does not keep this session")
        else:
            self._hold()

    def _too_often(self) -> bool:
        """Whether it is this session that drives the storage daemon away: no answer, ever again."""
        self._fruitless = 0 if self._down.count else self._fruitless + 1
        return self._fruitless > _FRUITLESS

    def _hold(self) -> None:
        """Keep the board waiting, and the answer that it has not taken yet."""
        self._stop_flows()
        self._held = True
        say(f"held {self.export} {self.peer}: the storage daemon is away")
        self._task = asyncio.create_task(self._return())

    async def _return(self) -> None:
        began = time.monotonic()
        try:
            begun = self._requests.begun()
            await self._let_go()
            rest = await self._another(begun)
            self._still_there()
        except (Hangup, Broken, Unlike) as error:
            self._end(str(error))
            return
        self._held = False
        self._task = None
        self._make_flows()
        self._asks, self._answers = self._requests.again(), self._answers + rest
        self.start()
        say(f"went on {self.export} {self.peer}: after {time.monotonic() - began:.1f} s")

    async def _another(self, begun: Begun | None) -> bytes:
        """Get a new connection, with all that might have been lost written again.

        What the board misses of an answer that had begun.
        """
        pause = _PAUSE
        while True:
            self._still_there()
            try:
                self._backend = (await self._recipe.connect()).sock
                backend = Backend(self._backend)
                await redo(backend, self._requests.unsafe())
                return await rest_of(backend, begun) if begun else b""
            except Hangup:
                await self._let_go()
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _still_there(self) -> None:
        """Raises Hangup when the board has left or may not have its disk any more."""
        if not self._wanted():
            raise Hangup("its disk was taken away")
        try:
            gone = not self._client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        if gone:
            raise Hangup("connection lost")

    # ── ending ────────────────────────────────────────────────────────────────────────────

    def end(self, reason: str) -> None:
        """Cut the board off now and let the storage daemon finish; ``closed`` comes later."""
        if self.reason:
            return
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._over(reason)

    def _over(self, reason: str) -> None:
        """Pass no more. A session that is held ends where it next looks whether it should."""
        if self.reason:
            return
        if self._held:
            self.reason = reason
            self._client.close()
            return
        self._stop_flows()
        self._end(reason)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._client.close()
        self._requests.kept = 0
        self._count_kept()
        self._task = asyncio.create_task(self._close())

    async def _close(self) -> None:
        await self._let_go()
        self.closed.set()

    async def _let_go(self) -> None:
        """Read the backend to its end, then wait, however long, for its descriptor to go too.

        Cancelled, it can be begun anew.
        """
        loop = asyncio.get_running_loop()
        if self._backend.fileno() < 0:
            return
        with suppress(OSError):
            self._backend.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while await loop.sock_recv(self._backend, SIZE):
                pass
        pause = 0.001
        while not peer_closed(self._backend):
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.1)
        self._backend.close()
