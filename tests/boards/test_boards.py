"""Emulated arm64 boards, from power on to power off, on the services of a real site.

They run U-Boot and Debian's kernel; each has its own leaf. Their image has no initramfs at all:
``boot use`` builds the product's of the root's own modules.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.bootkit.kits import CACHE, FOLDER
from tests.boards.emulated import FIRMWARE, Emulated
from tests.boards.rootfs import Image, image, read_file
from tests.lab import needs
from tests.system.world import Serving, kill, serving

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(420)]

UP = 180.0
"""Seconds from power on to a running OS; on two free cores 20, for two boards at once 30."""
LINES = 120.0
"""Seconds for the next lines to reach the disk, whatever happens to the services."""
ONE, TWO = "02:5b:00:00:00:07", "02:5b:00:00:00:08"


@pytest.fixture(scope="module")
def tiny() -> Image:
    needs("qemu-system-aarch64", "apt-get", "dpkg-deb", "depmod")
    if not FIRMWARE.exists():
        pytest.fail("U-Boot is in package u-boot-qemu")
    return image()


@pytest.fixture(scope="module")
def site(tiny: Image) -> Iterator[Serving]:
    with serving() as site:
        settings = site.path / "site.toml"
        more = 'kernel_arguments = "sbctui.timeout=5"\ndisk_kind = "copy"\n'
        settings.write_text(more + settings.read_text())
        shutil.copytree(tiny.packages, site.path / FOLDER / CACHE)
        site.sbctui("root", "create", "tiny", "--size", "256M", "--from", str(tiny.tar), "--yes")
        site.sbctui("boot", "check", "tiny", code=8)
        site.sbctui("boot", "use", "tiny", "--initramfs", "bootkit", "--offline", "--yes")
        site.sbctui("leaf", "create", "tiny", f"{ONE},pi-07", f"{TWO},pi-08", "--yes")
        yield site


@pytest.fixture(scope="module")
def boards(site: Serving) -> list[Emulated]:
    """Two boards, powered on together and up."""
    both = [Emulated(site.lab, mac) for mac in (ONE, TWO)]
    for board in both:
        board.hears(r"^MARK up ", UP)
        board.written(1, LINES)
    return both


def disk(site: Serving, board: Emulated) -> Path:
    return site.node(board.mac.replace(":", "-")) / "root.img"


def test_a_board_comes_from_its_mac_to_its_own_leaf(site: Serving, boards: list[Emulated]) -> None:
    for board, name in zip(boards, ("pi-07", "pi-08"), strict=True):
        ip = site.ask("node", "show", name)["node"]["ip"]
        assert f"DHCP client bound to address {ip}" in board.console, "U-Boot has asked"
        for file in ("boot.scr.uimg", "vmlinuz-", "bootkit-"):
            assert f"Filename '{file}" in board.console
        assert f"sbctui: {name} has the address {ip} on eth0" in board.console
        export = board.mac.replace(":", "-")
        assert f"sbctui: the disk is {export} on {site.lab.address}:10809" in board.console
        assert f"MARK up {name} {ip} {name}" in board.console
    sessions = {session.export for session in site.control.sessions()}
    assert sessions == {board.mac.replace(":", "-") for board in boards}


def test_boards_do_not_notice_a_storage_daemon_that_is_killed(
    site: Serving, boards: list[Emulated]
) -> None:
    stood = [len(board.console) for board in boards]
    kill(site.pids()["storage"])
    for board, start in zip(boards, stood, strict=True):
        board.written(30, LINES)
        assert "nbd0" not in board.console[start:], "the kernel has said something of its disk"


def test_boards_connect_again_when_the_gate_is_killed(
    site: Serving, boards: list[Emulated]
) -> None:
    stood = [len(board.console) for board in boards]
    before = site.pids()["gate"]
    kill(before)
    for board, start in zip(boards, stood, strict=True):
        board.hears(r"sbctui: the connection to \S+ on \S+ is lost", LINES, start)
        board.hears(r"sbctui: connected to \S+ on \S+ again", LINES, start)
        board.written(30, LINES)
    assert site.pids()["gate"] not in (0, before)


def test_boards_outlast_all_services_being_stopped_and_started(
    site: Serving, boards: list[Emulated]
) -> None:
    stood = [len(board.console) for board in boards]
    site.sbctui("services", "stop", "--cut", "--yes")
    for board, start in zip(boards, stood, strict=True):
        board.hears(r"sbctui: still without \S+ on ", LINES, start)
    site.sbctui("services", "start", "--yes")
    for board, start in zip(boards, stood, strict=True):
        board.hears(r"sbctui: connected to \S+ on \S+ again", LINES, start)
        board.written(10, LINES)


def test_a_clean_end_leaves_every_line_in_its_own_leaf(
    site: Serving, boards: list[Emulated], tmp_path: Path
) -> None:
    """The last test of this file: the boards are off after it."""
    counts = []
    for board in boards:
        board.type("off")
        counts.append(int(board.hears(r"^MARK wrote (\d+)$", LINES)[1]))
        board.hears(r"^MARK clean$", LINES)
        assert board.ended(60) == 0
        for bad in ("I/O error", "write error", "Remounting filesystem read-only", "JBD2: Error"):
            assert bad not in board.console
    site.sbctui("services", "stop", "--cut", "--yes")
    for board, name, count in zip(boards, ("pi-07", "pi-08"), counts, strict=True):
        assert read_file(disk(site, board), "/data/was-here", tmp_path) == (
            f"{name} was here\n".encode()
        )
        lines = read_file(disk(site, board), "/data/log", tmp_path).decode().splitlines()
        assert lines == [f"{name} line {number}" for number in range(1, count + 1)]
