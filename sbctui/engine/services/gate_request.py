"""One request of a board, and all that a gate remembers of a session's, as values; no I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from sbctui.engine.services import nbd

LONGEST = 64 * 1024**2
"""Longest write that is taken, in bytes."""
HEAD = nbd.REQUEST.size
MAGIC = 4
Piece = memoryview | bytes


class Broken(Exception):
    """Somebody does not speak NBD, or what was lost can't be asked again."""


@dataclass(slots=True)
class Request:
    """One request as it came: its header, and the data of a write so far."""

    head: bytes
    command: int
    cookie: int
    length: int
    body: list[bytes] = field(default_factory=list)
    kept: int = 0
    mark: int = 0
    failed: bool = False

    def bytes(self) -> bytes:
        """As it goes over the wire."""
        return self.head + b"".join(self.body)


@dataclass(frozen=True, slots=True)
class Begun:
    """A read of ``length`` bytes of which the board has the first ``passed``."""

    head: bytes
    length: int
    passed: int


@dataclass(frozen=True, slots=True)
class Memo:
    """A request for another gate: as far as it came, and what became of it.

    Raises ValueError for a header of another length.
    """

    head: bytes
    body: bytes
    mark: int
    failed: bool

    def __post_init__(self) -> None:
        if len(self.head) != HEAD:
            raise ValueError("a request's header has another length")

    @classmethod
    def of(cls, request: Request) -> Memo:
        """What there is to say of a request."""
        return cls(request.head, b"".join(request.body), request.mark, request.failed)

    @property
    def cookie(self) -> int:
        """What its answer is known by."""
        return int(nbd.REQUEST.unpack(self.head)[3])

    @property
    def whole(self) -> bool:
        """Whether all data of a write is there."""
        _, _, command, _, _, length = nbd.REQUEST.unpack(self.head)
        return bool(command != nbd.CMD_WRITE or len(self.body) == length)

    def request(self) -> Request:
        """The request again. Raises ValueError when this is none."""
        magic, _, command, cookie, _, length = nbd.REQUEST.unpack(self.head)
        most = length if command == nbd.CMD_WRITE else 0
        if magic != nbd.REQUEST_MAGIC or len(self.body) > min(most, LONGEST):
            raise ValueError("what should be a request is none")
        body = [self.body] if self.body else []
        kept = len(self.body)
        return Request(self.head, command, cookie, length, body, kept, self.mark, self.failed)


@dataclass(frozen=True, slots=True)
class Memory:
    """All that a gate remembers of a session's requests.

    ``asked`` wait for an answer, ``changed`` had one and are not flushed. ``head`` is the
    beginning of a request's header, ``current`` the write whose data is coming, ``flush`` our
    own one, ``reply`` the request whose answer is passing: cookies of ``asked``, or None.
    """

    asked: tuple[Memo, ...]
    changed: tuple[tuple[int, Memo], ...]
    number: int
    first_change: float | None
    leaving: bool
    head: bytes
    current: int | None
    flush: int | None
    reply: int | None
    reply_head: bytes
    reply_left: int
    reply_last: bool
    chunked: tuple[int, ...]

    def check(self) -> None:
        """Raises ValueError for what no gate could remember."""
        cookies = [memo.cookie for memo in self.asked]
        numbers = [number for number, _ in self.changed]
        sound = (
            len(set(cookies)) == len(cookies)
            and set(self.chunked) <= set(cookies)
            and numbers == sorted(set(numbers))
            and (not numbers or numbers[-1] <= self.number)
            and len(self.head) < HEAD
            and len(self.reply_head) < max(nbd.SIMPLE.size, nbd.CHUNK.size)
            and (self.reply is not None or not self.reply_left)
            and all(memo.whole for memo in self.asked if memo.cookie != self.current)
            and all(memo.whole for _, memo in self.changed)
        )
        if not sound:
            raise ValueError("what it remembers of a session contradicts itself")


def header_size(data: bytes | bytearray | memoryview, at: int) -> int:
    """The length of the reply header that begins there; 0 when too little of it is there.

    Raises Broken when there is none.
    """
    if len(data) - at < MAGIC:
        return 0
    (magic,) = struct.unpack_from(">I", data, at)
    if magic == nbd.SIMPLE_MAGIC:
        return nbd.SIMPLE.size
    if magic == nbd.CHUNK_MAGIC:
        return nbd.CHUNK.size
    raise Broken("the storage daemon answers out of order")
