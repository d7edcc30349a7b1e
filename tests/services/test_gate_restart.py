"""Both daemons killed and back: same rules, same disks, and every flushed byte."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic

import pytest

from sbctui.engine import commands
from sbctui.engine.errors import Refused, ServiceFailed
from sbctui.engine.services.gate_daemon import GateDaemon
from sbctui.engine.services.gate_rules import RULES
from tests.nbdclient import FLUSH, READ, WRITE, Board, Closed, NbdError, until
from tests.services import nbd_place
from tests.services.nbd_place import NOBODY, Place, mac, source


@pytest.fixture
def here() -> Iterator[Place]:
    with nbd_place.place() as here:
        base = here.base("root", b"base")
        for number in (1, 2):
            here.raw(number)
        here.overlay(3, base)
        here.exports.apply()
        yield here


def again(connect: Callable[[], Board], seconds: float = 5) -> Board:
    """What a board does that lost its disk: try until it is let in."""
    found: list[Board] = []

    def tried() -> bool:
        try:
            found.append(connect())
        except (OSError, Closed, NbdError):
            return False
        return True

    assert until(tried, seconds)
    return found[0]


def flood(board: Board, done: dict[int, bytes], over: threading.Event) -> None:
    """Writes all over the disk, eight at a time; ``done`` is what was answered."""
    dice = random.Random(3)
    waiting: dict[int, tuple[int, bytes]] = {}
    while waiting or not over.is_set():
        while len(waiting) < 8 and not over.is_set():
            offset = dice.randrange(1900) * 4096
            if any(offset == there for there, _ in waiting.values()):
                continue
            data = dice.randbytes(dice.choice([512, 4096]))
            if dice.random() < 0.02:
                waiting[board.request(FLUSH)] = (-1, b"")
            else:
                waiting[board.request(WRITE, offset, len(data), data)] = (offset, data)
        offset, data = waiting.pop(board.reply())
        if data:
            done[offset] = data + done.get(offset, b"")[len(data) :]


class TestTheStorageDaemonDies:
    def test_boards_do_not_notice(self, here: Place) -> None:
        """Killed with -9: what was written and not flushed is there too, overlays' as well."""
        boards = {number: here.board(number) for number in (1, 2, 3)}
        for number, board in boards.items():
            board.write(8192, b"flushed by %d" % number)
            board.flush()
            board.write(1 << 20, b"only written by %d" % number)
        began = monotonic()
        here.kill("storage")
        here.start(here.storage)
        for number, board in boards.items():
            assert board.read(8192, 12) == b"flushed by %d" % number
            assert board.read(1 << 20, 17) == b"only written by %d" % number
        assert monotonic() - began < 2
        assert here.client.ping() == here.processes["gate"].pid
        assert sorted(s.address for s in here.client.sessions()) == [source(n) for n in boards]

    def test_a_request_sent_while_it_is_away_is_answered_when_it_is_back(self, here: Place) -> None:
        board = here.board(3)
        here.kill("storage")
        cookie = board.request(WRITE, 4096, 5, b"later")
        assert until(lambda: f"held {mac(3)}" in here.log("gate"))
        here.start(here.storage)
        assert board.reply() == cookie
        assert board.read(4096, 5) == b"later"

    @pytest.mark.parametrize("number", [1, 3], ids=["raw", "overlay"])
    def test_one_that_writes_all_the_while_loses_nothing(self, here: Place, number: int) -> None:
        """Six deaths under a flood of writes, eight at a time, flushed now and then."""
        board = here.board(number)
        over = threading.Event()
        done: dict[int, bytes] = {}
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(flood, board, done, over)
            for _ in range(6):
                written = len(done)
                assert until(lambda written=written: len(done) > written + 150, 20)
                here.kill("storage")
                here.start(here.storage)
            over.set()
            writing.result(20)
        for offset, data in done.items():
            assert board.read(offset, len(data)) == data
        board.flush()
        assert here.log("gate").count("went on") == 6

    def test_a_long_read_that_was_cut_in_two_is_whole(self, here: Place) -> None:
        board = here.board(1)
        data = bytes(range(256)) * 4096 * 4
        board.write(0, data)
        board.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        cookie = board.request(READ, 0, len(data))
        assert board.reply() == cookie
        first = board.take(100_000)
        here.kill("storage")
        here.start(here.storage)
        assert first + board.take(len(data) - len(first)) == data
        assert board.read(0, 16) == data[:16]
        assert until(lambda: f"went on {mac(1)}" in here.log("gate"))

    def test_a_disk_taken_away_meanwhile_ends_the_session(self, here: Place) -> None:
        board = here.board(1)
        here.kill("storage")
        here.client.put(mac(1), None)
        assert board.gone()
        assert until(lambda: here.client.sessions() == ())

    def test_who_leaves_while_it_is_away_is_forgotten(self, here: Place) -> None:
        board = here.board(1)
        here.kill("storage")
        assert until(lambda: f"held {mac(1)}" in here.log("gate"))
        board.sock.close()
        assert until(lambda: here.client.sessions() == ())
        here.start(here.storage)
        here.board(1).leave()

    def test_one_that_came_back_itself_replaces_the_held_session(self, here: Place) -> None:
        """A board that lost power while the storage daemon was away."""
        held = here.board(1)
        here.kill("storage")
        assert until(lambda: f"held {mac(1)}" in here.log("gate"))
        found: list[Board] = []
        coming = threading.Thread(target=lambda: found.append(here.board(1)))
        coming.start()
        assert held.gone()
        here.start(here.storage)
        coming.join(10)
        found[0].write(0, b"mine")

    def test_a_disk_that_comes_back_as_another_is_not_gone_on_with(self, here: Place) -> None:
        board = here.board(1)
        here.kill("storage")
        with open(here.path / "nodes" / mac(1) / "root.img", "r+b") as disk:
            disk.truncate(4 << 20)
        here.start(here.storage)
        assert board.gone()
        assert until(lambda: "came back with another size" in here.log("gate"))

    def test_who_comes_meanwhile_waits_instead_of_failing(self, here: Place) -> None:
        here.kill("storage")
        found: list[Board] = []
        waiting = threading.Thread(target=lambda: found.append(here.board(1)))
        waiting.start()
        assert until(lambda: not found, 0.1)
        here.start(here.storage, furnish=False)
        here.storage.started()
        waiting.join(10)
        found[0].write(0, b"served")

    def test_without_it_a_board_is_refused_in_bounded_time(self, here: Place) -> None:
        here.kill("storage")
        began = monotonic()
        with pytest.raises((Closed, NbdError)):
            here.board(1)
        assert monotonic() - began < 11
        assert until(lambda: "the storage daemon is away" in here.log("gate"))
        assert here.gate.healthy() == ""


