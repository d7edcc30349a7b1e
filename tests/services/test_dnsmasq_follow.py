"""Following dnsmasq's log and lease file: rotated, truncated, torn, hostile."""

from __future__ import annotations

import time
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.services.dnsmasq_log import Tail
from sbctui.engine.services.hosts import hosts_dir, log_file
from sbctui.engine.services.leases import read_leases
from sbctui.engine.services.seen import MOST, SeenBoards


def stamp(at: float) -> str:
    return time.strftime("%b %e %H:%M:%S", time.localtime(at))


def discover(mac: str, xid: int = 7, vendor: str = "", at: float | None = None) -> str:
    head = f"{stamp(time.time() if at is None else at)} dnsmasq-dhcp[99]: {xid} "
    named = f"{head}vendor class: {vendor}\n" if vendor else ""
    return f"{named}{head}DHCPDISCOVER(lab0) {mac} ignored\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    hosts_dir(tmp_path).mkdir(parents=True)
    log_file(tmp_path).parent.mkdir()
    log_file(tmp_path).write_text("")
    return tmp_path


def add(site: Path, text: str) -> None:
    with log_file(site).open("a") as file:
        file.write(text)


def test_a_tail_goes_through_rotation_truncation_and_half_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    tail = Tail(log)
    assert tail.lines() == []
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert tail.lines() == ["one"]
        file.write("o\n")
        file.flush()
        assert tail.lines() == ["two"]
        log.rename(tmp_path / "log.1")
        file.write("three\n")
        file.flush()
        log.write_text("four\n")
        assert tail.lines() == ["three", "four"]
    log.write_text("5\n")
    assert tail.lines() == ["5"]
    log.unlink()
    assert tail.lines() == []
    log.write_text("six\n")
    assert tail.lines() == ["six"]


def test_a_tail_of_a_log_that_comes_later_begins_at_its_beginning(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "log")
    assert tail.lines() == []
    (tmp_path / "log").write_text("one\n")
    assert tail.lines() == ["one"]


def test_looking_back_is_bounded_and_begins_at_a_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {n:04}\n" for n in range(1000)))
    assert Tail(log, 25).lines() == ["line 0998", "line 0999"]
    assert len(Tail(log, 10**6).lines()) == 1000


def test_a_new_follower_knows_the_boards_of_before(site: Path) -> None:
    now = time.time()
    add(site, discover("dc:a6:32:00:00:01", 1, "PXEClient:Arch:00000", now - 3600))
    add(site, discover("dc:a6:32:00:00:02", 2, at=now - 60))
    add(site, discover("dc:a6:32:00:00:01", 3, at=now - 5))
    one, two = SeenBoards(site).boards()
    assert (one.mac, one.count, one.vendor_class) == (
        "dc:a6:32:00:00:01",
        2,
        "PXEClient:Arch:00000",
    )
    assert abs(one.first - (now - 3600)) < 2
    assert abs(one.last - (now - 5)) < 2
    assert (two.mac, two.count, two.vendor_class) == ("dc:a6:32:00:00:02", 1, "")


def test_a_pi_that_only_the_log_knows_is_no_pc(site: Path) -> None:
    add(site, discover("dc:a6:32:00:00:01", 1, "PXEClient:Arch:00000:UNDI:002001", time.time()))
    add(site, discover("52:54:00:00:00:01", 2, "PXEClient:Arch:00000:UNDI:002001", time.time()))
    told = {one.mac[:8]: (one.model, one.architecture) for one in SeenBoards(site).boards()}
    assert told == {"dc:a6:32": ("Raspberry Pi", "ARM64"), "52:54:00": ("", "x86 BIOS")}


def test_only_boards_that_were_turned_away_and_have_no_node_are_seen(site: Path) -> None:
    seen = SeenBoards(site)
    head = f"{stamp(time.time())} dnsmasq-dhcp[99]: 5 "
    add(site, f"{head}DHCPDISCOVER(lab0) dc:a6:32:00:00:03 \n")
    add(site, f"{head}DHCPDISCOVER(lab0) dc:a6:32:00:00:04 no address available\n")
    add(site, f"{head}DHCPREQUEST(lab0) 10.77.0.60 dc:a6:32:00:00:05 ignored\n")
    add(site, f"{head}DHCPREQUEST(lab0) 10.77.0.61 dc:a6:32:00:00:06 wrong address\n")
    assert {s.mac[-2:] for s in seen.boards()} == {"04", "05"}
    (hosts_dir(site) / "dc-a6-32-00-00-04").write_text("dc:a6:32:00:00:04,10.77.0.60\n")
    assert {s.mac[-2:] for s in seen.boards()} == {"05"}
    assert {s.mac[-2:] for s in SeenBoards(site).boards()} == {"05"}


def test_what_a_client_says_of_itself_makes_no_board(site: Path) -> None:
    seen = SeenBoards(site)
    head = f"{stamp(time.time())} dnsmasq-dhcp[99]: 5 "
    forged = "DHCPDISCOVER(lab0) dc:a6:32:00:00:09 ignored"
    add(site, f"{head}client provides name: x 5 {forged}\n")
    add(site, f"{head}vendor class: x\x1b[2J\u202e 5 {forged}\n")
    add(site, f"{head}DHCPDISCOVER(lab0) 01:00:5e:00:00:01 ignored\n")
    add(site, f"{stamp(time.time())} dnsmasq-tftp[99]: 5 {forged}\n")
    assert seen.boards() == ()
    add(site, discover("dc:a6:32:00:00:0a", 5))
    (one,) = seen.boards()
    assert "\x1b" not in one.vendor_class
    assert "\u202e" not in one.vendor_class
    assert len(one.vendor_class) <= 1024


def test_a_flood_of_boards_is_bounded_and_keeps_the_newest(site: Path) -> None:
    seen = SeenBoards(site)
    for n in range(MOST + 100):
        add(site, discover(f"dc:a6:32:00:{n >> 8:02x}:{n & 255:02x}", n, "flood"))
    found = {s.mac for s in seen.boards()}
    assert len(found) == MOST
    assert f"dc:a6:32:00:{(MOST + 99) >> 8:02x}:{(MOST + 99) & 255:02x}" in found
    assert "dc:a6:32:00:00:00" not in found


def test_leases_are_read_and_what_is_no_lease_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "leases"
    assert read_leases(path) == ()
    path.write_bytes(
        b"1795247461 dc:a6:32:00:00:01 10.77.0.61 pi-07 01:dc:a6:32:00:00:01\n"
        b"0 dc:a6:32:00:00:02 10.77.0.62 * *\n"
        b"1795247461 dc:a6:32:00:00:03 10.77.0.63 \x1b[2Jpi *\n"
        b"1795247461 dc:a6:32:00:00:04 10.77.0.300 pi *\n"
        b"1795247461 zz:a6:32:00:00:04 10.77.0.64 pi *\n"
        b"-5 dc:a6:32:00:00:04 10.77.0.64 pi *\n"
        b"duid 00:01:00:01\n"
        b"\xff\xfe\n"
        b"1795247461 dc:a6:32:00:00:05 10.77.0.6"
    )
    found = read_leases(path)
    assert [(lease.mac[-2:], lease.ip, lease.expires) for lease in found] == [
        ("01", IPv4Address("10.77.0.61"), 1795247461),
        ("02", IPv4Address("10.77.0.62"), 0),
        ("03", IPv4Address("10.77.0.63"), 1795247461),
    ]
    assert [lease.hostname for lease in found] == ["pi-07", "", "\\x1b[2Jpi"]
