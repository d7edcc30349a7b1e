"""A gate that takes over from the one that runs: the successor's part of gate_handover.py."""

from __future__ import annotations

import os
import select
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path

from sbctui.engine.services.gate_door import Gate
from sbctui.engine.services.gate_handover import READY, Failed, Gone, complain, hear, tell
from sbctui.engine.services.gate_log import say
from sbctui.engine.services.gate_state import VERSION, GateState, unpack

_MEET = 30.0
"""Seconds until the old gate has paused: boards may be negotiating."""
_END = 2.0
"""Seconds a gate that said nothing more has to be dead."""


@dataclass
class Estate:
    """What the old gate gave, and the talk with it."""

    talk: socket.socket
    predecessor: int
    state: GateState
    listeners: list[socket.socket]
    sockets: list[socket.socket] = field(default_factory=list)

    def give_to(self, gate: Gate) -> None:
        """Make the sessions, not started yet. Raises Failed when one can't be."""
        gate.slots.replace(self.state.rules, set(self.state.closed))
        left = iter(self.sockets)
        try:
            for session in self.state.sessions:
                client = next(left) if session.client else _closed()
                backend = next(left) if session.backend else _closed()
                gate.inherit(session, client, backend)
        except (ValueError, StopIteration) as error:
            raise Failed(f"a session that can't be taken over: {error}") from None
        if next(left, None) is not None:
            raise Failed("more sockets than sessions")

    def accept(self) -> None:
        """Say that we can, and wait until it is ours. Raises Failed when it is not."""
        try:
            tell(self.talk, {"ready": True})
            self.talk.settimeout(READY)
            ours = hear(self.talk).get("yours") is True
        except (OSError, Gone):
            ours = self._orphaned()
        if not ours:
            raise Failed("the old gate keeps its sessions")

    def thank(self) -> None:
        """Let the old gate end."""
        try:
            tell(self.talk, {"taken": True})
        except OSError:
            say("the old gate is gone")
        self.talk.close()
        os.close(self.predecessor)

    def refuse(self, why: str) -> None:
        """Leave everything with the old gate."""
        complain(self.talk, why)

    def _orphaned(self) -> bool:
        """Whether the old gate died without going on: then nobody else has its sockets."""
        poll = select.poll()
        poll.register(self.predecessor, select.POLLIN)
        return bool(poll.poll(_END * 1000))


def meet(path: Path) -> Estate:
    """Ask the gate that runs for everything. Raises Failed, OSError; then it goes on."""
    talk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fds: list[int] = []
    try:
        talk.settimeout(_MEET)
        talk.connect(os.fspath(path))
        predecessor = os.pidfd_open(_peer(talk))
        tell(talk, {"version": VERSION})
        return _receive(talk, predecessor, fds)
    except (OSError, Failed, ValueError) as error:
        complain(talk, str(error))
        for fd in fds:
            os.close(fd)
        raise Failed(str(error)) from None


def _receive(talk: socket.socket, predecessor: int, fds: list[int]) -> Estate:
    head = hear(talk, fds)
    if head.get("version") != VERSION or len(fds) != 1:
        raise Failed(f"the old gate hands over in another version than {VERSION}")
    size, count, doors = (_count(head.get(name)) for name in ("bytes", "sockets", "listeners"))
    while len(fds) < count + 1:
        before = len(fds)
        hear(talk, fds)
        if len(fds) == before:
            raise Failed("the old gate sends messages without sockets")
    if doors > count or len(fds) != count + 1:
        raise Failed("the old gate sends another number of sockets than it says")
    with open(fds.pop(0), "rb") as file:
        file.seek(0)
        data = file.read()
    if len(data) != size:
        raise Failed("the old gate's state has another length than it says")
    state = unpack(data)
    sockets = [_adopted(fd) for fd in fds]
    fds.clear()
    return Estate(talk, predecessor, state, sockets[:doors], sockets[doors:])


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Failed("the old gate does not count")
    return value


def _adopted(fd: int) -> socket.socket:
    made = socket.socket(fileno=fd)
    made.setblocking(False)
    return made


def _closed() -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.close()
    return made


def _peer(talk: socket.socket) -> int:
    raw = talk.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[0])
