"""A small NBD client in words: negotiation by hand or as a whole, reads, writes, floods.

Independent of the product's own protocol numbers, so that the two check each other.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, sleep

EXPORT_NAME, ABORT, LIST, STARTTLS, INFO, GO, STRUCTURED, LIST_META, SET_META = (
    1, 2, 3, 5, 6, 7, 8, 9, 10,
)  # fmt: skip
ACK, SERVER, INFO_REPLY, META = 1, 2, 3, 4
UNSUP, POLICY, INVALID, UNKNOWN = (0x80000000 + n for n in (1, 2, 3, 6))
READ, WRITE, DISC, FLUSH, TRIM, ZEROES, STATUS = 0, 1, 2, 3, 4, 6, 7
MULTI_CONN = 1 << 8


class NbdError(Exception):
    """The server refused: an option's error or a command's."""

    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(f"{code:#x} {text}")
        self.code = code


class Closed(Exception):
    """The server ended the connection."""


@dataclass
class Board:
    """One connection. ``source`` is the address it comes from (loopback has many)."""

    port: int
    host: str = "127.0.0.1"
    source: str = ""
    unix: str = ""
    timeout: float = 10.0
    size: int = 0
    flags: int = 0
    structured: bool = False
    handle: int = 0
    sock: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        if self.unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.unix)
            return
        source = (self.source, 0) if self.source else None
        self.sock = socket.create_connection((self.host, self.port), self.timeout, source)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def take(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            try:
                part = self.sock.recv(min(count - len(got), 1 << 20))
            except ConnectionResetError:
                raise Closed from None
            if not part:
                raise Closed
            got += part
        return bytes(got)

    def greet(self, flags: int = 3) -> None:
        magic, have, _ = struct.unpack(">8s8sH", self.take(18))
        assert (magic, have) == (b"NBDMAGIC", b"IHAVEOPT")
        self.send(struct.pack(">I", flags))

    def option(self, number: int, data: bytes = b"") -> list[tuple[int, bytes]]:
        """All replies to one option, the last of them too; raises NbdError for an error."""
        self.send(struct.pack(">8sII", b"IHAVEOPT", number, len(data)) + data)
        replies: list[tuple[int, bytes]] = []
        while True:
            magic, about, kind, length = struct.unpack(">QIII", self.take(20))
            assert (magic, about) == (0x3E889045565A9, number)
            replies.append((kind, self.take(length)))
            if kind & 0x80000000:
                raise NbdError(kind, replies[-1][1].decode(errors="replace"))
            if kind == ACK:
                return replies

    @staticmethod
    def named(export: str, tail: bytes = b"\0\0") -> bytes:
        name = export.encode()
        return struct.pack(">I", len(name)) + name + tail

    def go(self, export: str, option: int = GO) -> Board:
        for kind, data in self.option(option, self.named(export)):
            if kind == INFO_REPLY and data[:2] == b"\0\0":
                self.size, self.flags = struct.unpack(">QH", data[2:])
        return self

    def export_name(self, export: str, zeroes: bool = False) -> Board:
        name = export.encode()
        self.send(struct.pack(">8sII", b"IHAVEOPT", EXPORT_NAME, len(name)) + name)
        self.size, self.flags = struct.unpack(">QH", self.take(10))
        if zeroes:
            assert self.take(124) == bytes(124)
        return self

    def request(self, command: int, offset: int = 0, length: int = 0, data: bytes = b"") -> int:
        self.handle += 1
        head = struct.pack(">IHHQQI", 0x25609513, 0, command, self.handle, offset, length)
        self.send(head + data)
        return self.handle

    def reply(self) -> int:
        """The head of a simple reply; the handle it answers."""
        magic, error, handle = struct.unpack(">IIQ", self.take(16))
        assert magic == 0x67446698
        if error:
            raise NbdError(error)
        return int(handle)

    def read(self, offset: int, length: int) -> bytes:
        assert self.request(READ, offset, length) == self.reply()
        return self.take(length)

    def write(self, offset: int, data: bytes) -> None:
        assert self.request(WRITE, offset, len(data), data) == self.reply()

    def flush(self) -> None:
        assert self.request(FLUSH) == self.reply()

    def trim(self, offset: int, length: int) -> None:
        assert self.request(TRIM, offset, length) == self.reply()

    def leave(self) -> None:
        """Disconnect as the protocol wants it."""
        with suppress(Closed):
            self.request(DISC)
        self.sock.close()

    def gone(self) -> bool:
        """Whether the server has ended the connection (waits for it up to the timeout)."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


def board(port: int, export: str, source: str = "", host: str = "127.0.0.1") -> Board:
    """Connected to its disk. Raises Closed, NbdError."""
    one = Board(port, host, source)
    try:
        one.greet()
        return one.go(export)
    except BaseException:
        one.sock.close()
        raise


def until(true: Callable[[], object], seconds: float = 5.0) -> bool:
    """Poll a condition; False when it does not come true in time."""
    deadline = monotonic() + seconds
    while not true():
        if monotonic() >= deadline:
            return False
        sleep(0.01)
    return True


def main(arguments: list[str]) -> int:
    """``nbdclient.py HOST PORT EXPORT size | read OFFSET LENGTH | write OFFSET TEXT``.

    For a program inside a namespace: bytes read go to standard output, a write is flushed.
    Exit code 3 with a line on standard error when the board is not let in.
    """
    host, port, export, act, *rest = arguments
    try:
        with board(int(port), export, host=host) as one:
            if act == "size":
                sys.stdout.write(f"{one.size}\n")
            elif act == "read":
                sys.stdout.buffer.write(one.read(int(rest[0]), int(rest[1])))
            else:
                one.write(int(rest[0]), rest[1].encode())
                one.flush()
            one.leave()
    except (Closed, NbdError, OSError) as error:
        sys.stderr.write(f"{error!r}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
