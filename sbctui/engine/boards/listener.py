"""Hearing what boards ask of any DHCP server on our interfaces: it answers nothing.

dnsmasq's log doesn't tell what a client's request holds, so the packets themselves are looked at,
through a packet socket (man 7 packet) that only requests to port 67 pass. Needs root.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from sbctui.engine.boards.packet import SERVER_PORT, Asked, parse

_IPV4 = 0x0800
_OUTGOING = 4
"""Packet type of what this machine sends itself (linux/if_packet.h)."""
_ATTACH_FILTER = 26
_QUEUE_FORCED = 33
_QUEUE = 4 << 20
"""Bytes of the kernel's queue: some two thousand requests."""
_LONGEST = 2048
_A_SECOND = 1000
"""Requests taken apart in a second; of more the queue keeps what it holds."""
_FILTER = (
    (0x30, 0, 0, 9),  # protocol
    (0x15, 0, 6, 17),  # UDP, else drop
    (0x28, 0, 0, 6),
    (0x45, 4, 0, 0x1FFF),  # a later fragment: drop
    (0xB1, 0, 0, 0),  # length of the IP header
    (0x48, 0, 0, 2),  # destination port
    (0x15, 0, 1, SERVER_PORT),
    (0x06, 0, 0, _LONGEST),
    (0x06, 0, 0, 0),
)
"""Classic BPF: IPv4, UDP, no later fragment, to the DHCP server's port (linux/filter.h)."""


class Listener:
    """Calls ``take`` from a thread of its own with every request on ``interfaces()``."""

    def __init__(
        self, interfaces: Callable[[], Collection[str]], take: Callable[[Asked], None]
    ) -> None:
        self._interfaces = interfaces
        self._take = take
        self._thread: threading.Thread | None = None

    def begin(self) -> str:
        """Start; empty, or why requests can't be heard here. A second call does nothing."""
        if self._thread is not None:
            return ""
        try:
            self._socket = _opened()
        except OSError as error:
            return f"requests can't be heard on the wire: {error.strerror or error}"
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._follow, name="listener", daemon=True)
        self._thread.start()
        return ""

    def close(self) -> None:
        """Hear no more."""
        if self._thread is None:
            return
        self._waker.close()
        self._thread.join()
        self._thread = None
        self._woken.close()
        self._socket.close()

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        second, taken = 0.0, 0
        while all(fd != self._woken.fileno() for fd, _ in poll.poll()):
            now = time.monotonic()
            if now - second >= 1:
                second, taken = now, 0
            taken += 1
            if taken > _A_SECOND and select.select([self._woken], [], [], second + 1 - now)[0]:
                return
            with suppress(OSError):
                self._hear(*self._socket.recvfrom(_LONGEST))

    def _hear(self, packet: bytes, where: tuple[str, int, int, int, bytes]) -> None:
        if where[2] == _OUTGOING or where[0] not in self._interfaces():
            return
        asked = parse(packet)
        if asked is not None:
            self._take(asked)


def _lengthen(found: socket.socket) -> None:
    """Its queue: as long as the machine lets where root is root of a namespace alone."""
    try:
        found.setsockopt(socket.SOL_SOCKET, _QUEUE_FORCED, _QUEUE)
    except PermissionError:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUE)


def _opened() -> socket.socket:
    """A socket for the filtered packets, of every interface. Raises OSError unless root."""
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    found = socket.socket(socket.AF_PACKET, kind, socket.htons(_IPV4))
    try:
        _lengthen(found)
        code = b"".join(struct.pack("=HBBI", *line) for line in _FILTER)
        program = ctypes.create_string_buffer(code)
        found.setsockopt(
            socket.SOL_SOCKET,
            _ATTACH_FILTER,
            struct.pack("@HP", len(_FILTER), ctypes.addressof(program)),
        )
    except BaseException:
        found.close()
        raise
    return found
