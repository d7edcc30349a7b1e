"""The supervisor's side of the control socket: bounded, for the site's owner and root only."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbctui.engine.errors import BadInput
from sbctui.engine.services.control_wire import REQUEST_BYTES, Line, failure, peer

_CONNECTIONS = 32
_IDLE = 10.0
"""Seconds a connection may be silent, and an answer may take to be taken."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its fields as sent, and the process that asks."""

    fields: Mapping[str, Any]
    pid: int

    def text(self, name: str) -> str:
        """A field that must be text. Raises BadInput."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 255:
            raise BadInput(f"the request wants a text {name!r}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A field that must be a list of texts; missing is empty. Raises BadInput."""
        value = self.fields.get(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise BadInput(f"the request wants a list of texts {name!r}")
        return tuple(value)

    def number(self, name: str) -> int:
        """A field that must be a whole number; missing is 0. Raises BadInput."""
        value = self.fields.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
            raise BadInput(f"the request wants a number {name!r}")
        return value

    def flag(self, name: str) -> bool:
        """A field that is true or false; missing is false."""
        return self.fields.get(name) is True


Handler = Callable[[Call], Any]


class ControlServer:
    """Answers requests on a unix socket; every connection in a thread of its own."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler], owner: tuple[int, int]) -> None:
        self._path = path
        self._handlers = handlers
        self._users = {0, os.geteuid(), owner[0]}
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        temp = path.with_name(f".{path.name}.tmp")
        temp.unlink(missing_ok=True)
        os.fchmod(self._socket.fileno(), 0o600)
        self._socket.bind(os.fspath(temp))
        temp.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(temp, *owner)
        self._socket.listen(64)
        temp.replace(path)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def begin(self) -> None:
        """Start answering."""
        self._thread.start()

    def close(self) -> None:
        """Take no more connections; requests in progress are answered."""
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                if self._socket.fileno() < 0:
                    return
                threading.Event().wait(0.1)
                continue
            if not self._free.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                pid, uid = peer(connection)
                line = Line(connection, REQUEST_BYTES)
                while uid in self._users:
                    request = line.read(_IDLE)
                    if not request:
                        return
                    line.write(self._answer(request, pid), _IDLE)
        except (OSError, ValueError):
            return
        finally:
            self._free.release()

    def _answer(self, request: bytes, pid: int) -> dict[str, Any]:
        try:
            fields = _parse(request)
            handler = self._handlers.get(str(fields.get("op")))
            if handler is None:
                raise BadInput(f"unknown request; known are {', '.join(sorted(self._handlers))}")
            return {"ok": True, "value": handler(Call(fields, pid))}
        except Exception as error:  # noqa: BLE001 - the supervisor outlives any request
            return failure(error)


def _parse(request: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(request)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadInput("a request is one JSON object on one line")
    return fields
