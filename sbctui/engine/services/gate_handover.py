"""A gate hands its sockets to its successor, or goes on as if nothing had been.

They talk over a unix socket, whole messages (SOCK_SEQPACKET), each a JSON object; descriptors go
with them (SCM_RIGHTS, unix(7)). ``->`` is to the successor:

1. ``<- {"version": 1}``: I would take over.
2. ``-> {"version", "bytes", "sockets", "listeners"}`` with a memfd that holds the document of
   gate_state.py; then the listeners and, in the order of the sessions, each one's board and
   storage daemon, in as many messages as they need. Until then all sessions have been paused.
3. ``<- {"ready": true}``: I have and understand all of it.
4. ``-> {"yours": true}``: from here on they are the successor's, whatever happens to us.
5. ``<- {"taken": true}``: I serve them. The old gate ends.

``{"error": "..."}`` in place of any message ends the talk, and all stays with the old gate. A
successor that is ready takes over too when the old gate died before it could say so.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sbctui.engine.services.gate_control import Control, in_waiting
from sbctui.engine.services.gate_door import NEGOTIATION, Gate
from sbctui.engine.services.gate_log import say
from sbctui.engine.services.gate_relay import Relay
from sbctui.engine.services.gate_state import VERSION, GateState, pack

BYTES = 4096
"""Longest message."""
DESCRIPTORS = 200
"""Descriptors in one message; the kernel's limit is 253."""
READY = 15.0
"""Seconds the successor has to understand what it was given."""
TAKEN = 10.0


class Failed(Exception):
    """The hand-over did not come about; the message says why."""


class Gone(Failed):
    """The other end has closed."""


class Bequest:
    """The old gate's part. ``done`` is called once everything is the successor's.

    ``busy`` is held while somebody may take over, ``over`` is true once one has.
    """

    def __init__(self, gate: Gate, control: Control, done: Callable[[], None]) -> None:
        self.busy = asyncio.Lock()
        self.over = False
        self._gate = gate
        self._control = control
        self._done = done

    def bind(self, path: Path) -> socket.socket:
        """A listener where ``in_waiting`` says; only the owner and root may connect."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            listener.bind(os.fspath(in_waiting(path)))
        finally:
            os.umask(before)
        listener.listen(4)
        return listener

    async def serve(self, listener: socket.socket) -> None:
        """Wait for successors, one after the other."""
        while True:
            heir, _ = await asyncio.get_running_loop().sock_accept(listener)
            with heir:
                async with self.busy:
                    await self._meet(heir)

    async def _meet(self, heir: socket.socket) -> None:
        began = time.monotonic()
        heir.settimeout(READY)
        try:
            hello = await asyncio.to_thread(hear, heir)
            if hello.get("version") != VERSION:
                raise Failed(f"we hand over in version {VERSION}")
            await self._hand_over(heir)
        except (Failed, OSError, ValueError) as error:
            say(f"not handed over: {error}")
            await asyncio.to_thread(complain, heir, str(error))
            return
        say(f"handed over, boards waited {1000 * (time.monotonic() - began):.0f} ms")
        self.over = True
        self._done()

    async def _hand_over(self, heir: socket.socket) -> None:
        """Raises Failed, OSError when everything is still ours and goes on."""
        gate, control = self._gate, self._control
        gate.shut()
        try:
            if not await gate.settled(NEGOTIATION + 1):
                raise Failed("boards negotiate without an end")
            await control.hush()
            relays = await gate.pause()
            try:
                await asyncio.to_thread(self._give, heir, relays)
            except BaseException as error:
                await asyncio.to_thread(complain, heir, str(error))
                raise
        except BaseException:
            gate.resume()
            control.wake()
            raise

    def _give(self, heir: socket.socket, relays: list[Relay]) -> None:
        """Send all of it. When this returns it is the successor's; raises while it is ours."""
        slots, listeners = self._gate.slots, self._gate.listeners
        states = tuple(relay.state() for relay in relays)
        state = GateState(slots.rules(), frozenset(slots.closed()), states)
        sockets = [*listeners, *(one for relay in relays for one in relay.sockets())]
        memory = os.memfd_create("gate", os.MFD_CLOEXEC)
        try:
            size = _fill(memory, pack(state))
            head = {
                "version": VERSION,
                "bytes": size,
                "sockets": len(sockets),
                "listeners": len(listeners),
            }
            tell(heir, head, [memory])
        finally:
            os.close(memory)
        for some in _batches([one.fileno() for one in sockets]):
            tell(heir, {"sockets": len(some)}, some)
        if hear(heir).get("ready") is not True:
            raise Failed("the successor talks out of order")
        tell(heir, {"yours": True})
        _farewell(heir)


def _farewell(heir: socket.socket) -> None:
    """Wait until the successor serves, so that there is always somebody who answers.

    Raises ConnectionResetError when it died before it read that all is its own (unix(7): its
    end was closed with unread data), so that it has touched nothing.
    """
    heir.settimeout(TAKEN)
    try:
        hear(heir)
    except ConnectionResetError:
        raise
    except (Failed, OSError, ValueError) as error:
        say(f"the successor has everything and did not say so: {error}")


def _fill(fd: int, parts: list[bytes]) -> int:
    with open(fd, "wb", closefd=False) as file:
        return sum(file.write(part) for part in parts)


def _batches(fds: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(fds), DESCRIPTORS):
        yield fds[at : at + DESCRIPTORS]


def tell(sock: socket.socket, message: Mapping[str, object], fds: list[int] | None = None) -> None:
    """Send one message. Raises OSError."""
    data = json.dumps(message).encode()
    if fds:
        socket.send_fds(sock, [data], fds)
    else:
        sock.send(data)


def complain(sock: socket.socket, why: str) -> None:
    """Say that it comes to nothing; who has gone needs no telling."""
    try:
        tell(sock, {"error": why[:1000]})
    except OSError:
        return


def hear(sock: socket.socket, fds: list[int] | None = None) -> dict[str, Any]:
    """One message; its descriptors are added to ``fds``.

    Raises Failed with the other's complaint or when it went, OSError, ValueError for nonsense.
    """
    most = DESCRIPTORS if fds is not None else 0
    data, got, flags, _ = socket.recv_fds(sock, BYTES, most, socket.MSG_CMSG_CLOEXEC)
    if fds is not None:
        fds += got
    if not data:
        raise Gone("the other gate is gone")
    if flags & socket.MSG_CTRUNC:
        raise Failed("too few descriptors are left for its sockets")
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("a message is one object")
    if "error" in message:
        raise Failed(str(message["error"])[:1000])
    return message
