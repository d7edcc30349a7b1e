"""What a board has asked and not yet safely has: read from the bytes that pass both ways; no I/O.

Should the storage daemon go away, all of it can be asked again of its successor: requests without
an answer, and before those the changes that were answered but not yet flushed.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Sequence

from sbctui.engine.services import nbd
from sbctui.engine.services.gate_request import (
    HEAD,
    LONGEST,
    MAGIC,
    Begun,
    Broken,
    Memo,
    Memory,
    Piece,
    Request,
    header_size,
)


class Requests:
    """One session's requests. ``kept`` are the bytes of write data that are held for it."""

    def __init__(self) -> None:
        self.kept = 0
        self.first_change: float | None = None
        self.leaving = False
        self._asked: dict[int, Request] = {}
        self._changed: deque[tuple[int, Request]] = deque()
        self._number = 0
        self._head = bytearray()
        self._current: Request | None = None
        self._left = 0
        self._flush: Request | None = None
        self._reply_head = bytearray()
        self._reply: Request | None = None
        self._reply_left = 0
        self._reply_last = False
        self._chunked: set[int] = set()

    # ── from the board ────────────────────────────────────────────────────────────────────

    @property
    def until_whole(self) -> int:
        """Bytes that are missing of the request that has begun; 0 between requests."""
        return self._left or (HEAD - len(self._head) if self._head else 0)

    def sent(self, part: memoryview) -> None:
        """Bytes from the board. Raises Broken."""
        at, end = 0, len(part)
        while at < end:
            if self._left:
                at += self._more(part[at : at + self._left])
            elif not self._head and end - at >= HEAD:
                self._begin(bytes(part[at : at + HEAD]))
                at += HEAD
            else:
                taken = part[at : at + HEAD - len(self._head)]
                self._head += taken
                at += len(taken)
                if len(self._head) == HEAD:
                    head = bytes(self._head)
                    self._head.clear()
                    self._begin(head)

    def _more(self, data: memoryview) -> int:
        assert self._current is not None
        self._current.body.append(bytes(data))
        self._current.kept += len(data)
        self.kept += len(data)
        self._left -= len(data)
        return len(data)

    def _begin(self, head: bytes) -> None:
        magic, _, command, cookie, _, length = nbd.REQUEST.unpack(head)
        if magic != nbd.REQUEST_MAGIC:
            raise Broken("the client does not speak NBD")
        if command == nbd.CMD_DISC:
            self.leaving = True
            return
        if cookie in self._asked:
            raise Broken("the client has two requests of one cookie")
        if command == nbd.CMD_WRITE and length > LONGEST:
            raise Broken(f"a write of {length} bytes")
        request = Request(head, command, cookie, length, mark=self._number)
        self._asked[cookie] = request
        if command in nbd.CHANGING and self.first_change is None:
            self.first_change = time.time()
        if command == nbd.CMD_WRITE:
            self._current, self._left = request, length

    def own_flush(self) -> bytes:
        """A flush of our own to send between two requests; empty while one is on its way."""
        if self._flush is not None:
            return b""
        cookie = secrets.randbits(64)
        while cookie in self._asked:
            cookie = secrets.randbits(64)
        head = nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.CMD_FLUSH, cookie, 0, 0)
        self._flush = Request(head, nbd.CMD_FLUSH, cookie, 0, mark=self._number)
        self._asked[cookie] = self._flush
        return head

    # ── from the storage daemon ───────────────────────────────────────────────────────────

    def answered(self, part: memoryview) -> Sequence[Piece]:
        """Bytes from the storage daemon; the pieces of them the board is to have.

        A header that is cut in two is held back until it is whole. Raises Broken.
        """
        if self._reply_head:
            return self._completed(part)
        pieces: list[Piece] = []
        at = begun = 0
        end = len(part)
        while at < end:
            if self._reply_left:
                step = min(self._reply_left, end - at)
                self._reply_left -= step
                at += step
                if not self._reply_left:
                    self._end()
                continue
            size = header_size(part, at)
            if not size or end - at < size:
                self._reply_head += part[at:]
                pieces.append(part[begun:at])
                return [piece for piece in pieces if piece]
            if not self._start(part, at, size):
                pieces.append(part[begun:at])
                begun = at + size
            at += size
        if not begun:
            return (part,)
        pieces.append(part[begun:])
        return [piece for piece in pieces if piece]

    def _completed(self, part: memoryview) -> Sequence[Piece]:
        """The same, for a part that begins in the middle of a header."""
        size = header_size(self._reply_head, 0)
        while part and (not size or len(self._reply_head) < size):
            wanted = (size or MAGIC) - len(self._reply_head)
            self._reply_head += part[:wanted]
            part = part[wanted:]
            size = size or header_size(self._reply_head, 0)
        if not size or len(self._reply_head) < size:
            return ()
        head = bytes(self._reply_head)
        self._reply_head.clear()
        first = [head] if self._start(head, 0, size) else []
        return [*first, *(self.answered(part) if part else ())]

    def _start(self, data: Piece, at: int, size: int) -> bool:
        """A whole reply header; whether the board is to have it."""
        if size == nbd.SIMPLE.size:
            _, error, cookie = nbd.SIMPLE.unpack_from(data, at)
            request = self._of(cookie)
            request.failed = bool(error)
            length = request.length if request.command == nbd.CMD_READ and not error else 0
            self._reply_last = True
        else:
            _, flags, kind, cookie, length = nbd.CHUNK.unpack_from(data, at)
            request = self._of(cookie)
            request.failed = request.failed or bool(kind & nbd.CHUNK_ERROR)
            self._chunked.add(cookie)
            self._reply_last = bool(flags & nbd.CHUNK_LAST)
        keep = request is not self._flush
        self._reply, self._reply_left = request, length
        if not length:
            self._end()
        return keep

    def _of(self, cookie: int) -> Request:
        request = self._asked.get(cookie)
        if request is None:
            raise Broken("the storage daemon answers what nobody asked")
        return request

    def _end(self) -> None:
        """A simple reply, or a chunk of a structured one, is through."""
        request = self._reply
        assert request is not None
        if not self._reply_last:
            return
        self._reply = None
        del self._asked[request.cookie]
        self._chunked.discard(request.cookie)
        if request.command in nbd.CHANGING:
            self._has_changed(request)
        elif request.command == nbd.CMD_FLUSH and not request.failed:
            self._forget(request.mark)
        if request is self._flush:
            self._flush = None

    def _has_changed(self, request: Request) -> None:
        if request.failed:
            self.kept -= request.kept
            return
        self._number += 1
        self._changed.append((self._number, request))

    def _forget(self, mark: int) -> None:
        """What was answered before a flush was asked is safe."""
        while self._changed and self._changed[0][0] <= mark:
            self.kept -= self._changed.popleft()[1].kept

    # ── another storage daemon ────────────────────────────────────────────────────────────

    def unsafe(self) -> list[bytes]:
        """The changes that were answered and not flushed, in the order of their answers."""
        return [request.bytes() for _, request in self._changed]

    def begun(self) -> Begun | None:
        """The read whose answer had begun to pass, which must be ended before any other begins.

        Raises Broken when it was a structured one: the rest of another might not fit.
        """
        if self._chunked:
            raise Broken("an answer that had begun can't be given again")
        if self._reply is None:
            return None
        return Begun(self._reply.head, self._reply.length, self._reply.length - self._reply_left)

    def again(self) -> bytes:
        """Those changes are safe now, and the begun read has its answer; all the others that wait
        for one, to be asked once more.
        """
        self._forget(self._number)
        if self._flush is not None:
            self._asked.pop(self._flush.cookie, None)
            self._flush = None
        if self._reply is not None:
            del self._asked[self._reply.cookie]
            self._reply, self._reply_left = None, 0
        self._reply_head.clear()
        for request in self._asked.values():
            request.failed, request.mark = False, self._number
        return b"".join(r.bytes() for r in self._asked.values()) + bytes(self._head)

    # ── another gate ──────────────────────────────────────────────────────────────────────

    def memory(self) -> Memory:
        """All of it, as another gate goes on from it."""
        return Memory(
            asked=tuple(map(Memo.of, self._asked.values())),
            changed=tuple((number, Memo.of(request)) for number, request in self._changed),
            number=self._number,
            first_change=self.first_change,
            leaving=self.leaving,
            head=bytes(self._head),
            current=self._current.cookie if self._current is not None and self._left else None,
            flush=self._flush.cookie if self._flush is not None else None,
            reply=self._reply.cookie if self._reply is not None else None,
            reply_head=bytes(self._reply_head),
            reply_left=self._reply_left,
            reply_last=self._reply_last,
            chunked=tuple(self._chunked),
        )

    @classmethod
    def of(cls, memory: Memory) -> Requests:
        """What another gate remembered. Raises ValueError when that can't be."""
        made = cls()
        made.first_change, made.leaving = memory.first_change, memory.leaving
        made._asked = {memo.cookie: memo.request() for memo in memory.asked}
        made._changed = deque((number, memo.request()) for number, memo in memory.changed)
        made._number = memory.number
        made.kept = sum(r.kept for r in made._asked.values())
        made.kept += sum(r.kept for _, r in made._changed)
        made._head += memory.head
        made._current = made._open(memory.current)
        made._left = made._current.length - made._current.kept if made._current else 0
        made._flush, made._reply = made._open(memory.flush), made._open(memory.reply)
        made._reply_head += memory.reply_head
        made._reply_left, made._reply_last = memory.reply_left, memory.reply_last
        made._chunked = set(memory.chunked)
        memory.check()
        return made

    def _open(self, cookie: int | None) -> Request | None:
        if cookie is None:
            return None
        if cookie not in self._asked:
            raise ValueError("it speaks of a request that is not open")
        return self._asked[cookie]
