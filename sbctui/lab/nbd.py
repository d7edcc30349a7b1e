"""An NBD client as an initramfs has it: one export, read, write, flush.

The newstyle handshake and requests of the NBD protocol (proto.md of the NetworkBlockDevice
project), with simple replies.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Address

PORT = 10809
_GO, _ACK, _INFO = 7, 1, 3
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_OPTION_REPLY = 0x3E889045565A9
_REQUEST, _REPLY = 0x25609513, 0x67446698
_FIXED_NO_ZEROES = 3
_ERROR = 1 << 31


class NbdError(Exception):
    """The server refused or is gone; a sentence."""


class Disk:
    """An open export. ``size`` is in bytes. Every method raises NbdError."""

    def __init__(
        self,
        server: IPv4Address,
        port: int,
        export: str,
        source: IPv4Address | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.size = 0
        self._handle = 0
        bound = (str(source), 0) if source else None
        try:
            self._sock = socket.create_connection((str(server), port), timeout, bound)
        except OSError as error:
            raise NbdError(f"{server}:{port}: {error.strerror or error}") from None
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(export.encode())
        except BaseException:
            self._sock.close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk."""
        self._ask(_READ, offset, length)
        return self._take(length)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes on the disk; lasting after ``flush``."""
        self._ask(_WRITE, offset, len(data), data)

    def flush(self) -> None:
        """Have all that was written stored."""
        self._ask(_FLUSH)

    def leave(self) -> None:
        """Say goodbye and close."""
        with suppress(NbdError):
            self._send(struct.pack(">IHHQQI", _REQUEST, 0, _DISCONNECT, 0, 0, 0))
        self._sock.close()

    def _greet(self, export: bytes) -> None:
        magic, option, _ = struct.unpack(">8s8sH", self._take(18))
        if (magic, option) != (b"NBDMAGIC", b"IHAVEOPT"):
            raise NbdError("what answers is no NBD server")
        wanted = struct.pack(">I", len(export)) + export + b"\0\0"
        self._send(struct.pack(">I", _FIXED_NO_ZEROES))
        self._send(struct.pack(">8sII", b"IHAVEOPT", _GO, len(wanted)) + wanted)
        while True:
            reply, _, kind, length = struct.unpack(">QIII", self._take(20))
            data = self._take(length)
            if reply != _OPTION_REPLY:
                raise NbdError("what answers is no NBD server")
            if kind & _ERROR:
                said = data.decode(errors="replace")
                raise NbdError(said or f"the server refuses it (error {kind & ~_ERROR})")
            if kind == _INFO and data[:2] == b"\0\0":
                self.size = struct.unpack_from(">Q", data, 2)[0]
            if kind == _ACK:
                return

    def _ask(self, command: int, offset: int = 0, length: int = 0, data: bytes = b"") -> None:
        self._handle += 1
        head = struct.pack(">IHHQQI", _REQUEST, 0, command, self._handle, offset, length)
        self._send(head + data)
        magic, error, handle = struct.unpack(">IIQ", self._take(16))
        if (magic, handle) != (_REPLY, self._handle):
            raise NbdError("the server's answer is to another question")
        if error:
            raise NbdError(f"the server reports error {error}")

    def _send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError as error:
            raise NbdError(error.strerror or "the server does not take it") from None

    def _take(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            try:
                part = self._sock.recv(min(count - len(got), 1 << 20))
            except OSError as error:
                raise NbdError(error.strerror or "the server does not answer") from None
            if not part:
                raise NbdError("the server ended the connection")
            got += part
        return bytes(got)
