"""Telling the storage daemon which parts of a disk hold data.

Its dirty bitmaps can only be made by writing. So a node without content (null-co) of the disk's
size is written zeroes where there is data: that costs no transfer, and its bitmap is then merged.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.files import data_ranges
from sbctui.engine.services import nbd

GRAIN = 64 * 1024
"""Bytes of a bit; the storage daemon copies no less at once."""
_LONGEST = 1 << 30
_AT_ONCE = 32
_PATIENCE = 10.0


def grains(fd: int) -> list[tuple[int, int]]:
    """The (start, end) ranges of an open file that hold data, in whole grains but at its end."""
    size = os.fstat(fd).st_size
    found: list[tuple[int, int]] = []
    for start, end in data_ranges(fd, size):
        start, end = start - start % GRAIN, min(size, end + -end % GRAIN)
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def mark(server: Path, export: str, ranges: Iterable[tuple[int, int]]) -> None:
    """Write zeroes to an export of the storage daemon. Raises ServiceFailed."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(os.fspath(server))
            _enter(sock, export.encode())
            waiting = 0
            for start, length in _pieces(ranges):
                sock.sendall(_request(nbd.CMD_WRITE_ZEROES, start, length))
                waiting += 1
                if waiting == _AT_ONCE:
                    waiting -= _answered(sock)
            while waiting:
                waiting -= _answered(sock)
            sock.sendall(_request(nbd.CMD_DISC, 0, 0))
    except OSError as error:
        raise ServiceFailed(f"the storage daemon does not take notes: {error}") from None


def _enter(sock: socket.socket, name: bytes) -> None:
    """Greeting and OPT_GO."""
    _take(sock, len(nbd.GREETING))
    sock.sendall(struct.pack(">I", nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES))
    sock.sendall(nbd.pack_option(nbd.OPT_GO, nbd.pack_go(name)))
    while True:
        _, _, kind, length = nbd.REPLY.unpack(_take(sock, nbd.REPLY.size))
        _take(sock, length)
        if kind == nbd.REP_ACK:
            return
        if kind >= nbd.REP_ERROR:
            raise OSError(f"it refuses {name.decode()}")


def _pieces(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in ranges:
        for at in range(start, end, _LONGEST):
            yield at, min(_LONGEST, end - at)


def _request(command: int, offset: int, length: int) -> bytes:
    return nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, command, 0, offset, length)


def _answered(sock: socket.socket) -> int:
    magic, error, _ = nbd.SIMPLE.unpack(_take(sock, nbd.SIMPLE.size))
    if magic != nbd.SIMPLE_MAGIC or error:
        raise OSError(f"error {error}")
    return 1


def _take(sock: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        part = sock.recv(count - len(got))
        if not part:
            raise OSError("it closed the connection")
        got += part
    return bytes(got)
