"""The gate hands its sockets to its successor: boards that write all the while notice nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine import commands
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services.gate_daemon import GateDaemon
from sbctui.engine.services.gate_handover import Failed, complain, hear, tell
from sbctui.engine.services.gate_heir import Estate
from sbctui.engine.services.gate_requests import Requests
from sbctui.engine.services.gate_rules import HEIR
from sbctui.engine.services.gate_state import VERSION, GateState, pack, unpack
from tests.nbdclient import FLUSH, READ, WRITE, Closed, NbdError, until
from tests.services import nbd_place
from tests.services.nbd_place import Place, mac, source
from tests.services.test_gate_requests import some_session

BLOCK, BLOCKS = 4096, 400
RAW, OVERLAY = (1, 2, 3, 4), (5, 6, 7, 8)


@pytest.fixture
def here() -> Iterator[Place]:
    with nbd_place.place() as here:
        base = here.base("root", b"base")
        for number in RAW:
            here.raw(number)
        for number in OVERLAY:
            here.overlay(number, base)
        here.exports.apply()
        yield here


class Busy:
    """A board that writes and reads all over its disk, and checks every byte it is given.

    ``holds`` is what each block may hold: one content, or two after a lost connection.
    """

    def __init__(self, here: Place, number: int) -> None:
        self.here, self.number = here, number
        self.board = here.board(number)
        self.dice = random.Random(number)
        self.holds: dict[int, set[bytes]] = {}
        self.open: dict[int, tuple[int, int, bytes]] = {}
        self.answers = self.lost = 0
        self.over = threading.Event()

    def play(self) -> None:
        while not self.over.is_set() or self.open:
            try:
                while len(self.open) < 8 and not self.over.is_set():
                    self.ask()
                self.hear()
            except (Closed, OSError):
                self.come_back()
        for block in list(self.holds):
            assert self.board.read(block * BLOCK, BLOCK) in self.holds[block]

    def ask(self) -> None:
        command = self.dice.choice([WRITE, WRITE, READ, READ, FLUSH])
        block = self.dice.randrange(BLOCKS)
        if command == FLUSH or any(block == there for _, there, _ in self.open.values()):
            self.open[self.board.handle + 1] = (FLUSH, -1, b"")
            self.board.request(FLUSH)
            return
        data = self.dice.randbytes(BLOCK) if command == WRITE else b""
        self.open[self.board.handle + 1] = (command, block, data)
        self.board.request(command, block * BLOCK, BLOCK, data)

    def hear(self) -> None:
        cookie = self.board.reply()
        command, block, data = self.open[cookie]
        if command == READ:
            got = self.board.take(BLOCK)
            assert got in self.holds.get(block, {got})
            self.holds[block] = {got}
        elif command == WRITE:
            self.holds[block] = {data}
        del self.open[cookie]
        self.answers += 1

    def come_back(self) -> None:
        """As an initramfs does; what had no answer may have been done or not."""
        self.lost += 1
        for command, block, data in self.open.values():
            if command == WRITE:
                self.holds[block] = {*self.holds.get(block, {bytes(BLOCK)}), data}
        self.open.clear()
        self.board.sock.close()

        def tried() -> bool:
            try:
                self.board = self.here.board(self.number)
            except (OSError, Closed, NbdError):
                return False
            return True

        assert until(tried, 10)


class Boards:
    """Several that write all the while."""

    def __init__(self, here: Place, numbers: tuple[int, ...]) -> None:
        self.all = [Busy(here, number) for number in numbers]
        self.pool = ThreadPoolExecutor(len(numbers))

    def __enter__(self) -> Boards:
        self.playing = [self.pool.submit(busy.play) for busy in self.all]
        return self

    def __exit__(self, *failed: object) -> None:
        for busy in self.all:
            busy.over.set()
        for playing in self.playing:
            playing.result(30)

    def went_on(self) -> bool:
        """Whether all of them get answers; an error of one of them is raised."""
        before = [busy.answers for busy in self.all]
        for playing in self.playing:
            if playing.done():
                playing.result()
        return until(lambda: all(b.answers > n for b, n in zip(self.all, before, strict=True)), 15)

    @property
    def lost(self) -> int:
        return sum(busy.lost for busy in self.all)


def heir(here: Place, gate: GateDaemon | None = None) -> subprocess.Popen[bytes]:
    return commands.start((gate or here.gate).successor(), log_file=here.path / "gate.log")


def hand_over(here: Place) -> None:
    """The running gate has a successor."""
    old, new = here.processes["gate"], heir(here)
    here.processes["gate"] = new
    assert old.wait(20) == 0, here.log("gate")
    assert here.client.ping() == new.pid


def test_boards_that_write_all_the_while_notice_no_successor(here: Place) -> None:
    """32 gates in a row; rules asked for meanwhile are kept by all that follow."""
    over = threading.Event()

    def rule() -> int:
        count = 0
        while not over.wait(0.02):
            here.client.put(mac(200 + count % 9), IPv4Address(f"127.0.0.{count % 200 + 1}"))
            count += 1
        return count

    since = {}
    with Boards(here, RAW + OVERLAY) as boards, ThreadPoolExecutor(1) as pool:
        since = {s.export: s.since for s in here.client.sessions()}
        ruling = pool.submit(rule)
        for _ in range(32):
            hand_over(here)
            assert boards.went_on()
        over.set()
        count = ruling.result(10)
        assert {s.export: s.since for s in here.client.sessions()} == since
    assert boards.lost == 0
    assert here.log("gate").count("took over 8 sessions") == 32
    rules = json.loads((here.run / "gate-rules.json").read_bytes())["rules"]
    assert rules[mac(200 + (count - 1) % 9)] == f"127.0.0.{(count - 1) % 200 + 1}"
    here.board(1).leave()


@pytest.mark.parametrize("which", ["old", "new"])
def test_killed_in_the_middle(here: Place, which: str) -> None:
    """Whichever is killed: while the other one serves, no connection is lost."""
    dice = random.Random(which)
    with Boards(here, RAW[:2] + OVERLAY[:2]) as boards:
        began = time.monotonic()
        hand_over(here)
        usual = time.monotonic() - began
        for _ in range(8):
            lost = boards.lost
            both = {"old": here.processes["gate"], "new": heir(here)}
            time.sleep(usual * dice.uniform(0.5, 1.0))
            both[which].kill()
            both.pop(which).wait(10)
            (other,) = both.values()
            here.processes["gate"] = other
            assert until(lambda other=other: ping(here) == other.pid or other.poll() is not None)
            if other.poll() is not None or until(lambda other=other: other.poll() is not None, 0.3):
                here.start(here.gate)  # it had handed over, or was given nothing
            else:
                assert boards.lost == lost
            assert boards.went_on()


def ping(here: Place) -> int:
    try:
        return here.client.ping()
    except ServiceFailed:
        return 0


def leaves(talk: socket.socket) -> None:
    """Without a word."""


def is_of_another_time(talk: socket.socket) -> None:
    tell(talk, {"version": VERSION + 1})
    with pytest.raises(Failed, match=f"in version {VERSION}"):
        hear(talk)


def talks_nonsense(talk: socket.socket) -> None:
    talk.send(b"[[[[")
    with pytest.raises(Failed):
        hear(talk)


def takes(talk: socket.socket) -> list[int]:
    tell(talk, {"version": VERSION})
    fds: list[int] = []
    count = hear(talk, fds)["sockets"]
    while len(fds) <= count:
        hear(talk, fds)
    return fds


def takes_and_leaves(talk: socket.socket) -> None:
    for fd in takes(talk):
        os.close(fd)


def takes_and_can_not(talk: socket.socket) -> None:
    fds = takes(talk)
    complain(talk, "no room here")
    for fd in fds:
        os.close(fd)


def is_ready_and_dies(talk: socket.socket) -> None:
    """Before it read that all is its own."""
    fds = takes(talk)
    tell(talk, {"ready": True})
    assert until(lambda: talk.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize(
    "act",
    [
        leaves,
        is_of_another_time,
        talks_nonsense,
        takes_and_leaves,
        takes_and_can_not,
        is_ready_and_dies,
    ],
)
def test_a_successor_that_fails_changes_nothing(
    here: Place, act: Callable[[socket.socket], object]
) -> None:
    with Boards(here, (1, 5)) as boards:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as talk:
            talk.settimeout(10)
            talk.connect(str(here.run / HEIR))
            act(talk)
        assert until(lambda: "not handed over" in here.log("gate"))
        assert boards.went_on()
        assert here.client.ping() == here.processes["gate"].pid
        here.client.put(mac(9), source_ip(9))
    assert boards.lost == 0
    hand_over(here)


def source_ip(number: int) -> IPv4Address:
    return IPv4Address(source(number))


class TestWhatIsHandedOver:
    def test_a_session_whose_storage_daemon_is_away(self, here: Place) -> None:
        board = here.board(5)
        board.write(0, b"answered, never flushed")
        here.kill("storage")
        cookie = board.request(WRITE, 4096, 5, b"asked")
        assert until(lambda: f"held {mac(5)}" in here.log("gate"))
        hand_over(here)
        here.start(here.storage)
        assert board.reply() == cookie
        assert board.read(0, 23) == b"answered, never flushed"
        assert board.read(4096, 5) == b"asked"

    def test_what_was_not_flushed_survives_the_storage_daemon_of_the_next(
        self, here: Place
    ) -> None:
        board = here.board(5)
        board.write(0, b"answered, never flushed")
        hand_over(here)
        here.kill("storage")
        here.start(here.storage)
        assert board.read(0, 23) == b"answered, never flushed"

    def test_half_a_request_and_an_answer_nobody_takes(self, here: Place) -> None:
        board = here.board(1)
        data = random.Random(1).randbytes(7 << 20)
        board.write(0, data)
        board.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        first = board.request(READ, 0, len(data))
        board.sock.sendall(REQUEST_HALF)
        hand_over(here)
        assert board.reply() == first
        assert board.take(len(data)) == data
        board.sock.sendall(REST)
        assert board.reply() == 77
        assert board.read(8192, 6) == b"halved"

    def test_a_session_that_is_over_and_not_let_go(self, here: Place) -> None:
        """A stopped storage daemon may still write: nobody else gets the disk before it let go."""
        storage = here.processes["storage"]
        board = here.board(1)
        storage.send_signal(signal.SIGSTOP)
        try:
            board.sock.close()
            assert until(lambda: here.client.sessions() != ())
            hand_over(here)
            assert [s.export for s in here.client.sessions()] == [mac(1)]
        finally:
            storage.send_signal(signal.SIGCONT)
        assert until(lambda: here.client.sessions() == ())
        here.board(1).leave()

    def test_what_is_closed_and_who_has_no_rule_any_more(self, here: Place) -> None:
        board = here.board(1)
        here.client.close(mac(2))
        here.client.put(mac(1), None)
        hand_over(here)
        board.write(0, b"drains")
        with pytest.raises(NbdError):
            here.board(2)
        with pytest.raises((NbdError, Closed)):
            here.board(1)

    def test_other_addresses_and_the_same_boards(self, here: Place) -> None:
        board = here.board(1)
        moved = GateDaemon(
            here.derived, here.run, here.owner, (IPv4Address("127.0.0.2"),), here.port
        )
        old, new = here.processes["gate"], heir(here, moved)
        here.processes["gate"] = new
        assert old.wait(20) == 0
        board.write(0, b"as before")
        with socket.create_connection(("127.0.0.2", here.port)):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", here.port))

    def test_a_successor_that_gets_no_address_leaves_everything(self, here: Place) -> None:
        board = here.board(1)
        with socket.create_server(("127.0.0.2", here.port)):
            both = (IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2"))
            daemon = GateDaemon(here.derived, here.run, here.owner, both, here.port)
            assert heir(here, daemon).wait(20) == 1
        board.write(0, b"undisturbed")
        assert "Address already in use" in here.log("gate")
        assert here.client.ping() == here.processes["gate"].pid

    def test_without_a_gate_there_is_nothing_to_take(self, here: Place) -> None:
        here.kill("gate")
        assert heir(here).wait(20) == 1
        assert "can't take over" in here.log("gate").splitlines()[-1]


REQUEST_HALF = b"\x25\x60\x95\x13\0\0\0\1" + (77).to_bytes(8) + (8192).to_bytes(8)
REST = (6).to_bytes(4) + b"halved"


class TestWhoHasIt:
    """The successor is ready, and the old gate says no more."""

    @pytest.fixture
    def talk(self, old: subprocess.Popen[bytes]) -> Iterator[tuple[Estate, socket.socket]]:
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        estate = Estate(mine, os.pidfd_open(old.pid), GateState({}, frozenset(), ()), [])
        with theirs:
            yield estate, theirs
        estate.thank()

    @pytest.fixture
    def old(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(["sleep", "60"])
        yield process
        process.kill()
        process.wait()

    def test_it_died(
        self, old: subprocess.Popen[bytes], talk: tuple[Estate, socket.socket]
    ) -> None:
        estate, theirs = talk
        theirs.close()
        old.kill()
        estate.accept()

    def test_it_lives(self, talk: tuple[Estate, socket.socket]) -> None:
        estate, theirs = talk
        theirs.close()
        with pytest.raises(Failed, match="keeps its sessions"):
            estate.accept()

    def test_it_goes_on(
        self, old: subprocess.Popen[bytes], talk: tuple[Estate, socket.socket]
    ) -> None:
        estate, theirs = talk
        complain(theirs, "you were too slow")
        old.kill()
        with pytest.raises(Failed, match="too slow"):
            estate.accept()


class TestTheDocument:
    def state(self) -> GateState:
        one = some_session(1)
        two = replace(some_session(2), held=True, backend=False)
        two = replace(two, recipe=replace(two.recipe, export="other", context=b"about"))
        return GateState({"a": "10.0.0.1"}, frozenset({"a"}), (one, two))

    def test_comes_back_as_it_was(self) -> None:
        state = self.state()
        assert unpack(b"".join(pack(state))) == state

    def test_anything_else_is_refused_in_words(self) -> None:
        """Cut, longer, of another version, with bytes turned: a ValueError, or a state."""
        whole = b"".join(pack(self.state()))
        dice = random.Random(5)
        for cut in range(0, len(whole), 7):
            with pytest.raises(ValueError):
                unpack(whole[:cut])
        with pytest.raises(ValueError, match="longer"):
            unpack(whole + b"x")
        with pytest.raises(ValueError, match="of version 2"):
            unpack(whole.replace(b'"version": 1', b'"version": 2', 1))
        for _ in range(3000):
            turned = bytearray(whole)
            for _ in range(dice.randrange(1, 4)):
                turned[dice.randrange(len(turned))] = dice.randrange(256)
            with suppress(ValueError):
                for session in unpack(bytes(turned)).sessions:
                    Requests.of(session.memory)

    def test_two_sessions_on_one_disk_are_refused(self) -> None:
        one = some_session(1)
        with pytest.raises(ValueError, match="two sessions"):
            unpack(b"".join(pack(GateState({}, frozenset(), (one, one)))))


def test_nothing_is_left_in_the_runtime_folder(here: Place) -> None:
    hand_over(here)
    assert not [p for p in Path(here.run).iterdir() if p.name.startswith(".")]
