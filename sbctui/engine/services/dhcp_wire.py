"""DHCP messages as a client sends and reads them (RFC 2131, RFC 2132), on a raw socket.

A raw socket, because a client has no address yet when it asks, and because a question asked so
from this machine is not heard by a server on it: what answers is somebody else.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE = 1, 2, 3, 4, 5, 6, 7
"""Message types (RFC 2132, 9.6)."""
MASK, LEASE, TYPE, SERVER, ASKED, WANTED, CLASS, BOOT_FILE = 1, 51, 53, 54, 50, 55, 60, 67
"""Options by number (RFC 2132)."""
_WANTS = bytes((1, 3, 12, 15, 17, 43, 51, 54, 60, 66, 67))
_COOKIE = bytes((99, 130, 83, 99))
_HEAD = struct.Struct(">4BIHH4s4s4s4s16s64s128s")
_IP = struct.Struct(">2BHHHBBH4s4s")
_UDP = struct.Struct(">4H")
_BROADCAST_FLAG = 0x8000
_CLIENT, _SERVER = 68, 67
_EVERYBODY = b"\xff" * 6
_ETH_IP, _ETH_ALL_BYTES = 0x0800, 65535
_PAD, _END = 0, 255
_NONE = IPv4Address(0)


@dataclass(frozen=True, slots=True)
class Message:
    """One DHCP message. ``xid`` ties answers to questions; ``options`` are raw, by number.

    ``yours`` is the address offered, ``next`` where boot files are (siaddr), ``file`` the boot
    file's name.
    """

    kind: int
    xid: int
    mac: bytes
    yours: IPv4Address = _NONE
    next: IPv4Address = _NONE
    file: str = ""
    options: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def server(self) -> IPv4Address:
        """Who answered; 0.0.0.0 where it does not say."""
        return _address(self.options.get(SERVER, b""))

    @property
    def prefix(self) -> int:
        """Bits of the subnet's mask; 24 where the server does not say."""
        mask = self.options.get(MASK, b"")
        return int.from_bytes(mask, "big").bit_count() if len(mask) == 4 else 24

    @property
    def seconds(self) -> int:
        """How long the address may be kept."""
        return int.from_bytes(self.options.get(LEASE, b"\0"), "big")


def pack(message: Message) -> bytes:
    """A question of a client, for everybody's address, and to be answered there."""
    options = {TYPE: bytes((message.kind,)), WANTED: _WANTS, **message.options}
    body = b"".join(bytes((number, len(data))) + data for number, data in options.items())
    none = bytes(4)
    head = _HEAD.pack(
        1, 1, 6, 0, message.xid, 0, _BROADCAST_FLAG, none, none, none, none,
        message.mac.ljust(16, b"\0"), b"", b"",
    )  # fmt: skip
    return (head + _COOKIE + body + bytes((_END,))).ljust(300, b"\0")


def unpack(data: bytes) -> Message | None:
    """A server's answer; None for what is none, or is torn."""
    if len(data) < _HEAD.size + 4 or data[_HEAD.size :][:4] != _COOKIE:
        return None
    fields = _HEAD.unpack_from(data)
    options = dict(_options(data[_HEAD.size + 4 :]))
    if fields[0] != 2 or len(options.get(TYPE, b"")) != 1:
        return None
    named = options.get(BOOT_FILE, fields[13]).split(b"\0")[0]
    return Message(
        kind=options[TYPE][0],
        xid=fields[4],
        mac=fields[11][:6],
        yours=_address(fields[8]),
        next=_address(fields[9]),
        file=named.decode("ascii", errors="replace"),
        options=options,
    )


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 1 < len(data) and data[at] != _END:
        if data[at] == _PAD:
            at += 1
            continue
        length = data[at + 1]
        yield data[at], data[at + 2 : at + 2 + length]
        at += 2 + length


def _address(data: bytes) -> IPv4Address:
    return IPv4Address(data) if len(data) == 4 else _NONE


class Line:
    """A network card as a DHCP client without an address uses it."""

    def __init__(self, card: socket.socket, interface: str) -> None:
        self._card = card
        self._interface = interface
        self.mac: bytes = card.getsockname()[4]

    def send(self, message: Message) -> None:
        """Say it to everybody on the network. Raises OSError."""
        packet = _wrapped(pack(message))
        self._card.sendto(packet, (self._interface, _ETH_IP, 0, 0, _EVERYBODY))

    def answers(self, xid: int, seconds: float) -> Iterator[Message]:
        """What servers say to this question, for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._card.settimeout(left)
            try:
                packet = self._card.recv(_ETH_ALL_BYTES)
            except TimeoutError:
                return
            message = unpack(_unwrapped(packet))
            if message is not None and message.xid == xid:
                yield message

    def ask(self, message: Message, seconds: float) -> Message | None:
        """Say it and wait for the first answer."""
        self.send(message)
        return next(self.answers(message.xid, seconds), None)


@contextmanager
def line(interface: str) -> Iterator[Line]:
    """Use a network card. Raises OSError: PermissionError without the right to raw sockets."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_IP)) as card:
        card.bind((interface, _ETH_IP))
        yield Line(card, interface)


def new_xid() -> int:
    """A number for a new question."""
    return secrets.randbits(32)


def strangers(interface: str, seconds: float = 3.0) -> tuple[IPv4Address, ...]:
    """Servers on the network behind an interface that offer an address to anybody.

    Asks with an address of its own making and takes nothing. A DHCP server of this machine is
    not among them. Raises OSError like ``line``.
    """
    found: dict[IPv4Address, None] = {}
    with line(interface) as card:
        unknown = b"\x02" + secrets.token_bytes(5)
        question = Message(DISCOVER, new_xid(), unknown)
        for _ in range(2):
            card.send(question)
            for answer in card.answers(question.xid, seconds / 2):
                if answer.kind == OFFER:
                    found[answer.server] = None
    return tuple(found)


def _wrapped(data: bytes) -> bytes:
    """The message in UDP in IP, from nobody to everybody; UDP without its checksum."""
    udp = _UDP.pack(_CLIENT, _SERVER, _UDP.size + len(data), 0) + data
    everybody = b"\xff" * 4
    parts = (0x45, 0, _IP.size + len(udp), 0, 0, 64, socket.IPPROTO_UDP)
    head = _IP.pack(*parts, 0, bytes(4), everybody)
    return _IP.pack(*parts, _checksum(head), bytes(4), everybody) + udp


def _unwrapped(packet: bytes) -> bytes:
    """What a UDP packet to a DHCP client carries; empty for every other packet."""
    size = max(_IP.size, (packet[0] & 15) * 4) if packet else _IP.size
    if len(packet) < size + _UDP.size or packet[9] != socket.IPPROTO_UDP:
        return b""
    _, to, length, _ = _UDP.unpack_from(packet, size)
    return packet[size + _UDP.size : size + length] if to == _CLIENT else b""


def _checksum(head: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f">{len(head) // 2}H", head))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
