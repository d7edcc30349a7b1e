"""Whether the other end of a unix socket has really been closed, not only shut down.

The storage daemon shuts a connection down as soon as it sees its end, while requests that were
in flight may still be writing; it closes the descriptor after the last of them. The kernel's
socket table tells the two apart: a closed peer has no inode any more.
"""

from __future__ import annotations

import os
import socket
import struct

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_ERROR = 2
_SHOW_PEER = 4
_PEER = 2
_ANY_STATE = _ANY_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBHIIIII")
_ANSWER_BYTES = 16


def peer_closed(ours: socket.socket) -> bool:
    """True when no process holds the peer any more, or the kernel can't tell."""
    inode = os.fstat(ours.fileno()).st_ino & 0xFFFFFFFF
    query = _QUERY.pack(
        socket.AF_UNIX, 0, 0, _ANY_STATE, inode, _SHOW_PEER, _ANY_COOKIE, _ANY_COOKIE
    )
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as table:
            table.settimeout(1.0)
            head = _HEADER.pack(_HEADER.size + len(query), _BY_FAMILY, _REQUEST, 1, 0)
            table.send(head + query)
            answer = table.recv(4096)
    except OSError:
        return True
    return _peer_inode(answer) == 0


def _peer_inode(answer: bytes) -> int:
    """The peer's inode in the kernel's answer; 0 when it names none."""
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind == _ERROR:
        return 0
    at = _HEADER.size + _ANSWER_BYTES
    while at + 4 <= min(length, len(answer)):
        size, attribute = struct.unpack_from("=HH", answer, at)
        if attribute == _PEER:
            return int(struct.unpack_from("=I", answer, at + 4)[0])
        if size < 4:
            break
        at += (size + 3) & ~3
    return 0
