"""What the gate remembers of a session, against a model of a storage daemon that loses its memory.

The model answers in any order, and dies at any byte of its answers: all that was not flushed is
gone with it. The board must never notice.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbctui.engine.services.gate_request import Broken, Memory
from sbctui.engine.services.gate_requests import Requests
from sbctui.engine.services.gate_return import Recipe
from sbctui.engine.services.gate_state import GateState, SessionState, pack, unpack

READ, WRITE, DISC, FLUSH, TRIM = 0, 1, 2, 3, 4
BLOCK, BLOCKS = 64, 12


def asked(command: int, cookie: int, offset: int = 0, length: int = 0, data: bytes = b"") -> bytes:
    return struct.pack(">IHHQQI", 0x25609513, 0, command, cookie, offset, length) + data


def simple(cookie: int, data: bytes = b"", error: int = 0) -> bytes:
    return struct.pack(">IIQ", 0x67446698, error, cookie) + data


def chunk(cookie: int, data: bytes, *, last: bool, kind: int = 1) -> bytes:
    return struct.pack(">IHHQI", 0x668E33EF, int(last), kind, cookie, len(data)) + data


@dataclass
class Daemon:
    """A disk of blocks; what was written since the last flush is in memory only."""

    safe: bytearray = field(default_factory=lambda: bytearray(BLOCK * BLOCKS))
    now: bytearray = field(default_factory=lambda: bytearray(BLOCK * BLOCKS))
    waiting: list[tuple[int, int, int, int, bytes]] = field(default_factory=list)
    buffer: bytes = b""

    def take(self, data: bytes) -> None:
        """Bytes from the gate: whole requests wait, the rest is kept."""
        self.buffer += data
        while len(self.buffer) >= 28:
            _, _, command, cookie, offset, length = struct.unpack_from(">IHHQQI", self.buffer)
            body = length if command == WRITE else 0
            if len(self.buffer) < 28 + body:
                return
            self.waiting.append((command, cookie, offset, length, self.buffer[28 : 28 + body]))
            self.buffer = self.buffer[28 + body :]

    def answer(self, number: int) -> bytes:
        """Do one of the requests that wait."""
        command, cookie, offset, length, data = self.waiting.pop(number % len(self.waiting))
        if command == WRITE:
            self.now[offset : offset + length] = data
        elif command == TRIM:
            self.now[offset : offset + length] = bytes(length)
        elif command == FLUSH:
            self.safe[:] = self.now
        return simple(cookie, bytes(self.now[offset : offset + length]) if command == READ else b"")

    def dies(self) -> Daemon:
        """The next one has what was flushed."""
        return Daemon(bytearray(self.safe), bytearray(self.safe))

    def redo(self, change: bytes) -> None:
        self.take(change)
        self.answer(0)


class Board:
    """Asks for one block at a time each, and checks every answer against what must be there."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.cookie = 0
        self.open: dict[int, tuple[int, int, bytes]] = {}
        self.holds = [bytes(BLOCK)] * BLOCKS
        self.got = b""

    def ask(self) -> bytes:
        """One request on a block that no open request is about."""
        busy = {block for _, block, _ in self.open.values()}
        free = [b for b in range(BLOCKS) if b not in busy]
        command = self.dice.choice([READ, WRITE, WRITE, TRIM, FLUSH])
        if command != FLUSH and not free:
            return b""
        self.cookie += 1
        if command == FLUSH:
            self.open[self.cookie] = (FLUSH, -1, b"")
            return asked(FLUSH, self.cookie)
        block = self.dice.choice(free)
        data = self.dice.randbytes(BLOCK) if command == WRITE else b""
        self.open[self.cookie] = (command, block, data)
        return asked(command, self.cookie, block * BLOCK, BLOCK, data)

    def hear(self, data: bytes) -> None:
        """Answers: each asked for, once, whole, and with the right content."""
        self.got += data
        while len(self.got) >= 16:
            magic, error, cookie = struct.unpack_from(">IIQ", self.got)
            assert (magic, error) == (0x67446698, 0)
            command, block, written = self.open[cookie]
            size = BLOCK if command == READ else 0
            if len(self.got) < 16 + size:
                return
            if command == READ:
                assert self.got[16 : 16 + size] == self.holds[block]
            elif command in (WRITE, TRIM):
                self.holds[block] = written or bytes(BLOCK)
            self.got = self.got[16 + size :]
            del self.open[cookie]


def split(dice: random.Random, data: bytes) -> list[bytes]:
    """The same bytes as a network hands them over."""
    parts = []
    while data:
        size = dice.choice([1, 3, 15, 16, 17, 28, 100, 1000])
        parts.append(data[:size])
        data = data[size:]
    return parts


def session(memory: Memory) -> SessionState:
    """As a gate would hand it over."""
    recipe = Recipe("dc-a6", "storage.sock", True, None, b"go", b"about")
    return SessionState(
        recipe=recipe,
        peer="10.0.0.9:1",
        since=5.5,
        reason="",
        held=False,
        client=True,
        backend=True,
        read=1,
        written=2,
        fruitless=0,
        asks=b"up",
        answers=b"",
        memory=memory,
    )


