"""Asking the gate: a short connection to its control socket for each request."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic
from typing import Any

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.site import Session
from sbctui.engine.model.text import clean
from sbctui.engine.services.gate_rules import SOCKET

_PATIENCE = 5.0


class GateAway(ServiceFailed):
    """The gate is not running, so nobody is connected through it."""


class GateClient:
    """A site's gate, by its runtime folder. Thread-safe. Everything raises ServiceFailed."""

    def __init__(self, run: Path) -> None:
        self._socket = run / SOCKET

    def ping(self, seconds: float = 1.0) -> int:
        """The gate's process id."""
        return int(self._ask("ping", seconds)["pid"])

    def replace(self, rules: Mapping[str, IPv4Address]) -> None:
        """The whole map of export to address. Sessions go on; what is closed stays closed."""
        self._ask("rules", rules={export: str(ip) for export, ip in rules.items()})

    def put(self, export: str, address: IPv4Address | None) -> None:
        """One rule, or None to take it away; a session there goes on."""
        self._ask("rule", export=export, address=str(address) if address else "")

    def close(self, export: str) -> int:
        """Admit nobody to an export until ``open``; how many sessions it still has."""
        return int(self._ask("close", export=export)["sessions"])

    def open(self, export: str) -> None:
        """Undo ``close``."""
        self._ask("open", export=export)

    def cut(self, export: str) -> None:
        """End an export's session and wait until the storage daemon has let go of it."""
        if not self._ask("cut", export=export)["gone"]:
            raise ServiceFailed(
                f"{export}: the storage daemon still works on what its session left; try again"
            )

    def sessions(self) -> tuple[Session, ...]:
        """Everybody who is connected, or just leaving."""
        return tuple(Session(**facts) for facts in self._ask("sessions")["sessions"])

    def _ask(self, act: str, seconds: float = _PATIENCE, **fields: object) -> dict[str, Any]:
        deadline = monotonic() + seconds
        line = json.dumps({"do": act, **fields}).encode() + b"\n"
        try:
            answer = self._talk(line, deadline)
        except (FileNotFoundError, ConnectionRefusedError):
            raise GateAway(
                "the gate is not running; start it with: sbctui services start"
            ) from None
        except OSError as error:
            raise ServiceFailed(
                f"the gate does not answer within {seconds:g} s ({error.strerror or error})"
            ) from None
        if not answer.get("ok"):
            raise ServiceFailed(f"the gate refuses: {clean(str(answer.get('error')))}")
        return answer

    def _talk(self, line: bytes, deadline: float) -> dict[str, Any]:
        """One exchange; once more with the successor of a gate that has handed itself over."""
        while True:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.settimeout(max(0.001, deadline - monotonic()))
                    sock.connect(str(self._socket))
                    sock.sendall(line)
                    return _line(sock, deadline)
            except (_Ended, ConnectionResetError, BrokenPipeError):
                if monotonic() >= deadline:
                    raise


class _Ended(OSError):
    """The connection ended before the answer."""


def _line(sock: socket.socket, deadline: float) -> dict[str, Any]:
    """One JSON object. Raises OSError when the connection ends or time is up."""
    data = bytearray()
    while not data.endswith(b"\n"):
        sock.settimeout(max(0.001, deadline - monotonic()))
        part = sock.recv(1 << 16)
        if not part:
            raise _Ended("it ended")
        data += part
    answer = json.loads(data)
    if not isinstance(answer, dict):
        raise OSError("no object")
    return answer
