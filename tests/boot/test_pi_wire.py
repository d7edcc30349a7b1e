"""A Raspberry Pi's documented requests, byte for byte, against a whole site in a private network.

Its firmware asks with its serial number, or with its MAC (``TFTP_PREFIX=2``), before every name,
and without either when ``start4.elf`` is not there.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

import pytest

from tests.boot.initrds import PI_CONFIG, pi_tree
from tests.lab import Board
from tests.system.world import Serving, serving

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

MAC = "dc:a6:32:01:36:c2"
SERIAL = "d9780558"
BLOCK = 1024
OACK, DATA, ERROR = 6, 3, 5


class NotThere(Exception):
    """TFTP's error 1."""


def request(name: str) -> bytes:
    """An RRQ as a Pi 4's EEPROM sends it: octet, tsize 0, blksize 1024 (RFC 1350, 2348, 2349)."""
    words = (name, "octet", "tsize", "0", "blksize", str(BLOCK))
    return b"\0\1" + b"".join(word.encode() + b"\0" for word in words)


def fetch(board: Board, name: str) -> bytes:
    """One file, as the firmware fetches it. Raises NotThere."""
    with board.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.sendto(request(name), (str(board.lab.address), 69))
        packet, peer = sock.recvfrom(2048)
        if packet[1] == ERROR:
            assert packet[3] == 1, packet
            raise NotThere(name)
        assert packet[1] == OACK
        options = packet[2:].rstrip(b"\0").split(b"\0")
        size = int(options[options.index(b"tsize") + 1])
        data, block = b"", 0
        while True:
            sock.sendto(b"\0\4" + block.to_bytes(2, "big"), peer)
            if len(data) == size and block:
                return data
            packet, peer = sock.recvfrom(2048)
            assert packet[1] == DATA
            block = int.from_bytes(packet[2:4], "big")
            data += packet[4:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    tree = pi_tree(tmp_path_factory.mktemp("pi") / "tree")
    with serving() as made:
        made.sbctui("root", "create", "pios", "--from", str(tree), "--size", "64M", "--yes")
        made.sbctui("leaf", "create", "pios", f"{MAC},pi-01", "--yes")
        yield made


@pytest.fixture
def board(site: Serving) -> Board:
    made = site.lab.board(MAC)
    lease = made.dhcp()
    assert lease is not None
    assert lease["siaddr"] == str(site.lab.address)
    return made


def start(board: Board, prefix: str, names: Sequence[str]) -> dict[str, bytes]:
    """What the firmware gets: with the prefix if start4.elf is there with it, else without."""
    try:
        fetch(board, f"{prefix}start4.elf")
    except NotThere:
        prefix = ""
    return {name: fetch(board, prefix + name) for name in names}


@pytest.mark.parametrize("prefix", [f"{SERIAL}/", f"{MAC.replace(':', '-')}/", ""])
def test_a_pi_4_gets_all_it_asks_for_whatever_it_puts_before(
    site: Serving, board: Board, prefix: str
) -> None:
    (shown,) = site.ask("boot", "show", "pi-01", "--firmware", "pi4")["boot"]["firmware"]
    rows = {row["asks"]: row for row in shown["files"] if "SERIAL" not in row["asks"]}
    got = start(board, prefix, list(rows))
    for name, data in got.items():
        assert len(data) == rows[name]["size"]
        assert data == (site.path / rows[name]["file"]).read_bytes()
    assert PI_CONFIG.encode() in got["config.txt"]
    assert f"nbdroot={site.lab.address}:10809/{board.dashed} ".encode() in got["cmdline.txt"]


def test_with_its_mac_before_the_name_nothing_is_asked_for_in_vain(board: Board) -> None:
    assert fetch(board, f"{board.dashed}/start4.elf") == fetch(board, "start4.elf")
    with pytest.raises(NotThere):
        fetch(board, f"{SERIAL}/start4.elf")
    with pytest.raises(NotThere):
        fetch(board, "dc-a6-32-01-36-c3/start4.elf")


def test_a_pi_3s_boot_rom_gets_its_first_file_and_the_rest(board: Board) -> None:
    assert fetch(board, "bootcode.bin")
    got = start(board, f"{SERIAL}/", ["start.elf", "fixup.dat", "bcm2710-rpi-3-b.dtb"])
    assert all(got.values())
