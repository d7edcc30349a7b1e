"""The NBD protocol's numbers and messages (fixed newstyle), as its specification has them
(https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = 0x4E42444D41474943
IHAVEOPT = 0x49484156454F5054
REPLY_MAGIC = 0x3E889045565A9
FIXED_NEWSTYLE = 1
NO_ZEROES = 2
GREETING = struct.pack(">QQH", MAGIC, IHAVEOPT, FIXED_NEWSTYLE | NO_ZEROES)

OPT_EXPORT_NAME = 1
OPT_ABORT = 2
OPT_LIST = 3
OPT_STARTTLS = 5
OPT_INFO = 6
OPT_GO = 7
OPT_STRUCTURED_REPLY = 8
OPT_LIST_META_CONTEXT = 9
OPT_SET_META_CONTEXT = 10

REP_ACK = 1
REP_INFO = 3
REP_ERROR = 1 << 31
ERR_UNSUP = REP_ERROR + 1
ERR_POLICY = REP_ERROR + 2
ERR_INVALID = REP_ERROR + 3
ERR_UNKNOWN = REP_ERROR + 6

INFO_EXPORT = 0
READ_ONLY = 1 << 1
CAN_MULTI_CONN = 1 << 8

CMD_READ = 0
CMD_WRITE = 1
CMD_DISC = 2
CMD_FLUSH = 3
CMD_TRIM = 4
CMD_WRITE_ZEROES = 6
CHANGING = frozenset((CMD_WRITE, CMD_TRIM, CMD_WRITE_ZEROES))
"""Commands that change the disk."""

OPTION = struct.Struct(">QII")
REPLY = struct.Struct(">QIII")
REQUEST = struct.Struct(">IHHQQI")
"""Magic, flags, command, cookie, offset, length."""
REQUEST_MAGIC = 0x25609513
SIMPLE = struct.Struct(">IIQ")
"""A simple reply: magic, error, cookie; then the data of a read that worked."""
SIMPLE_MAGIC = 0x67446698
CHUNK = struct.Struct(">IHHQI")
"""One chunk of a structured reply: magic, flags, type, cookie, length; then as many bytes."""
CHUNK_MAGIC = 0x668E33EF
CHUNK_LAST = 1
CHUNK_ERROR = 1 << 15
"""The bit that all error types of chunks have."""
MAX_NAME = 4096
"""Longest export name the protocol allows, in bytes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to an option."""

    option: int
    type: int
    data: bytes = b""

    @property
    def last(self) -> bool:
        """Whether nothing follows it: an acknowledgement or an error."""
        return self.type == REP_ACK or self.type >= REP_ERROR

    def pack(self) -> bytes:
        """As it goes over the wire."""
        return REPLY.pack(REPLY_MAGIC, self.option, self.type, len(self.data)) + self.data


def pack_option(option: int, data: bytes = b"") -> bytes:
    """One option as a client sends it."""
    return OPTION.pack(IHAVEOPT, option, len(data)) + data


def pack_go(name: bytes) -> bytes:
    """The data of INFO and GO for an export, asking for nothing more."""
    return struct.pack(">I", len(name)) + name + b"\0\0"


def option_name(option: int, data: bytes) -> bytes | None:
    """The export an option speaks of; None when the option is malformed."""
    if option == OPT_EXPORT_NAME:
        return data if len(data) <= MAX_NAME else None
    if len(data) < 4:
        return None
    length = int.from_bytes(data[:4], "big")
    name, rest = data[4 : 4 + length], data[4 + length :]
    if length > MAX_NAME or len(name) != length:
        return None
    if option in (OPT_INFO, OPT_GO):
        whole = len(rest) >= 2 and len(rest) == 2 + 2 * int.from_bytes(rest[:2], "big")
    else:
        whole = _queries_fit(rest)
    return name if whole else None


def _queries_fit(rest: bytes) -> bool:
    """Whether the counted strings of a meta context option end where its data ends."""
    if len(rest) < 4:
        return False
    count, at = int.from_bytes(rest[:4], "big"), 4
    for _ in range(count):
        if at + 4 > len(rest):
            return False
        at += 4 + int.from_bytes(rest[at : at + 4], "big")
    return at == len(rest)


def without_multi_conn(reply: Reply) -> Reply:
    """An export's description for one client only: a writable one is never shared."""
    if reply.type != REP_INFO or len(reply.data) != 12:
        return reply
    kind, size, flags = struct.unpack(">HQH", reply.data)
    if kind != INFO_EXPORT or flags & READ_ONLY:
        return reply
    data = struct.pack(">HQH", kind, size, flags & ~CAN_MULTI_CONN)
    return Reply(reply.option, reply.type, data)
