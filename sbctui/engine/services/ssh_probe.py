"""Whether boards that have just started answer by ssh: connections that say nothing."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

from sbctui.engine.boards.timeline import PROBED
from sbctui.engine.model.boots import Boot

SSH = 22
_EVERY = 1.0
_LATER = 5.0
_SOON = 60.0
"""A board that has its disk for less than this (seconds) is asked every second, then less."""
_LONGEST = 3.0
"""Seconds that one attempt may take."""
_MOST = 256


class SshProbe:
    """Not thread-safe. Boards are asked from when they have their disk, for ten minutes."""

    def __init__(self, port: int = SSH) -> None:
        self._port = port
        self._wanted: dict[str, tuple[str, float]] = {}
        self._open: dict[str, tuple[socket.socket, float]] = {}
        self._next: dict[str, float] = {}

    def want(self, boots: Iterable[Boot], now: float) -> None:
        """Ask those of these boards that are starting, and no other; ``now`` in epoch seconds."""
        self._wanted = {
            boot.mac: (boot.ip, boot.disk)
            for boot in boots
            if boot.disk is not None and boot.ip and boot.up is None and boot.ended is None
            and 0 <= now - boot.disk < PROBED
        }  # fmt: skip
        for mac in self._open.keys() - self._wanted.keys():
            self._end(mac)
        self._next = {mac: self._next.get(mac, 0.0) for mac in self._wanted}

    def waiting(self) -> list[socket.socket]:
        """Connections that tell by being writable that something became of them."""
        return [sock for sock, _ in self._open.values()]

    def due(self) -> float:
        """When to look next, by the monotonic clock; 0: never."""
        ends = [began + _LONGEST for _, began in self._open.values()]
        starts = [at for mac, at in self._next.items() if mac not in self._open]
        return max(min([*ends, *starts], default=0.0), 1e-9) if ends or starts else 0.0

    def look(self) -> set[str]:
        """Begin what is due; the boards that have answered."""
        clock, wall = time.monotonic(), time.time()
        answered = {mac for mac in list(self._open) if self._answered(mac, clock)}
        for mac, (ip, since) in self._wanted.items():
            free = mac not in self._open and mac not in answered and len(self._open) < _MOST
            if free and clock >= self._next[mac]:
                self._next[mac] = clock + (_EVERY if wall - since < _SOON else _LATER)
                self._begin(mac, ip, clock)
        return answered

    def close(self) -> None:
        """Give up all attempts."""
        for mac in list(self._open):
            self._end(mac)

    def _begin(self, mac: str, ip: str, clock: float) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            found = sock.connect_ex((ip, self._port))
        except OSError as error:
            found = error.errno or errno.EINVAL
        if found in (0, errno.EINPROGRESS):
            self._open[mac] = (sock, clock)
        else:
            sock.close()

    def _answered(self, mac: str, clock: float) -> bool:
        sock, began = self._open[mac]
        found = errno.EINPROGRESS
        with suppress(OSError):
            sock.getpeername()
            found = 0
        if found and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            if clock - began >= _LONGEST:
                self._end(mac)
            return False
        self._end(mac)
        return not found

    def _end(self, mac: str) -> None:
        sock, _ = self._open.pop(mac)
        sock.close()
