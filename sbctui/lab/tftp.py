"""A TFTP client as boot firmware has it: read one file (RFC 1350, options of RFC 2347 to 2349)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

PORT = 69
BLOCK = 1468
"""Bytes a packet that fit an Ethernet frame: what U-Boot asks for."""
_READ, _DATA, _ACK, _ERROR, _OPTIONS = 1, 3, 4, 5, 6
_WAIT, _TRIES = 1.0, 6
_LARGEST = 256 << 20


class TftpError(Exception):
    """The server refused, or said nothing; the message is its own, or says so."""


def fetch(
    server: IPv4Address, name: str, progress: Callable[[int], None] = lambda _: None
) -> bytes:
    """A file's bytes. ``progress`` gets how many there are, now and then. Raises TftpError."""
    words = (name, "octet", "blksize", str(BLOCK), "tsize", "0")
    request = struct.pack(">H", _READ) + b"".join(w.encode() + b"\0" for w in words)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_WAIT)
        return _Transfer(sock, (str(server), PORT), request).run(progress)


class _Transfer:
    """One read; ``_to`` becomes the port that the server answers from (its transfer id)."""

    def __init__(self, sock: socket.socket, to: tuple[str, int], request: bytes) -> None:
        self._sock = sock
        self._to = to
        self._request = request
        self._size = 512
        self._met = False

    def run(self, progress: Callable[[int], None]) -> bytes:
        got = bytearray()
        block = 1
        kind, data = self._exchange(self._request, 1)
        if kind == _OPTIONS:
            self._size = _agreed(data)
            _, data = self._exchange(struct.pack(">2H", _ACK, 0), 1)
        while True:
            got += data
            if block % 256 == 0:
                progress(len(got))
            answer = struct.pack(">2H", _ACK, block & 0xFFFF)
            if len(data) < self._size:
                self._sock.sendto(answer, self._to)
                return bytes(got)
            if len(got) > _LARGEST:
                raise TftpError(f"the file has more than {_LARGEST >> 20} MiB")
            block += 1
            _, data = self._exchange(answer, block & 0xFFFF)

    def _exchange(self, packet: bytes, wanted: int) -> tuple[int, bytes]:
        """Send, and again when nothing comes: the wanted block, or the options agreed to."""
        for _ in range(_TRIES):
            self._sock.sendto(packet, self._to)
            try:
                while True:
                    kind, number, data = self._receive()
                    if kind == _ERROR:
                        said = data.split(b"\0")[0].decode(errors="replace")
                        raise TftpError(said or f"error {number}")
                    if kind == _OPTIONS or (kind == _DATA and number == wanted):
                        return kind, data
            except TimeoutError:
                continue
            except OSError as error:
                raise TftpError(error.strerror or str(error)) from None
        raise TftpError("the server does not answer")

    def _receive(self) -> tuple[int, int, bytes]:
        while True:
            packet, source = self._sock.recvfrom(65535)
            if len(packet) < 4 or source[0] != self._to[0]:
                continue
            if not self._met:
                self._to, self._met = source, True
            if source != self._to:
                continue
            kind, number = struct.unpack_from(">2H", packet)
            return (kind, 0, packet[2:]) if kind == _OPTIONS else (kind, number, packet[4:])


def _agreed(options: bytes) -> int:
    """The block size in the server's answer."""
    words = [w.decode(errors="replace").lower() for w in options.split(b"\0")]
    pairs = dict(zip(words[::2], words[1::2], strict=False))
    size = pairs.get("blksize", "")
    return int(size) if size.isdecimal() else 512
