"""A DHCP request as it came off the wire, taken apart. Pure, and ready for anything.

IPv4 is RFC 791, UDP RFC 768, BOOTP RFC 951, DHCP and its options RFC 2131 and 2132, user class
RFC 3004, processor type and machine id RFC 4578.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_mac
from sbctui.engine.model.text import clean

SERVER_PORT = 67
_UDP = 17
_UDP_HEADER = 8
_BOOTP = 240
"""Bytes before the options, the cookie included."""
_COOKIE = b"\x63\x82\x53\x63"
_PAD, _END = 0, 255
_HOST_NAME, _KIND, _CLASS, _USER_CLASS, _ARCH, _MACHINE = 12, 53, 60, 77, 93, 97
_ASKS = {0: "bootp", 1: "discover", 3: "request", 8: "inform"}
_MOST_OPTIONS = 128
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a client. Texts are cleaned; ``arch`` is option 93, -1 when not said.

    ``kind`` is ``discover``, ``request``, ``inform`` or ``bootp``; ``machine`` is option 97 with
    its leading type byte.
    """

    mac: str
    xid: int
    kind: str
    vendor_class: str = ""
    user_class: str = ""
    hostname: str = ""
    arch: int = -1
    machine: bytes = b""


def parse(packet: bytes) -> Asked | None:
    """The request in an IPv4 packet; None for anything else, and for what is malformed."""
    payload = _payload(packet)
    if len(payload) < _BOOTP or payload[:3] != b"\1\1\6" or payload[236:240] != _COOKIE:
        return None
    options = _options(payload[_BOOTP:])
    kind = _ASKS.get(options.get(_KIND, b"\0")[:1].ljust(1, b"\0")[0])
    if kind is None:
        return None
    try:
        mac = parse_mac(payload[28:34].hex())
    except BadInput:
        return None
    arch = options.get(_ARCH, b"")
    return Asked(
        mac=mac,
        xid=struct.unpack_from("!I", payload, 4)[0],
        kind=kind,
        vendor_class=_text(options.get(_CLASS, b"")),
        user_class=_text(options.get(_USER_CLASS, b"")),
        hostname=_text(options.get(_HOST_NAME, b"")),
        arch=struct.unpack_from("!H", arch)[0] if len(arch) >= 2 else -1,
        machine=options.get(_MACHINE, b"")[:17],
    )


def _payload(packet: bytes) -> bytes:
    """What a UDP packet to the DHCP server's port carries; empty for any other."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return b""
    at = (packet[0] & 15) * 4
    fragment = struct.unpack_from("!H", packet, 6)[0] & 0x3FFF
    if packet[9] != _UDP or fragment or at < 20 or len(packet) < at + _UDP_HEADER:
        return b""
    _, port, size = struct.unpack_from("!HHH", packet, at)
    if port != SERVER_PORT:
        return b""
    return packet[at + _UDP_HEADER : at + size]


def _options(data: bytes) -> dict[int, bytes]:
    """Options by code, as far as they are whole; split ones are joined (RFC 3396)."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MOST_OPTIONS):
        while at < len(data) and data[at] == _PAD:
            at += 1
        if at + 2 > len(data) or data[at] == _END:
            break
        code, size = data[at], data[at + 1]
        if at + 2 + size > len(data):
            break
        found[code] = found.get(code, b"") + data[at + 2 : at + 2 + size]
        at += 2 + size
    return found


def _text(raw: bytes) -> str:
    return clean(raw.rstrip(b"\0")[:_LONGEST].decode("utf-8", errors="replace"))
