"""Fetching a file by TFTP (RFC 1350, with the block size of RFC 2348) as U-Boot does."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv4Address

BLOCK = 1468


def fetch(server: IPv4Address, path: str, seconds: float = 5.0, tries: int = 6) -> bytes:
    """The file. Raises FileNotFoundError with what the server said, TimeoutError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds / tries)
        ask = b"\0\1" + path.encode() + b"\0octet\0blksize\0" + str(BLOCK).encode() + b"\0"
        last, peer = ask, (str(server), 69)
        parts: list[bytes] = []
        size, left = BLOCK, tries
        while True:
            sock.sendto(last, peer)
            try:
                data, peer = sock.recvfrom(BLOCK + 4)
            except TimeoutError:
                left -= 1
                if not left:
                    raise
                continue
            kind, number = struct.unpack_from("!HH", data)
            if kind == 5:
                raise FileNotFoundError(data[4:].rstrip(b"\0").decode(errors="replace"))
            if kind == 6:
                last = struct.pack("!HH", 4, 0)
                continue
            if number == (len(parts) + 1) & 0xFFFF:
                parts.append(data[4:])
                left = tries
            last = struct.pack("!HH", 4, len(parts) & 0xFFFF)
            if len(parts[-1]) < size:
                sock.sendto(last, peer)
                return b"".join(parts)
