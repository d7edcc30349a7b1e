"""The gate itself: lets each address to its own disk, one session a disk, and knows them all."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sbctui.engine.services.gate_handshake import Handshake
from sbctui.engine.services.gate_log import say, say_refused
from sbctui.engine.services.gate_relay import Relay
from sbctui.engine.services.gate_return import Recipe
from sbctui.engine.services.gate_rules import Slot, Slots
from sbctui.engine.services.gate_state import SessionState
from sbctui.engine.services.gate_wire import Backend, Hangup, Wire

NEGOTIATION = 10.0
"""Seconds a client has from its connection to its disk."""
_FULL = 0.1
"""Seconds without new boards when there are no descriptors left."""
_AT_ONCE = 512
_AT_ONCE_EACH = 16
_STEP = 0.005
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 10),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
"""A board that is off is noticed after six minutes; a pulled cable may be put back before."""


class Gate:
    """Sessions and who may begin one. ``storage`` is the storage daemon's unix socket."""

    def __init__(self, storage: Path) -> None:
        self.slots = Slots()
        self._storage = str(storage)
        self._negotiating: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[socket.socket] = []
        self._accepting = False

    @property
    def listeners(self) -> list[socket.socket]:
        """Where boards are accepted."""
        return self._listeners

    def open(self, listeners: list[socket.socket]) -> None:
        """Accept boards."""
        self._listeners, self._accepting = listeners, True
        for listener in listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def shut(self) -> None:
        """Accept nobody for now: who comes waits at the door, which stays."""
        self._accepting = False
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)

    def _accept(self, listener: socket.socket) -> None:
        """One at a time, so that the loop asks again."""
        try:
            sock, peer = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                say_refused(f"can't accept: {error.strerror}")
                self._accept_later(listener)
            return
        sock.setblocking(False)
        self._greet(sock, str(peer[0]), int(peer[1]))

    def _accept_later(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)

        def again() -> None:
            if self._accepting:
                loop.add_reader(listener, self._accept, listener)

        loop.call_later(_FULL, again)

    def _greet(self, sock: socket.socket, address: str, port: int) -> None:
        """Negotiate with an address we know; anybody else gets nothing but a closed door."""
        why = ""
        if not self.slots.knows(address):
            why = "no export is for this address"
        elif self._negotiating[address] >= _AT_ONCE_EACH:
            why = f"{_AT_ONCE_EACH} connections of this address negotiate already"
        elif self._negotiating.total() >= _AT_ONCE:
            why = f"{_AT_ONCE} connections negotiate already"
        if why:
            sock.close()
            say_refused(f"refused {address}:{port}: {why}")
            return
        self._negotiating[address] += 1
        task = asyncio.create_task(self._negotiate(sock, address, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _negotiate(self, sock: socket.socket, address: str, port: int) -> None:
        handshake = Handshake(Wire(sock), address, port, self, self._storage)
        why = ""
        try:
            for option in _KEEPALIVE:
                sock.setsockopt(*option)
            async with asyncio.timeout(NEGOTIATION):
                await handshake.run()
        except TimeoutError:
            why = f"no session after {NEGOTIATION:g} s"
        except (Hangup, OSError) as error:
            why = str(error)
        finally:
            self._negotiating[address] -= 1
            if not self._negotiating[address]:
                del self._negotiating[address]
            if not handshake.entered:
                sock.close()
        if not handshake.entered and (handshake.refused or why):
            say_refused(f"refused {address}:{port}: {handshake.refused or why}")

    def slot(self, export: str, address: str) -> Slot | str:
        """The export's slot, or why this address may not have it."""
        found = self.slots.of(export)
        if found is None or found.address != address:
            return f"not an export for {address}"
        if found.closed:
            return "withdrawn for the moment"
        return found

    async def vacate(self, slot: Slot, newcomer: str) -> None:
        """End the session there is and wait until the storage daemon has let go of it."""
        relay = slot.relay
        if relay is not None:
            relay.end(f"replaced by {newcomer}")
            await relay.closed.wait()

    def enter(self, slot: Slot, recipe: Recipe, wire: Wire, backend: Backend, peer: str) -> None:
        """Both ends agree: begin the session."""
        wanted = _wanting(slot, peer)
        self._begin(slot, Relay(recipe, peer, wire.sock, backend.sock, wanted))
        say(f"admitted {recipe.export} {peer}")

    def inherit(self, state: SessionState, client: socket.socket, backend: socket.socket) -> Relay:
        """A session that another gate paused, with the sockets it has; it is not started yet.

        Raises ValueError when its state can't be.
        """
        slot = self.slots.made(state.recipe.export)
        slot.relay = Relay.of(state, client, backend, _wanting(slot, state.peer))
        return slot.relay

    def start_inherited(self) -> None:
        """Begin all sessions that were inherited."""
        for relay in self.slots.relays():
            self._begin(self.slots.made(relay.export), relay)

    def _begin(self, slot: Slot, relay: Relay) -> None:
        slot.relay = relay
        relay.start()
        task = asyncio.create_task(self._outlive(slot, relay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _outlive(self, slot: Slot, relay: Relay) -> None:
        """Clear the slot when its session is over."""
        await relay.closed.wait()
        if slot.relay is relay:
            slot.relay = None
        facts = relay.facts()
        say(
            f"ended {relay.export} {relay.peer}: {relay.reason}, "
            f"read {facts['bytes_read']}, written {facts['bytes_written']} bytes"
        )
        self.slots.tidy(relay.export)

    async def settled(self, seconds: float) -> bool:
        """Wait until nobody negotiates; False when that took too long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._negotiating and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_STEP)
        return not self._negotiating

    async def pause(self) -> list[Relay]:
        """Pause all sessions, and name those that are not over; ``resume`` goes on with them."""
        relays = self.slots.relays()
        for relay in relays:
            await relay.pause()
        return [relay for relay in relays if not relay.closed.is_set()]

    def resume(self) -> None:
        """Go on with everything, and accept boards again."""
        for relay in self.slots.relays():
            if not relay.closed.is_set():
                relay.start()
        self.open(self._listeners)

    async def close(self, export: str) -> int:
        """Admit nobody to an export any more; how many sessions it still has (0 or 1)."""
        slot = self.slots.of(export)
        if slot is None:
            return 0
        slot.closed = True
        async with slot.turn:
            return int(slot.relay is not None)

    async def cut(self, export: str, seconds: float) -> bool:
        """End an export's session; True when the storage daemon has let go of it in time."""
        slot = self.slots.of(export)
        relay = slot.relay if slot is not None else None
        if relay is None:
            return True
        relay.end("cut off")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await relay.closed.wait()
        return relay.closed.is_set()


def _wanting(slot: Slot, peer: str) -> Callable[[], bool]:
    """Whether a board that has a disk may still have it."""
    address = peer.rpartition(":")[0]
    return lambda: slot.address == address and not slot.closed
