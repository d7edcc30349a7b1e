"""Junk, floods and dawdlers on the NBD port end themselves and nobody else."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from sbctui.engine.errors import ServiceFailed
from tests.nbdclient import GO, STRUCTURED, Board, Closed, until
from tests.services import nbd_place
from tests.services.nbd_place import MIB, Place, mac, source
from tests.services.test_storage_contract import Writers


@pytest.fixture(scope="module")
def here() -> Iterator[Place]:
    with nbd_place.place() as here:
        for number in (1, 2, 3):
            here.raw(number)
        here.exports.apply()
        yield here


def option(number: int, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack(">8sII", b"IHAVEOPT", number, len(data) if length is None else length) + data


def corpus() -> list[bytes]:
    """What a client may say after the greeting; the first four bytes are its flags."""
    dice = random.Random(20)
    flags, name = b"\0\0\0\3", mac(1).encode()
    named = Board.named(mac(1))
    sane = flags + option(STRUCTURED) + option(GO, named)
    words = [
        b"",
        b"\0",
        b"\xff" * 4,
        b"\0\0\0\4",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        flags,
        flags + b"IHAVEOP",
        flags + b"X" * 16,
        flags + option(1, b"", 0xFFFFFFFF),
        flags + option(1, b"", 5000),
        flags + option(1, b"\0" * 4097),
        flags + option(1),
        flags + option(7, b"\xff" * 4 + name),
        flags + option(7, struct.pack(">I", 5000) + b"a" * 5000 + b"\0\0"),
        flags + option(7, named[:-2] + b"\xff\xff"),
        flags + option(7, named + b"\0"),
        flags + option(STRUCTURED) + option(10, Board.named(mac(1), b"\xff\xff\xff\xff")),
        flags + option(STRUCTURED) + option(10, Board.named(mac(1), b"\0\0\0\1\xff\xff\xff\xffab")),
        flags + option(STRUCTURED) + option(STRUCTURED) + option(STRUCTURED),
        flags + option(6, named) * 100,
        flags + option(3) * 1000,
        flags + option(9999, b"x" * 16384) * 50,
        flags + option(9999, b"x" * 16385),
        flags + option(2),
        flags + option(2) + sane,
        sane + b"\0" * 28,
        sane + b"\xff" * 4096,
        sane + struct.pack(">IHHQQI", 0x25609513, 0, 1, 1, 0, 0xFFFFFFFF),
        sane + struct.pack(">IHHQQI", 0x25609513, 0xFFFF, 0xFFFF, 1, 2**64 - 1, 0xFFFFFFFF),
        sane + struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 2**64 - 1, 32 * MIB),
        os.urandom(65536),
    ]
    for _ in range(60):
        broken = bytearray(sane + struct.pack(">IHHQQI", 0x25609513, 0, 0, 1, 0, 512))
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        words.append(bytes(broken[: dice.randint(1, len(broken))]))
    return words


def attack(here: Place, words: bytes) -> None:
    """Say it, then leave in the middle, without waiting for anything."""
    with Board(here.port, source=source(1), timeout=1) as client:
        try:
            client.take(18)
            client.send(words)
            client.sock.settimeout(0.02)
            client.sock.recv(1 << 16)
        except (Closed, OSError):
            pass


def test_a_hostile_client_ends_itself_alone(here: Place) -> None:
    gate = here.client.ping()
    storage = here.processes["storage"]
    with here.board(2) as board, Writers(board) as writers:
        for words in corpus():
            attack(here, words)
    assert writers.trouble == []
    assert writers.written > 20
    assert here.client.ping() == gate
    assert storage.poll() is None
    assert until(lambda: all(s.export != mac(1) for s in here.exports.sessions()))
    here.board(1).leave()


def test_dawdlers_are_sent_away_and_let_others_in(here: Place) -> None:
    """Every stage of the negotiation at once, and one who says a byte every quarter second."""
    stages = [b"", b"\0", b"\0\0\0\3", b"\0\0\0\3IHAVE", b"\0\0\0\3" + option(7, b"", 20)]
    began = monotonic()
    with ExitStack() as stack:
        dawdlers = [
            stack.enter_context(Board(here.port, source=source(1), timeout=14)) for _ in range(12)
        ]
        for number, dawdler in enumerate(dawdlers):
            dawdler.take(18)
            dawdler.send(stages[number % len(stages)])
        slow = stack.enter_context(Board(here.port, source=source(1), timeout=0.25))
        slow.take(18)
        here.board(2).leave()
        here.board(1).leave()
        assert monotonic() - began < 2
        drip(slow, b"\0\0\0\3" + option(9999, b"x" * 16384), began + 14)
        assert all(dawdler.gone() for dawdler in dawdlers)
    assert 8 < monotonic() - began < 13
    assert until(lambda: "no session after 10 s" in here.log("gate"))


def drip(slow: Board, words: bytes, deadline: float) -> None:
    """Say one byte after the other until the connection ends."""
    for byte in words:
        try:
            slow.sock.send(bytes((byte,)))
            if not slow.sock.recv(64):
                return
        except TimeoutError:
            assert monotonic() < deadline
        except OSError:
            return


def test_no_address_takes_all_places(here: Place) -> None:
    with ExitStack() as stack:
        crowd = [stack.enter_context(Board(here.port, source=source(1))) for _ in range(40)]
        turned_away = 0
        for one in crowd:
            try:
                one.greet()
            except Closed:
                turned_away += 1
        assert turned_away == 40 - 16
        here.board(2).leave()


def test_strangers_fill_neither_places_nor_the_log(here: Place) -> None:
    before = len(here.log("gate").splitlines())
    for number in range(600):
        Board(here.port, source=f"127.9.{number >> 8}.{number & 255}").sock.close()
    here.board(2).leave()
    assert len(here.log("gate").splitlines()) - before < 40


def test_a_reader_who_does_not_read_holds_up_nobody(here: Place) -> None:
    with here.board(1) as deaf, here.board(2) as board:
        for number in range(64):
            deaf.request(0, number % 8 * MIB, MIB)
        began = monotonic()
        for number in range(50):
            board.write(number * 4096, b"x" * 4096)
        assert monotonic() - began < 2
        for _ in range(64):
            deaf.reply()
            deaf.take(MIB)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"junk\n",
        b"[]\n",
        b'{"do": 5}\n',
        b'{"do": ["x"]}\n',
        b'{"do": "rules"}\n',
        b'{"do": "rules", "rules": {"x": "not an address"}}\n',
        b'{"do": "rules", "rules": {"x": "1.2.3.4 "}}\n',
        b'{"do": "rules", "rules": {"": "1.2.3.4"}}\n',
        b'{"do": "rule", "export": "x", "address": 5}\n',
        b'{"do": "close"}\n',
        b'{"do": "cut", "export": []}\n',
        b"\xff\xfe\n",
        b"[" * 100000 + b"\n",
    ],
)
def test_the_control_socket_refuses_nonsense(here: Place, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(here.run / "gate.sock"))
        with sock.makefile("rwb") as both:
            both.write(line + b'{"do": "ping"}\n')
            both.flush()
            assert json.loads(both.readline())["ok"] is False
            assert json.loads(both.readline())["ok"] is True
    here.board(2).leave()


def test_a_control_line_without_end_ends_the_connection(here: Place) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(here.run / "gate.sock"))
        with pytest.raises(OSError):
            sock.sendall(b"x" * (20 << 20))
    assert here.client.ping()


def test_a_gate_that_stops_answering_is_not_healthy(here: Place) -> None:
    process = here.processes["gate"]
    process.send_signal(19)
    try:
        began = monotonic()
        assert "does not answer within 1 s" in here.gate.healthy()
        with pytest.raises(ServiceFailed):
            here.client.ping(0.1)
        assert monotonic() - began < 2
    finally:
        process.send_signal(18)
    assert until(lambda: not here.gate.healthy())
