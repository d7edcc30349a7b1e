"""The real dnsmasq serving boards in a private network, driven through the adapters."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services.hosts import hosts_dir, log_file
from sbctui.engine.services.seen import SeenBoards
from tests.lab import Board, TftpError, until
from tests.services.dhcp_world import World, host, lab_settings, mac, table, world

pytestmark = pytest.mark.lab


@pytest.fixture
def served(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def address(board: Board) -> str | None:
    lease = board.dhcp()
    return lease["ip"] if lease else None


def leased(served: World) -> dict[str, str]:
    return {lease.mac: str(lease.ip) for lease in served.leases()}


def test_a_new_board_gets_its_own_address_and_what_it_needs_to_boot(served: World) -> None:
    board = served.lab.board(mac(7))
    assert served.hosts.reconcile(table(host(7))).added == (board.dashed,)
    lease = board.dhcp()
    assert lease is not None
    assert lease["ip"] == "10.77.0.57"
    assert lease["hostname"] == "pi-7"
    assert lease["siaddr"] == "10.77.0.1"
    assert lease["boot_file"] == "boot.scr.uimg"
    assert lease["subnet"] == "255.255.255.0"
    (one,) = served.hosts.leases()
    assert (one.mac, str(one.ip), one.hostname) == (mac(7), "10.77.0.57", "pi-7")
    assert time.time() + 3500 < one.expires < time.time() + 3700


def test_adding_one_restarts_nothing_and_no_other_notices(served: World) -> None:
    served.hosts.reconcile(table(host(1)))
    first = served.lab.board(mac(1))
    assert address(first) == "10.77.0.51"
    pid, leases = served.daemon.pid(), served.leases()
    changes = served.hosts.reconcile(table(host(2)), {"dc-a6-32-00-00-02"})
    assert changes.added == ("dc-a6-32-00-00-02",)
    assert address(served.lab.board(mac(2))) == "10.77.0.52"
    assert served.daemon.pid() == pid
    assert served.reloads == 0
    assert set(leases) < set(served.leases())
    assert served.hosts.reconcile(table(host(1), host(2))) == type(changes)()


def test_a_changed_address_is_given_and_the_old_one_is_free(served: World) -> None:
    board = served.lab.board(mac(1))
    served.hosts.reconcile(table(host(1)))
    assert address(board) == "10.77.0.51"
    assert served.hosts.reconcile(table(host(1, 90))).changed == (board.dashed,)
    assert leased(served) == {}
    assert address(board) == "10.77.0.90"
    served.hosts.reconcile(table(host(2, 51)), {"dc-a6-32-00-00-02"})
    assert address(served.lab.board(mac(2))) == "10.77.0.51"


def test_a_removed_board_gets_nothing_and_its_address_is_free_at_once(served: World) -> None:
    gone, stays = served.lab.board(mac(1)), served.lab.board(mac(2))
    served.hosts.reconcile(table(host(1), host(2)))
    assert (address(gone), address(stays)) == ("10.77.0.51", "10.77.0.52")
    pid = served.daemon.pid()
    assert served.hosts.reconcile({}, {gone.dashed}).removed == (gone.dashed,)
    assert leased(served) == {mac(2): "10.77.0.52"}
    assert list(served.listed()) == [stays.dashed]
    assert gone.dhcp(tries=2) is None
    assert address(stays) == "10.77.0.52"
    served.hosts.reconcile(table(host(3, 51)), {"dc-a6-32-00-00-03"})
    assert address(served.lab.board(mac(3))) == "10.77.0.51"
    assert served.daemon.pid() == pid


def test_a_removed_board_gets_nothing_even_when_nobody_sends_the_signal(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = served.lab.board(mac(1))
    served.hosts.reconcile(table(host(1)))
    assert address(board) == "10.77.0.51"

    def lost() -> None:
        raise ServiceFailed("the supervisor is gone")

    monkeypatch.setattr(served, "reload_dhcp", lost)
    with pytest.raises(ServiceFailed, match="supervisor is gone"):
        served.hosts.reconcile({})
    assert served.listed() == {}
    assert board.dhcp(tries=1) is None


def test_a_removed_board_can_come_back(served: World) -> None:
    board = served.lab.board(mac(1))
    for _ in range(3):
        served.hosts.reconcile(table(host(1)))
        assert address(board) == "10.77.0.51"
        served.hosts.reconcile({})
        assert leased(served) == {}


def test_an_address_moves_between_boards_in_one_step(served: World) -> None:
    one, two = served.lab.board(mac(1)), served.lab.board(mac(2))
    served.hosts.reconcile(table(host(1), host(2)))
    assert (address(one), address(two)) == ("10.77.0.51", "10.77.0.52")
    changes = served.hosts.reconcile(table(host(1, 52), host(2, 51)))
    assert changes.refused == ()
    assert set(changes.changed) == {one.dashed, two.dashed}
    assert (address(one), address(two)) == ("10.77.0.52", "10.77.0.51")


def test_a_renamed_board_keeps_its_address_and_learns_its_name(served: World) -> None:
    board = served.lab.board(mac(1))
    served.hosts.reconcile(table(host(1)))
    assert address(board) == "10.77.0.51"
    assert served.hosts.reconcile(table(host(1, name="window"))).refused == ()
    lease = board.dhcp()
    assert lease is not None
    assert (lease["ip"], lease["hostname"]) == ("10.77.0.51", "window")


@pytest.mark.parametrize("name", ["ignore", "infinite", "12h"])
def test_a_board_named_like_a_keyword_is_served(served: World, name: str) -> None:
    served.hosts.reconcile(table(host(1, name=name)))
    lease = served.lab.board(mac(1)).dhcp()
    assert lease is not None
    assert (lease["ip"], lease["lease"]) == ("10.77.0.51", "3600")


def test_an_unknown_board_gets_nothing_and_is_seen_within_two_seconds(served: World) -> None:
    stranger = served.lab.board("02:aa:bb:cc:dd:01")
    stranger.ask(vendor="PXEClient:Arch:00000:UNDI:002001", tries=2)
    until(served.seen, 2, "the stranger is seen")
    assert stranger.answer() is None
    (one,) = served.hosts.seen()
    assert one.mac == "02:aa:bb:cc:dd:01"
    assert one.vendor_class == "PXEClient:Arch:00000:UNDI:002001"
    assert one.count >= 1
    assert one.first <= one.last <= time.time() + 1
    assert SeenBoards(served.site).boards()[0].mac == one.mac
    served.hosts.reconcile({"02-aa-bb-cc-dd-01": type(host(1))(one.mac, host(1).ip, "pi-1")})
    assert served.seen() == ()


def test_a_refused_host_is_put_back_as_it_was_and_says_why(served: World) -> None:
    one, two = served.lab.board(mac(1)), served.lab.board(mac(2))
    served.hosts.reconcile(table(host(1), host(2)))
    before = served.listed()
    changes = served.hosts.reconcile(table(host(2, 51)), {two.dashed})
    ((name, why),) = changes.refused
    assert name == two.dashed
    assert "duplicate dhcp-host IP address 10.77.0.51" in why
    new = served.hosts.reconcile(table(host(3, 52)), {"dc-a6-32-00-00-03"})
    assert [name for name, _ in new.refused] == ["dc-a6-32-00-00-03"]
    assert new.added == ()
    assert served.listed() == before
    assert (address(one), address(two)) == ("10.77.0.51", "10.77.0.52")
    assert served.hosts.reconcile(table(host(1, 53), host(2, 51))).refused == ()
    assert (address(one), address(two)) == ("10.77.0.53", "10.77.0.51")


def test_leftovers_are_cleared_and_a_silent_deletion_is_caught_up(served: World) -> None:
    board = served.lab.board(mac(1))
    folder = hosts_dir(served.site)
    served.hosts.reconcile(table(host(1)))
    (folder / "dc-a6-32-00-00-05").write_text("dc:a6:32:00:00:05,ignore\n")
    (folder / "notes.txt").write_text("# not a host\n")
    (folder / ".dc-a6-32-00-00-06.0123.tmp").write_text("half")
    changes = served.hosts.reconcile(table(host(1)))
    assert set(changes.removed) == {"dc-a6-32-00-00-05", "notes.txt"}
    assert {p.name for p in folder.iterdir()} == {board.dashed}
    (folder / board.dashed).unlink()
    changes = served.hosts.reconcile(table(host(2, 51)))
    assert (changes.added, changes.refused) == (("dc-a6-32-00-00-02",), ())
    assert board.dhcp(tries=1) is None
    assert address(served.lab.board(mac(2))) == "10.77.0.51"


def test_each_board_gets_its_own_boot_files_byte_for_byte(served: World) -> None:
    one, two = served.lab.board(mac(1)), served.lab.board(mac(2))
    kernel = os.urandom(1_000_003)
    served.boot_files(one, boot_scr_uimg=b"script of one\n" * 9, vmlinuz=kernel)
    served.boot_files(two, boot_scr_uimg=b"script of two\n")
    served.hosts.reconcile(table(host(1), host(2)))
    for board, script in ((one, b"script of one\n" * 9), (two, b"script of two\n")):
        lease = board.dhcp()
        assert lease is not None
        assert board.tftp(lease["boot_file"]) == script
    assert hashlib.sha256(one.tftp("vmlinuz")).digest() == hashlib.sha256(kernel).digest()
    for path in ("vmlinuz", "no-such-file", "../../../../etc/passwd", "/etc/passwd"):
        with pytest.raises(TftpError):
            two.tftp(path)


def test_a_refused_configuration_leaves_the_old_in_force_and_says_why(served: World) -> None:
    served.hosts.reconcile(table(host(1)))
    before, pid = served.conf(), served.daemon.pid()
    other = served.made_with(lab_settings(served.lab, lease_seconds=7200))
    tftp = served.site / "derived/tftp"
    tftp.rename(tftp.with_name("elsewhere"))
    tftp.write_text("no folder")
    with pytest.raises(ServiceFailed, match=r"TFTP.*(inaccessible|Not a directory)"):
        other.prepare()
    assert served.conf() == before
    assert served.daemon.pid() == pid
    assert address(served.lab.board(mac(1))) == "10.77.0.51"
    tftp.unlink()
    tftp.with_name("elsewhere").rename(tftp)
    other.prepare()
    assert b"7200" in served.conf()
    assert (served.site / "derived/dnsmasq/dnsmasq.conf.last").read_bytes() == before


def test_dnsmasqs_own_line_is_said_and_the_last_good_configuration_comes_back(
    served: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = served.conf()
    served.made_with(lab_settings(served.lab, lease_seconds=7200)).prepare()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dnsmasq").write_text(
        "#!/bin/sh\necho 'dnsmasq: bad option at line 9 of it' >&2\nexit 1\n"
    )
    (tools / "dnsmasq").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    torn = served.site / "derived/dnsmasq/dnsmasq.conf"
    torn.write_bytes(served.conf()[:100] + b"dhcp-script=/tmp/evil\n")
    with pytest.raises(ServiceFailed, match="bad option at line 9 of it"):
        served.daemon.prepare()
    assert served.conf() == good
    names = {p.name for p in torn.parent.iterdir()}
    assert names == {"dnsmasq.conf", "dnsmasq.conf.last", "hosts.d"}


def test_a_hanging_and_a_dead_dnsmasq_are_found_out(served: World) -> None:
    with served.lab.server.inside():
        assert served.daemon.healthy() == ""
        os.kill(served.daemon.pid(), signal.SIGSTOP)
        began = time.monotonic()
        assert "not taken a packet" in served.daemon.healthy()
        assert time.monotonic() - began < 1.5
        os.kill(served.daemon.pid(), signal.SIGCONT)
        assert served.daemon.healthy() == ""
        served.stop()
        assert served.daemon.healthy() == "it has not started"
    assert served.log().count("dnsmasq-tftp") == 1


def test_boards_go_on_after_dnsmasq_was_killed(served: World) -> None:
    board = served.lab.board(mac(1))
    served.hosts.reconcile(table(host(1)))
    assert address(board) == "10.77.0.51"
    served.stop()
    served.start()
    assert leased(served) == {mac(1): "10.77.0.51"}
    assert address(board) == "10.77.0.51"


def test_what_changed_while_it_was_down_is_true_after_its_start(served: World) -> None:
    one, two = served.lab.board(mac(1)), served.lab.board(mac(2))
    served.hosts.reconcile(table(host(1), host(2)))
    assert (address(one), address(two)) == ("10.77.0.51", "10.77.0.52")
    served.stop()
    changes = served.hosts.reconcile(table(host(2, 51)))
    assert (changes.changed, changes.removed) == ((two.dashed,), (one.dashed,))
    served.start()
    until(lambda: leased(served) == {}, 2, "stale leases are released")
    assert address(two) == "10.77.0.51"
    assert one.dhcp(tries=1) is None


def test_a_host_removed_behind_a_running_dnsmasq_is_forgotten_by_started(served: World) -> None:
    board = served.lab.board(mac(1))
    served.hosts.reconcile(table(host(1)))
    assert address(board) == "10.77.0.51"
    (hosts_dir(served.site) / board.dashed).unlink()
    with served.lab.server.inside():
        served.daemon.started()
    until(lambda: leased(served) == {}, 2, "its lease is released")
    assert board.dhcp(tries=1) is None


def test_a_long_log_is_set_aside_and_still_followed(served: World) -> None:
    log = log_file(served.site)
    assert served.seen() == ()
    os.truncate(log, 17 << 20)
    with served.lab.server.inside():
        assert served.daemon.healthy() == ""
        until(log.exists, 2, "a new log")
        assert served.daemon.healthy() == ""
    assert log.stat().st_size < 1 << 20
    assert served.hosts.reconcile(table(host(1))).refused == ()
    assert served.lab.board(mac(2)).dhcp(tries=1) is None
    assert [one.mac for one in served.seen()] == [mac(2)]


@pytest.mark.slow
def test_forty_boards_at_once(served: World) -> None:
    numbers = range(1, 41)
    boards = [served.lab.board(mac(n)) for n in numbers]
    for number, board in zip(numbers, boards, strict=True):
        served.boot_files(board, boot_scr_uimg=f"script of {number}\n".encode() * 50)
    began = time.monotonic()
    assert len(served.hosts.reconcile(table(*map(host, numbers))).added) == 40
    added = time.monotonic() - began
    for board in boards:
        board.ask(tries=5)
    leases = [board.answer() for board in boards]
    print(f"added in {added:.2f} s, leased in {time.monotonic() - began - added:.2f} s")
    assert [lease and lease["ip"] for lease in leases] == [str(host(n).ip) for n in numbers]
    assert len(leased(served)) == 40
    for number, board in zip(numbers, boards, strict=True):
        assert board.tftp("boot.scr.uimg") == f"script of {number}\n".encode() * 50
    assert served.reloads == 0
