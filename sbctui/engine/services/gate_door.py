"""The gate itself: lets each address to its own disk, one session a disk, and knows them all."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

from sbctui.engine.services.gate_handshake import Handshake
from sbctui.engine.services.gate_log import say, say_refused
from sbctui.engine.services.gate_relay import Relay
from sbctui.engine.services.gate_return import Recipe
from sbctui.engine.services.gate_rules import Slot, Slots
from sbctui.engine.services.gate_wire import Backend, Hangup, Wire

_NEGOTIATION = 10.0
"""Seconds a client has from its connection to its disk."""
_AT_ONCE = 512
_AT_ONCE_EACH = 16
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

    async def serve(self, listener: socket.socket) -> None:
        """Accept boards until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    say_refused(f"can't accept: {error.strerror}")
                    await asyncio.sleep(0.1)
                continue
            self._greet(sock, str(peer[0]), int(peer[1]))

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
            async with asyncio.timeout(_NEGOTIATION):
                await handshake.run()
        except TimeoutError:
            why = f"no session after {_NEGOTIATION:g} s"
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
        address = peer.rpartition(":")[0]

        def wanted() -> bool:
            return slot.address == address and not slot.closed

        relay = Relay(recipe, peer, wire.sock, backend.sock, wanted)
        slot.relay = relay
        relay.start()
        say(f"admitted {recipe.export} {peer}")
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