class TestTheGateDies:
    def test_killed_it_has_the_same_rules_by_itself(self, here: Place) -> None:
        here.client.close(mac(2))
        board = here.board(1)
        board.write(0, b"flushed")
        board.flush()
        here.kill("gate")
        assert board.gone()
        rules = (here.run / RULES).read_bytes()
        here.processes["gate"] = commands.start(here.gate.argv(), log_file=here.path / "gate.log")
        began = monotonic()
        after = again(lambda: here.board(1))
        assert monotonic() - began < 2
        assert after.read(0, 7) == b"flushed"
        with pytest.raises(NbdError):
            here.board(2)
        with pytest.raises(NbdError):
            here.board(1, source(3))
        assert (here.run / RULES).read_bytes() == rules

    def test_prepared_it_knows_what_changed_while_it_was_down(self, here: Place) -> None:
        here.kill("gate")
        here.underive(mac(1))
        here.raw(4)
        here.exports.apply()
        here.start(here.gate, furnish=False)
        here.board(4).leave()
        with pytest.raises(Closed):
            here.board(1)

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"rules": {"x": 5}, "closed": []}'])
    def test_rules_that_can_not_be_used_let_nobody_in(self, here: Place, content: bytes) -> None:
        here.kill("gate")
        (here.run / RULES).write_bytes(content)
        here.processes["gate"] = commands.start(here.gate.argv(), log_file=here.path / "gate.log")
        assert until(lambda: not here.gate.healthy())
        with pytest.raises(Closed):
            here.board(1)
        here.gate.started()
        here.board(1).leave()

    def test_while_it_is_away_disks_can_be_withdrawn(self, here: Place) -> None:
        here.kill("gate")
        assert here.exports.sessions() == ()
        here.exports.withdraw(mac(1), cut=False)
        assert mac(1) not in here.storage.exported()
        here.exports.restore(mac(1))
        assert mac(1) in here.storage.exported()

    def test_a_session_past_the_gate_keeps_its_disk(self, here: Place) -> None:
        with here.unix(1) as board:
            with pytest.raises(Refused, match="has it open"):
                here.exports.withdraw(mac(1), cut=False)
            board.write(0, b"undisturbed")
        assert mac(1) in here.storage.exported()


class TestStarting:
    def test_a_port_in_use_is_the_last_line_of_its_log(self, here: Place) -> None:
        second = commands.start(here.gate.argv(), log_file=here.path / "second.log")
        assert second.wait(10) == 1
        last = (here.path / "second.log").read_text().splitlines()[-1]
        assert f"127.0.0.1:{here.port}: Address already in use" in last

    def test_an_address_that_is_not_ours_is_refused_before(self, here: Place) -> None:
        elsewhere = (IPv4Address("192.0.2.1"),)
        daemon = GateDaemon(here.derived, here.run, here.owner, elsewhere, here.port)
        with pytest.raises(ServiceFailed, match=r"192\.0\.2\.1 is no address of this machine"):
            daemon.prepare()

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a gate of another user")
    def test_started_by_root_it_becomes_the_owner(self) -> None:
        with nbd_place.place(NOBODY) as here:
            here.raw(1)
            assert here.exports.apply().refused == ()
            with here.board(1) as board:
                board.write(0, b"hello")
                for name in ("gate", "storage"):
                    status = Path(f"/proc/{here.processes[name].pid}/status").read_text()
                    assert "Uid:\t65534\t65534\t65534\t65534" in status
                    assert "Groups:\t \n" in status or "Groups:\t\n" in status
            for name in ("gate.sock", "storage.sock", "storage.qmp"):
                assert (here.run / name).stat().st_mode & 0o777 == 0o600
            here.client.put(mac(9), IPv4Address("127.0.0.9"))
            assert mac(9) in json.loads((here.run / RULES).read_bytes())["rules"]

    def test_asked_to_end_it_ends_with_its_sessions(self, here: Place) -> None:
        with here.board(1) as board:
            process = here.processes["gate"]
            process.terminate()
            assert process.wait(5) == 0
            assert board.gone()