def some_session(seed: int) -> SessionState:
    """One in the middle of things."""
    board, requests = Board(random.Random(seed)), Requests()
    asked_for = b"".join(board.ask() for _ in range(9)) + asked(WRITE, 99, 0, 64, b"half of it")
    requests.sent(memoryview(asked_for))
    reading = next(cookie for cookie, (command, _, _) in board.open.items() if command == READ)
    requests.answered(memoryview(simple(reading, b"x" * 9)))
    return session(requests.memory())


def sometimes_handed_over(dice: random.Random, requests: Requests) -> Requests:
    """The same, in another gate."""
    if dice.random() > 0.05:
        return requests
    state = GateState({}, frozenset(), (session(requests.memory()),))
    return Requests.of(unpack(b"".join(pack(state))).sessions[0].memory)


@given(st.integers(min_value=0, max_value=2**32), st.integers(min_value=0, max_value=6))
@settings(max_examples=400, deadline=None)
def test_a_board_never_notices_a_storage_daemon_that_dies_nor_another_gate(
    seed: int, deaths: int
) -> None:
    dice = random.Random(seed)
    board, daemon, requests = Board(dice), Daemon(), Requests()
    dying = sorted(dice.sample(range(60), deaths))
    for step in range(60):
        for part in split(dice, b"".join(board.ask() for _ in range(dice.randrange(4)))):
            requests.sent(memoryview(part))
            daemon.take(part)
            requests = sometimes_handed_over(dice, requests)
            if dice.random() < 0.1 and not requests.until_whole:
                daemon.take(requests.own_flush())
        answers = b"".join(
            daemon.answer(dice.randrange(9)) for _ in range(min(len(daemon.waiting), 3))
        )
        parts = split(dice, answers)
        if step in dying:
            parts = parts[: dice.randrange(len(parts) + 1)]
        for part in parts:
            for piece in requests.answered(memoryview(part)):
                board.hear(bytes(piece))
            requests = sometimes_handed_over(dice, requests)
        if step in dying:
            daemon = daemon.dies()
            for change in requests.unsafe():
                daemon.redo(change)
            daemon.safe[:] = daemon.now
            if (begun := requests.begun()) is not None:
                daemon.take(begun.head)
                board.hear(daemon.answer(0)[16 + begun.passed :])
            daemon.take(requests.again())
    while daemon.waiting:
        for piece in requests.answered(memoryview(daemon.answer(0))):
            board.hear(bytes(piece))
    assert not board.open
    assert bytes(daemon.now) == b"".join(board.holds)


def test_what_is_flushed_is_held_no_longer() -> None:
    requests = Requests()
    for cookie in (1, 2):
        requests.sent(memoryview(asked(WRITE, cookie, 0, 8, b"x" * 8)))
    requests.answered(memoryview(simple(1)))
    flush = requests.own_flush()
    assert requests.own_flush() == b""
    requests.answered(memoryview(simple(2)))
    assert requests.kept == 16
    cookie = struct.unpack_from(">Q", flush, 8)[0]
    assert list(requests.answered(memoryview(simple(cookie)))) == []
    assert requests.kept == 8
    assert requests.unsafe() == [asked(WRITE, 2, 0, 8, b"x" * 8)]


def test_a_write_that_failed_is_not_made_again() -> None:
    requests = Requests()
    requests.sent(memoryview(asked(WRITE, 1, 0, 8, b"x" * 8)))
    requests.answered(memoryview(simple(1, error=28)))
    assert requests.unsafe() == []
    assert requests.kept == 0


def test_structured_answers_pass_and_one_that_had_begun_ends_the_session() -> None:
    requests = Requests()
    for cookie in (1, 2):
        requests.sent(memoryview(asked(READ, cookie, 0, 8)))
    answer = chunk(1, b"abcdefgh", last=False) + chunk(1, b"", last=True, kind=0)
    for part in (answer[:5], answer[5:23], answer[23:]):
        passed = b"".join(bytes(p) for p in requests.answered(memoryview(part)))
        assert len(passed) <= len(answer)
    assert requests.begun() is None
    assert requests.again() == asked(READ, 2, 0, 8)
    requests.answered(memoryview(chunk(2, b"abcd", last=False)))
    with pytest.raises(Broken, match="had begun"):
        requests.begun()


@pytest.mark.parametrize(
    "data",
    [
        bytes(28),
        asked(READ, 1) + asked(READ, 1),
        asked(WRITE, 1, 0, 2**31),
    ],
    ids=["no NBD", "one cookie twice", "too long"],
)
def test_a_client_that_breaks_the_protocol(data: bytes) -> None:
    with pytest.raises(Broken):
        Requests().sent(memoryview(data))


@pytest.mark.parametrize("data", [bytes(16), simple(9), chunk(9, b"", last=True)])
def test_a_daemon_that_breaks_the_protocol(data: bytes) -> None:
    with pytest.raises(Broken):
        Requests().answered(memoryview(data))


def test_leaving_is_known() -> None:
    requests = Requests()
    requests.sent(memoryview(asked(DISC, 1)))
    assert requests.leaving
