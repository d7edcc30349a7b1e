"""What goes over the control socket: one JSON object a line, bounded, and errors by name."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from time import monotonic
from typing import Any, NoReturn

from pydantic import TypeAdapter

from sbctui.engine.errors import (
    BadInput,
    Locked,
    NoSpace,
    NotPermitted,
    Refused,
    SbcError,
    ServiceFailed,
)
from sbctui.engine.model.boots import BootNews
from sbctui.engine.model.site import Lease, Seen, Session
from sbctui.engine.model.text import clean
from sbctui.engine.services.port import Changes, Status

CONTROL = "control"
"""Name of the control socket in the runtime folder."""
REQUEST_BYTES = 64 * 1024
"""Longest request a supervisor reads."""
ANSWER_BYTES = 64 * 1024 * 1024
"""Longest answer a client reads."""

STATUSES = TypeAdapter(tuple[Status, ...])
SESSIONS = TypeAdapter(tuple[Session, ...])
LEASES = TypeAdapter(tuple[Lease, ...])
SEEN = TypeAdapter(tuple[Seen, ...])
BOOTS = TypeAdapter(BootNews)
CHANGES = TypeAdapter(Changes)

_ERRORS: Mapping[str, type[SbcError]] = {
    kind.__name__: kind
    for kind in (BadInput, Locked, NoSpace, NotPermitted, Refused, ServiceFailed)
}


class Line:
    """One end of a connection, in lines."""

    def __init__(self, connection: socket.socket, limit: int) -> None:
        self._socket = connection
        self._limit = limit
        self._held = b""

    def read(self, seconds: float) -> bytes:
        """The next line; empty at the end. Raises TimeoutError, ValueError when too long."""
        deadline = monotonic() + seconds
        parts = [self._held]
        size = len(self._held)
        while b"\n" not in parts[-1]:
            if size > self._limit:
                raise ValueError("the message is too long")
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            parts.append(self._socket.recv(1 << 16))
            size += len(parts[-1])
            if not parts[-1]:
                return b""
        line, _, self._held = b"".join(parts).partition(b"\n")
        return line

    def write(self, message: dict[str, Any], seconds: float) -> None:
        """Send one message whole."""
        self._socket.settimeout(seconds)
        self._socket.sendall(json.dumps(message).encode() + b"\n")


def peer(connection: socket.socket) -> tuple[int, int]:
    """(process, user) on the other end of a unix socket."""
    size = struct.calcsize("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


def failure(error: Exception) -> dict[str, Any]:
    """An error as an answer."""
    return {"ok": False, "error": type(error).__name__, "message": str(error)}


def raise_failure(answer: Mapping[str, Any]) -> NoReturn:
    """Raise an answer's error as what it was; any other as ServiceFailed."""
    message = clean(str(answer.get("message") or "the services gave no reason"))
    raise _ERRORS.get(str(answer.get("error")), ServiceFailed)(message)
