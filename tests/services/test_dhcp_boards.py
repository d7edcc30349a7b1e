"""What each kind of board is told when it asks the real dnsmasq, by its documented requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.services.port import Host
from tests.lab import Board, until
from tests.services import dhcp_client as dhcp
from tests.services.dhcp_world import World, host, mac, table, world
from tests.services.tftp_client import fetch

pytestmark = pytest.mark.lab
PC = "52:54:00:00:00:01"
FIRST_PI3 = "b8:27:eb:00:00:01"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, server="10.77.0.1") as made:
        yield made


def client(board: Board) -> dhcp.Client:
    with board.inside():
        return dhcp.Client(board.mac)


def told(board: Board, options: dict[int, bytes], seconds: float = 3.0) -> dhcp.Answer:
    """The last answer of a whole conversation."""
    with client(board) as asking:
        answer = asking.lease(options, seconds)
    assert answer is not None
    assert answer.kind == dhcp.ACK
    return answer


def test_each_board_is_told_what_its_firmware_wants(served: World) -> None:
    pi3 = Host(FIRST_PI3, IPv4Address("10.77.0.90"), "old-pi")
    served.hosts.reconcile(table(host(1), pi3))
    board = served.lab.board(mac(1))

    pi4 = told(board, dhcp.pi(mac(1)))
    assert pi4.options[dhcp.CLASS] == b"PXEClient"
    assert pi4.options[dhcp.VENDOR].endswith(b"Raspberry Pi Boot\xff")
    assert pi4.options[dhcp.TFTP_SERVER].rstrip(b"\0") == b"10.77.0.1"
    assert pi4.options[dhcp.UUID] == dhcp.pi(mac(1))[dhcp.UUID]
    assert pi4.siaddr == IPv4Address("10.77.0.1")

    rom = told(served.lab.board(FIRST_PI3), dhcp.PI3)
    assert rom.options[dhcp.VENDOR].endswith(b"Raspberry Pi Boot   \xff")
    assert rom.ip == IPv4Address("10.77.0.90")

    uboot = told(board, dhcp.UBOOT)
    assert uboot.options[dhcp.BOOT_FILE].rstrip(b"\0") == b"boot.scr.uimg"
    assert uboot.siaddr == IPv4Address("10.77.0.1")
    assert dhcp.VENDOR not in uboot.options


@pytest.mark.parametrize(
    ("options", "file"),
    [
        (dhcp.BIOS, "undionly.kpxe"),
        (dhcp.UEFI, "ipxe-x86_64.efi"),
        ({**dhcp.UEFI, dhcp.ARCH: b"\0\x09"}, "ipxe-x86_64.efi"),
        ({**dhcp.UEFI, dhcp.ARCH: b"\0\x06"}, "ipxe-i386.efi"),
        ({**dhcp.UEFI, dhcp.ARCH: b"\0\x0b"}, "ipxe-arm64.efi"),
        ({**dhcp.UEFI, dhcp.ARCH: b"\0\x1b"}, "ipxe-riscv64.efi"),
        ({**dhcp.UEFI, dhcp.ARCH: b"\0\x63"}, "boot.scr.uimg"),
        (dhcp.IPXE, "boot.ipxe"),
    ],
)
def test_a_pc_is_told_the_file_for_its_processor(
    shared: World, options: dict[int, bytes], file: str
) -> None:
    answer = told(shared.lab.board(PC), options)
    assert b"Raspberry" not in answer.options.get(dhcp.VENDOR, b"")
    assert answer.options[dhcp.BOOT_FILE].rstrip(b"\0").decode() == file
    assert answer.siaddr == IPv4Address("10.77.0.1")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("shared"), server="10.77.0.1") as made:
        made.hosts.reconcile(table(Host(PC, IPv4Address("10.77.0.51"), "pc-1")))
        yield made


def test_with_several_addresses_the_one_in_the_settings_is_told(tmp_path: Path) -> None:
    with world(tmp_path, server="10.77.0.9", start=False) as made:
        made.lab.server.run(["ip", "addr", "add", "10.77.0.9/24", "dev", made.lab.interface])
        made.start()
        made.hosts.reconcile(table(host(1)))
        for options in (dhcp.UBOOT, dhcp.pi(mac(1))):
            answer = told(made.lab.board(mac(1)), options)
            assert answer.siaddr == IPv4Address("10.77.0.9")
            assert answer.options[dhcp.TFTP_SERVER].rstrip(b"\0") == b"10.77.0.9"


def test_boards_of_two_subnets_are_served_each_from_its_own(tmp_path: Path) -> None:
    more = [{"interface": "lab1", "subnet": "10.78.0.0/24", "server": "10.78.0.1"}]
    with world(tmp_path, server="10.77.0.1", more=more, start=False) as made:
        ip = ["ip", "link", "add", "lab1", "type", "bridge"]
        assert "no interface lab1" in off_inside(made)
        for argv in (ip, ["ip", "link", "set", "lab1", "up"]):
            made.lab.server.run(argv)
        assert "lacks the address 10.78.0.1" in off_inside(made)
        made.lab.server.run(["ip", "addr", "add", "10.78.0.1/24", "dev", "lab1"])
        made.start()
        far = made.lab.board(mac(2))
        made.lab.server.run(["ip", "link", "set", "p1", "master", "lab1"])
        near = made.lab.board(mac(1))
        there = Host(mac(2), IPv4Address("10.78.0.60"), "far")
        made.hosts.reconcile(table(host(1), there))
        for board, ip_, server in ((near, "10.77.0.51", "10.77.0.1"),
                                   (far, "10.78.0.60", "10.78.0.1")):  # fmt: skip
            answer = told(board, dhcp.UBOOT)
            assert (str(answer.ip), str(answer.siaddr)) == (ip_, server)
            assert answer.options[dhcp.TFTP_SERVER].rstrip(b"\0").decode() == server
        with made.lab.server.inside():
            made.release(mac(2), IPv4Address("10.78.0.60"))
        until(lambda: mac(2) not in {one.mac for one in made.leases()}, 3, "the lease is free")


def off_inside(made: World) -> str:
    with made.lab.server.inside():
        return made.daemon.off()


def test_as_a_proxy_no_address_is_given_and_pxe_clients_are_told_what_to_boot(
    tmp_path: Path,
) -> None:
    with world(tmp_path, server="10.77.0.1", dhcp="proxy") as made:
        made.hosts.reconcile(table(host(1)))
        with client(made.lab.board(mac(1))) as asking:
            pi = asking.ask(dhcp.DISCOVER, dhcp.pi(mac(1)))
            pc = asking.ask(dhcp.DISCOVER, dhcp.UEFI)
            assert asking.ask(dhcp.DISCOVER, dhcp.UBOOT, 0.5) is None
        assert pi is not None
        assert pi.ip == IPv4Address("0.0.0.0")
        assert pi.options[dhcp.VENDOR].endswith(b"Raspberry Pi Boot\xff")
        assert pi.siaddr == IPv4Address("10.77.0.1")
        assert pc is not None
        assert pc.file == "ipxe-x86_64.efi"
        with client(made.lab.board(mac(2))) as stranger:
            assert stranger.ask(dhcp.DISCOVER, dhcp.pi(mac(2)), 0.5) is None
        assert made.leases() == ()
        board = made.lab.board(mac(1))
        made.boot_files(board, config_txt=b"arm_64bit=1\n")
        board.use("10.77.0.51")
        assert board.tftp("config.txt") == b"arm_64bit=1\n"


def test_an_answer_is_late_where_that_is_asked(tmp_path: Path) -> None:
    with world(tmp_path, server="10.77.0.1", reply_delay=1) as made:
        made.hosts.reconcile(table(host(1)))
        with client(made.lab.board(mac(1))) as asking:
            assert asking.ask(dhcp.DISCOVER, dhcp.UBOOT) is not None
            began = time.monotonic()
            assert asking.ask(dhcp.DISCOVER, dhcp.UBOOT) is not None
        assert time.monotonic() - began > 0.8


FORTY = 40
KERNEL = 1 << 20


def test_forty_boards_at_once_are_all_served(served: World) -> None:
    """Each asks at the same moment, as after a power cut, then fetches what a U-Boot board does."""
    boards = [served.lab.board(mac(number)) for number in range(1, FORTY + 1)]
    served.hosts.reconcile(table(*(host(number) for number in range(1, FORTY + 1))))
    for board in boards:
        served.boot_files(board, boot_scr_uimg=board.mac.encode(), Image=b"\x5a" * KERNEL)
    begun = threading.Barrier(FORTY)
    got: dict[str, tuple[str, bytes, int]] = {}
    wrong: list[str] = []

    def boot(board: Board) -> None:
        try:
            with board.inside():
                with dhcp.Client(board.mac) as asking:
                    begun.wait(20)
                    tries = (asking.lease(dhcp.UBOOT, 2) for _ in range(5))
                    answer = next(filter(None, tries), None)
                assert answer is not None, "no address"
                board.use_here(answer.ip)
                script = fetch(answer.siaddr, "boot.scr.uimg")
                got[board.mac] = (str(answer.ip), script, len(fetch(answer.siaddr, "Image")))
        except (OSError, AssertionError, threading.BrokenBarrierError) as error:
            wrong.append(f"{board.mac}: {error!r}")

    threads = [threading.Thread(target=boot, args=(board,)) for board in boards]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
    assert time.monotonic() - began < 30
    wanted = {mac(n): (f"10.77.0.{n + 50}", mac(n).encode(), KERNEL) for n in range(1, FORTY + 1)}
    assert got == wanted
