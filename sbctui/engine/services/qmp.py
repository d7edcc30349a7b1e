"""A client of QEMU's machine protocol (QMP): JSON objects over a unix socket, one at a time."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from time import monotonic
from typing import Any

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.text import clean

_MAX_ANSWER = 64 << 20
_KEPT_EVENTS = 256


class QmpError(ServiceFailed):
    """The daemon refuses a command; the message is its own line."""


class QmpGone(ServiceFailed):
    """No daemon there, or its connection ended or stays silent; the client is closed."""


class Qmp:
    """One connection. Not thread-safe. After QmpGone it is closed and ``connect`` begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sock: socket.socket | None = None
        self._data = bytearray()
        self._events: list[dict[str, Any]] = []
        self.pid = 0

    @property
    def connected(self) -> bool:
        """Whether the last exchange left the connection usable."""
        return self._sock is not None

    def connect(self, timeout: float = 1.0) -> None:
        """Connect, greet and leave the capabilities' negotiation behind. Raises QmpGone.

        A daemon greets one client at a time: a second one waits until the first has left.
        """
        self.close()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(str(self._path))
        except OSError as error:
            sock.close()
            raise QmpGone(f"no daemon at {self._path.name}: {error.strerror}") from None
        self._sock = sock
        self.pid = _peer_pid(sock)
        try:
            greeting = self._receive(monotonic() + timeout)
        except _Late:
            raise self._gone("no greeting; another program is connected to it") from None
        if "QMP" not in greeting:
            raise self._gone("it does not speak QMP")
        self.execute("qmp_capabilities", timeout=timeout)

    def close(self) -> None:
        """Let go of the connection; the daemon goes on."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._data.clear()
        self._events.clear()

    def execute(
        self, command: str, arguments: dict[str, Any] | None = None, *, timeout: float = 10.0
    ) -> Any:
        """One command; its return value. Raises QmpError, QmpGone."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        deadline = monotonic() + timeout
        self._send(json.dumps(request).encode() + b"\n", timeout)
        while True:
            try:
                answer = self._receive(deadline)
            except _Late:
                raise self._gone(f"no answer to {command} within {timeout:g} s") from None
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(clean(str(answer["error"].get("desc", "no reason given"))))
            self._keep(answer)

    def wait_for(self, event: str, timeout: float, **data: object) -> bool:
        """Wait for an event whose data has these values, also a past one; False in vain."""
        deadline = monotonic() + timeout
        while True:
            for number, seen in enumerate(self._events):
                if seen["event"] == event and data.items() <= seen.get("data", {}).items():
                    del self._events[number]
                    return True
            try:
                self._keep(self._receive(deadline))
            except _Late:
                return False

    def _keep(self, answer: dict[str, Any]) -> None:
        if "event" in answer:
            self._events.append(answer)
            del self._events[:-_KEPT_EVENTS]

    def _send(self, data: bytes, timeout: float) -> None:
        if self._sock is None:
            raise QmpGone("not connected")
        try:
            self._sock.settimeout(timeout)
            self._sock.sendall(data)
        except OSError as error:
            raise self._gone(error.strerror or "silent") from None

    def _receive(self, deadline: float) -> dict[str, Any]:
        """The next object. Raises QmpGone; it is a _Late when only the time was up."""
        assert self._sock is not None
        while (end := self._data.find(b"\n")) < 0:
            try:
                self._sock.settimeout(max(0.001, deadline - monotonic()))
                part = self._sock.recv(1 << 18)
            except TimeoutError:
                raise _Late("no answer in time") from None
            except OSError as error:
                raise self._gone(error.strerror or "lost") from None
            if not part:
                raise self._gone("it ended")
            self._data += part
            if len(self._data) > _MAX_ANSWER:
                raise self._gone("its answer has no end")
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        try:
            answer = json.loads(line)
        except ValueError:
            raise self._gone("it does not speak JSON") from None
        if not isinstance(answer, dict):
            raise self._gone("it does not speak QMP")
        return answer

    def _gone(self, why: str) -> QmpGone:
        self.close()
        return QmpGone(f"the connection to {self._path.name} is lost: {why}")


class _Late(QmpGone):
    """Time is up between two messages."""


def _peer_pid(sock: socket.socket) -> int:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(raw[:4], "little")
