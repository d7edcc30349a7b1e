"""Who is let in: the own address only, one session a disk, and what is withdrawn to nobody."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from sbctui.engine.errors import Refused
from tests.nbdclient import (
    ABORT,
    ACK,
    FLUSH,
    INFO,
    INFO_REPLY,
    INVALID,
    LIST,
    LIST_META,
    META,
    MULTI_CONN,
    POLICY,
    SET_META,
    STARTTLS,
    STRUCTURED,
    UNSUP,
    WRITE,
    Board,
    Closed,
    NbdError,
    until,
)
from tests.services import nbd_place
from tests.services.nbd_place import MIB, Place, mac, source


@pytest.fixture
def here() -> Iterator[Place]:
    with nbd_place.place() as here:
        for number in (1, 2, 3):
            here.raw(number)
        here.exports.apply()
        yield here


def refused(here: Place, number: int, address: str) -> str:
    with pytest.raises((NbdError, Closed)) as caught:
        here.board(number, address)
    return str(caught.value)


def ended(here: Place, number: int) -> bool:
    return until(lambda: not any(s.export == mac(number) for s in here.exports.sessions()))


def slow_daemon(here: Place, disk: Path, writes_per_second: int) -> None:
    """The storage daemon as we use it, before a disk that takes its time."""
    here.processes["storage"] = subprocess.Popen(
        [
            "qemu-storage-daemon",
            *("--object", f"throttle-group,id=slow,limits.iops-write={writes_per_second}"),
            *("--blockdev", f"driver=file,node-name=file,filename={disk}"),
            *("--blockdev", "driver=throttle,node-name=disk,throttle-group=slow,file=file"),
            *("--nbd-server", f"addr.type=unix,addr.path={here.run}/storage.sock"),
            *("--export", f"type=nbd,id=e,node-name=disk,name={mac(1)},writable=on"),
        ]
    )
    assert until((here.run / "storage.sock").exists)


class TestOwnAddressOnly:
    def test_another_boards_disk_is_refused_in_words(self, here: Place) -> None:
        assert f"not an export for {source(2)}" in refused(here, 1, source(2))
        here.board(1).leave()

    def test_an_unknown_address_meets_a_closed_door(self, here: Place) -> None:
        with Board(here.port, source=source(99)) as stranger, pytest.raises(Closed):
            stranger.greet()

    def test_the_old_way_in_keeps_the_rule(self, here: Place) -> None:
        with Board(here.port, source=source(2)) as other:
            other.greet()
            with pytest.raises(Closed):
                other.export_name(mac(1))

    @pytest.mark.parametrize("option", [INFO, LIST_META, SET_META])
    def test_no_option_tells_about_anothers_disk(self, here: Place, option: int) -> None:
        tail = b"\0\0" if option == INFO else b"\0\0\0\0"
        with Board(here.port, source=source(2)) as other:
            other.greet()
            other.option(STRUCTURED)
            with pytest.raises(NbdError) as caught:
                other.option(option, other.named(mac(1), tail))
            assert caught.value.code == POLICY
            assert other.go(mac(2)).size == 8 * MIB

    def test_a_deallocated_board_is_out_at_once(self, here: Place) -> None:
        here.board(1).leave()
        here.underive(mac(1))
        here.exports.apply()
        began = monotonic()
        refused(here, 1, source(1))
        assert monotonic() - began < 1
        here.board(2).leave()


class TestOneSession:
    def test_a_board_that_lost_power_gets_back_in_at_once(self, here: Place) -> None:
        before = here.board(1)
        before.write(0, b"flushed")
        before.flush()
        began = monotonic()
        after = here.board(1)
        assert monotonic() - began < 1
        assert after.read(0, 7) == b"flushed"
        assert before.gone()
        (session,) = here.exports.sessions()
        assert session.since > 0
        assert "replaced by" in here.log("gate")

    def test_nothing_of_the_old_session_is_written_after_the_new_one_began(self) -> None:
        """A storage daemon with a slow disk still writes what was in flight when a board left."""
        with nbd_place.place(start=False) as here:
            target = here.raw(1)
            slow_daemon(here, target.file, writes_per_second=8)
            here.start(here.gate)
            old = here.board(1)
            for number in range(8):
                old.request(WRITE, number * 4096, 4096, b"\xaa" * 4096)
            assert until(lambda: here.exports.sessions()[0].bytes_written > 8 * 4096)
            new = here.board(1)
            first = new.read(0, 8 * 4096)
            assert old.gone()
            new.sock.settimeout(1.5)
            with pytest.raises(TimeoutError):
                new.take(1)
            assert new.read(0, 8 * 4096) == first, "a write of the old session came later"

    def test_forty_times_the_same_board_at_once_leaves_one(self, here: Place) -> None:
        boards = [Board(here.port, source=source(1)) for _ in range(12)]
        for one in boards:
            one.greet()
        for one in boards:
            one.send(b"IHAVEOPT\0\0\0\7" + len(one.named(mac(1))).to_bytes(4, "big"))
            one.send(one.named(mac(1)))
        assert until(lambda: len(here.exports.sessions()) == 1)
        alive = 0
        for one in boards:
            one.sock.settimeout(0.5)
            alive += not one.gone()
            one.sock.close()
        assert alive == 1

    def test_asking_about_a_disk_ends_no_session(self, here: Place) -> None:
        with here.board(1) as board:
            with Board(here.port, source=source(1)) as other:
                other.greet()
                assert other.go(mac(1), INFO).size == 8 * MIB
                other.option(ABORT)
            board.write(0, b"undisturbed")

    def test_a_refused_newcomer_ends_no_session(self, here: Place) -> None:
        with here.board(1) as board:
            refused(here, 1, source(2))
            board.write(0, b"undisturbed")

    def test_two_disks_do_not_mix(self, here: Place) -> None:
        with here.board(1) as one, here.board(2) as two:
            one.write(4096, b"one" * 1000)
            two.write(4096, b"two" * 1000)
            assert one.read(4096, 3000) == b"one" * 1000
            assert two.read(4096, 3000) == b"two" * 1000
            assert {s.export for s in here.exports.sessions()} == {mac(1), mac(2)}


class TestWithdrawn:
    def test_refused_while_a_board_is_connected_and_all_is_as_before(self, here: Place) -> None:
        with here.board(1) as board:
            with pytest.raises(Refused, match=f"open from {source(1)}"):
                here.exports.withdraw(mac(1), cut=False)
            board.write(0, b"undisturbed")
        assert ended(here, 1)
        here.board(1).leave()

    def test_cut_ends_the_session_and_frees_the_disk(self, here: Place) -> None:
        one, two = here.board(1), here.board(2)
        here.exports.withdraw(mac(1), cut=True)
        assert one.gone()
        assert "withdrawn" in refused(here, 1, source(1))
        assert here.storage.exported() == {mac(2), mac(3)}
        two.write(0, b"undisturbed")
        here.exports.restore(mac(1))
        here.board(1).leave()

    def test_closed_drains_and_admits_nobody(self, here: Place) -> None:
        with here.board(1) as board:
            here.exports.close(mac(1))
            refused(here, 1, source(1))
            board.write(0, b"goes on")
            assert board.read(0, 7) == b"goes on"
        here.exports.open(mac(1))
        here.board(1).leave()

    def test_what_is_closed_stays_so_when_rules_change(self, here: Place) -> None:
        here.exports.close(mac(1))
        here.raw(4)
        here.exports.apply()
        here.board(4).leave()
        refused(here, 1, source(1))

    def test_a_removed_rule_touches_no_session(self, here: Place) -> None:
        with here.board(1) as one, here.board(2) as two:
            here.client.put(mac(1), None)
            one.write(0, b"draining")
            two.write(0, b"undisturbed")
            refused(here, 1, source(1))
        here.board(2).leave()


class TestNegotiation:
    def test_one_client_only_is_promised_of_a_writable_disk(self, here: Place) -> None:
        with here.unix(1) as direct:
            assert direct.flags & MULTI_CONN, "then nothing is stripped any more"
        with here.board(1) as board:
            assert not board.flags & MULTI_CONN
        with Board(here.port, source=source(1)) as old:
            old.greet()
            assert not old.export_name(mac(1)).flags & MULTI_CONN
        with Board(here.port, source=source(1)) as asking:
            asking.greet()
            assert not asking.go(mac(1), INFO).flags & MULTI_CONN

    @pytest.mark.parametrize("flags", [1, 3])
    def test_the_old_way_in_with_and_without_its_zeroes(self, here: Place, flags: int) -> None:
        with Board(here.port, source=source(1)) as board:
            board.greet(flags)
            assert board.export_name(mac(1), zeroes=flags == 1).size == 8 * MIB
            board.write(0, b"hello")
            assert board.read(0, 5) == b"hello"

    @pytest.mark.parametrize(
        ("option", "data", "code"),
        [
            (LIST, b"", POLICY),
            (STARTTLS, b"", UNSUP),
            (11, b"", UNSUP),
            (4, b"", UNSUP),
            (0xFFFFFFFF, b"x" * 100, UNSUP),
            (STRUCTURED, b"x", INVALID),
            (INFO, b"", INVALID),
            (INFO, b"\xff\xff\xff\xff", INVALID),
            (INFO, b"\0\0\0\1a\0\1", INVALID),
            (LIST_META, Board.named(mac(1), b"\0\0\0\0"), INVALID),
        ],
    )
    def test_an_option_refused_leaves_the_way_in_open(
        self, here: Place, option: int, data: bytes, code: int
    ) -> None:
        with Board(here.port, source=source(1)) as board:
            board.greet()
            with pytest.raises(NbdError) as caught:
                board.option(option, data)
            assert caught.value.code == code
            assert board.go(mac(1)).size == 8 * MIB
            board.write(0, b"hello")

    def test_structured_replies_and_contexts_reach_the_storage_daemon(self, here: Place) -> None:
        with Board(here.port, source=source(1)) as board:
            board.greet()
            assert board.option(STRUCTURED)[-1][0] == ACK
            context = b"base:allocation"
            query = b"\0\0\0\1" + len(context).to_bytes(4, "big") + context
            replies = board.option(SET_META, board.named(mac(1), query))
            assert [kind for kind, _ in replies] == [META, ACK]
            kinds = [kind for kind, _ in board.option(7, board.named(mac(1)))]
            assert INFO_REPLY in kinds
            board.request(FLUSH)
            assert board.take(4) in (bytes.fromhex("668e33ef"), bytes.fromhex("67446698"))

    def test_a_name_in_bytes_that_are_no_text(self, here: Place) -> None:
        name = b"\xff\x1b[2J\n" * 8
        with Board(here.port, source=source(1)) as board:
            board.greet()
            with pytest.raises(NbdError) as caught:
                board.option(7, len(name).to_bytes(4, "big") + name + b"\0\0")
            assert caught.value.code == POLICY
            assert "\x1b" not in str(caught.value)
        assert until(lambda: "not an export" in here.log("gate"))
        assert "\x1b" not in here.log("gate")


class TestRealClients:
    @pytest.fixture
    def uri(self, here: Place) -> str:
        here.raw(9, 16 * MIB, address="127.0.0.1")
        here.exports.apply()
        return f"nbd://127.0.0.1:{here.port}/{mac(9)}"

    @staticmethod
    def run(*command: str) -> str:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def test_nbdinfo(self, uri: str) -> None:
        assert self.run("nbdinfo", "--size", uri).strip() == str(16 * MIB)
        assert "can_multi_conn: false" in self.run("nbdinfo", uri)
        writable = subprocess.run(["nbdinfo", "--is", "readonly", uri], check=False)
        assert writable.returncode == 2

    def test_qemu(self, uri: str, here: Place) -> None:
        source_file = here.path / "source"
        source_file.write_bytes(bytes(range(256)) * 4096 + bytes(15 * MIB))
        self.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", str(source_file), uri)
        self.run("qemu-img", "compare", "-f", "raw", "-F", "raw", str(source_file), uri)

    def test_libnbd(self, uri: str) -> None:
        script = (
            f"import nbd; h = nbd.NBD(); h.connect_uri({uri!r});"
            "h.pwrite(b'x' * 512, 512); h.flush(); h.trim(4096, 8192);"
            "assert h.pread(512, 512) == b'x' * 512; assert h.can_fua() and h.can_zero();"
            "h.zero(512, 512); assert h.pread(512, 512) == bytes(512); h.shutdown()"
        )
        self.run("/usr/bin/python3", "-c", script)
