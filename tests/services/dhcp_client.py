"""DHCP requests of real firmware, byte for byte as documented, and the answers taken apart."""

from __future__ import annotations

import itertools
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import IPv4Address

DISCOVER, OFFER, REQUEST, DECLINE, ACK = 1, 2, 3, 4, 5
MASK, ROUTER, HOST_NAME, VENDOR, ADDRESS, KIND, SERVER, ASKED_FOR = 1, 3, 12, 43, 50, 53, 54, 55
CLASS, TFTP_SERVER, BOOT_FILE, USER_CLASS, ARCH, UUID = 60, 66, 67, 77, 93, 97
_COOKIE = b"\x63\x82\x53\x63"
_xids = itertools.count(0x1000)

PI3 = {
    CLASS: b"PXEClient:Arch:00000:UNDI:002001",
    ARCH: b"\0\0",
    94: b"\1\2\1",
    UUID: b"\0" + b"\x44" * 16,
    ASKED_FOR: bytes((1, 3, 43, 60, 66, 67, 128, 129, 130, 131, 132, 133, 134, 135)),
}
"""The ROM of a Pi 3: option 97 is 44 in every byte."""


def pi(mac: str, kind: bytes = b"RPi4", revision: int = 0xC03114, serial: int = 0x9FFEFDEF):
    """What the EEPROM of a Pi 4 or 5 asks with."""
    tail = bytes.fromhex(mac.replace(":", ""))[2:]
    uuid = b"\0" + kind + struct.pack("<I", revision) + tail + struct.pack("<I", serial)
    return {**PI3, UUID: uuid}


UBOOT = {CLASS: b"U-Boot.armv8", ASKED_FOR: bytes((1, 3, 6, 12, 17, 66, 67))}
UEFI = {
    CLASS: b"PXEClient:Arch:00007:UNDI:003016",
    ARCH: b"\0\7",
    94: b"\1\3\x10",
    UUID: b"\0" + bytes(range(16)),
    ASKED_FOR: bytes((1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 43, 54, 60, 66, 67, 97)),
}
UEFI_HTTP = {**UEFI, CLASS: b"HTTPClient:Arch:00016:UNDI:003001", ARCH: b"\0\x10"}
BIOS = {**UEFI, CLASS: PI3[CLASS], ARCH: b"\0\0", 94: b"\1\2\1"}
"""The PXE of a PC's BIOS: as a Pi's ROM but for the machine id."""
IPXE = {**UEFI, USER_CLASS: b"iPXE", 175: b"\xb1\1\1"}


@dataclass(frozen=True)
class Answer:
    kind: int
    ip: IPv4Address
    siaddr: IPv4Address
    file: str
    options: dict[int, bytes]


def packet(mac: str, kind: int, xid: int, options: dict[int, bytes]) -> bytes:
    """One request; the answer is asked to be broadcast."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    head = struct.pack("!BBBBIHH16x16s192x", 1, 1, 6, 0, xid, 4, 0x8000, hardware)
    body = b"".join(bytes((c, len(v))) + v for c, v in {KIND: bytes((kind,)), **options}.items())
    return (head + _COOKIE + body + b"\xff").ljust(300, b"\0")


def parse(data: bytes) -> tuple[int, Answer]:
    """(transaction id, the answer)."""
    (xid,) = struct.unpack_from("!I", data, 4)
    ip, siaddr = IPv4Address(data[16:20]), IPv4Address(data[20:24])
    options: dict[int, bytes] = {}
    at = 240
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        code, size = data[at], data[at + 1]
        options[code] = options.get(code, b"") + data[at + 2 : at + 2 + size]
        at += 2 + size
    file = data[108:236].split(b"\0")[0].decode()
    return xid, Answer(options.get(KIND, b"\0")[0], ip, siaddr, file, options)


class Client:
    """A DHCP client on the interface of the namespace that the thread is in."""

    def __init__(self, mac: str, device: str = "eth0") -> None:
        self.mac = mac
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self.sock.bind(("", 68))

    def ask(self, kind: int, options: dict[int, bytes], seconds: float = 3.0) -> Answer | None:
        """Send, again after a second as firmware does, and wait for the answer to it."""
        xid = next(_xids)
        deadline = time.monotonic() + seconds
        again = 0.0
        while (now := time.monotonic()) < deadline:
            if now >= again:
                self.send(kind, options, xid)
                again = now + 1
            self.sock.settimeout(min(deadline, again) - now)
            try:
                data = self.sock.recv(2048)
            except TimeoutError:
                continue
            found, answer = parse(data)
            if found == xid:
                return answer
        return None

    def send(self, kind: int, options: dict[int, bytes], xid: int = 1) -> None:
        """Send without waiting."""
        data = packet(self.mac, kind, xid, options)
        self.sock.sendto(data, ("255.255.255.255", 67))

    def lease(self, options: dict[int, bytes], seconds: float = 3.0) -> Answer | None:
        """The whole conversation: the last answer, or None."""
        offer = self.ask(DISCOVER, options, seconds)
        if offer is None or offer.kind != OFFER:
            return None
        chosen = {ADDRESS: offer.ip.packed, SERVER: offer.options[SERVER]}
        return self.ask(REQUEST, {**options, **chosen}, seconds)

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
