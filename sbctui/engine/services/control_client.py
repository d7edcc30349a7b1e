"""One request to a site's supervisor over its control socket."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services import control_wire as wire
from sbctui.engine.services.control_wire import CONTROL, Line, peer
from sbctui.engine.services.rundir import run_dir
from sbctui.engine.services.supervise_holder import read_holder

_ASK = 5.0


class Silent(Exception):
    """No supervisor answers."""


class Caller:
    """Finds a site's supervisor and asks it; every request has a connection of its own."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def run(self) -> Path:
        """The runtime folder of whoever supervises, or supervised last."""
        holder = read_holder(self.site)
        return holder.run if holder else run_dir(self.site)

    def ask(self, op: str, *, seconds: float = _ASK, **fields: object) -> Any:
        """One request. Raises Silent; what the supervisor raised; ServiceFailed when late."""
        with self._connect() as connection:
            line = Line(connection, wire.ANSWER_BYTES)
            try:
                line.write({"op": op, **fields}, seconds)
                raw = line.read(seconds)
            except TimeoutError:
                raise ServiceFailed(
                    f"the supervisor gave no answer to {op!r} within {seconds:g} s; "
                    f"see {self.site / 'state' / 'supervise.log'}"
                ) from None
            except (OSError, ValueError):
                raise Silent from None
        try:
            message = json.loads(raw or b"null")
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise Silent
        if message.get("ok") is not True:
            wire.raise_failure(message)
        return message.get("value")

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(_ASK)
            connection.connect(os.fspath(self.run() / CONTROL))
            _, uid = peer(connection)
            if uid not in (0, os.geteuid(), self.site.stat().st_uid):
                raise Silent
        except (OSError, Silent):
            connection.close()
            raise Silent from None
        return connection
