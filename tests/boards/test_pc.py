"""An emulated PC, from power on to power off: its card's iPXE, files by HTTP, its own leaf."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.boot.loaders import BIOS, LOADERS, UEFI
from sbctui.engine.bootkit.kits import CACHE, FOLDER
from tests.boards.emulated import EmulatedPc
from tests.boards.rootfs import image, read_file
from tests.lab import needs, until
from tests.services import dhcp_client as dhcp
from tests.system.world import Serving, serving

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(300)]

UP = 150.0
"""Seconds from power on to a running OS; on two free cores 20."""
SOON = 60.0
ROM = "/usr/lib/ipxe/qemu/pxe-virtio.rom"
PC, OTHER = "52:5b:00:00:00:07", "52:5b:00:00:00:08"


@pytest.fixture(scope="module")
def site() -> Iterator[Serving]:
    needs("qemu-system-x86_64", "apt-get", "dpkg-deb", "depmod")
    if not all(map(os.path.exists, (*LOADERS.values(), ROM))):
        (pytest.fail if "CI" in os.environ else pytest.skip)("iPXE is in ipxe and ipxe-qemu")
    tiny = image("amd64")
    with serving() as site:
        settings = site.path / "site.toml"
        network = settings.read_text().replace("[network]", "[network]\nhttp = true")
        settings.write_text(f'kernel_arguments = "console=ttyS0"\ndisk_kind = "copy"\n{network}')
        until(lambda: site.services()["http"]["state"] == "running", 10, "HTTP is on")
        site.sbctui("root", "create", "tiny", "--size", "256M", "--from", str(tiny.tar), "--yes")
        shutil.copytree(tiny.packages, site.path / FOLDER / CACHE)
        site.sbctui("boot", "use", "tiny", "--initramfs", "bootkit", "--offline", "--yes")
        site.sbctui("leaf", "create", "tiny", f"{PC},pc-07", f"{OTHER},pc-08", "--yes")
        yield site


def test_a_pc_without_ipxe_is_given_it(site: Serving) -> None:
    board = site.lab.board(OTHER)
    for options, name in ((dhcp.BIOS, BIOS), (dhcp.UEFI, UEFI)):
        with board.inside(), dhcp.Client(OTHER) as asking:
            answer = asking.lease(options)
        assert answer is not None
        assert answer.options[dhcp.BOOT_FILE].rstrip(b"\0").decode() == name
        board.use(answer.ip)
        program = Path(LOADERS[name])
        assert board.tftp(name) == program.read_bytes()
        (shown,) = site.ask("boot", "show", "pc-08")["boot"]["firmware"]
        row = next(row for row in shown["files"] if row["asks"] == name)
        assert (row["file"], row["origin"]) == (str(program), "package ipxe")


def test_a_pc_comes_from_its_mac_to_its_own_leaf(site: Serving, tmp_path: Path) -> None:
    """The last test of this file: the services are stopped after it."""
    ip = site.ask("node", "show", "pc-07")["node"]["ip"]
    pc = EmulatedPc(site.lab, PC)
    pc.hears(rf"^MARK up pc-07 {ip} pc-07$", UP)
    assert f"http://{site.lab.address}/vmlinuz-" in pc.console
    (boot,) = site.ask("board", "timeline", "pc-07")["boots"]
    sent = [(f["path"].split("-")[0], f["by"]) for f in boot["files"] if f["outcome"] == "sent"]
    assert sent == [("boot.ipxe", "tftp"), ("vmlinuz", "http"), ("bootkit", "http")]
    pc.written(1, SOON)
    pc.type("off")
    pc.hears(r"^MARK clean$", SOON)
    assert pc.ended(SOON) == 0
    site.sbctui("services", "stop", "--cut", "--yes")
    disk = site.node(PC.replace(":", "-")) / "root.img"
    assert read_file(disk, "/data/was-here", tmp_path) == b"pc-07 was here\n"
