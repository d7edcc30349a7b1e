"""Emulated PCs, from power on to power off: BIOS and UEFI, iPXE, files by HTTP, own leaf."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.boot.loaders import BIOS, LOADERS, UEFI
from sbctui.engine.bootkit.kits import CACHE, FOLDER
from tests.boards import emulated
from tests.boards.emulated import Emulated, EmulatedPc, EmulatedUefi, EmulatedUefiByHttp
from tests.boards.rootfs import image, made_of, read_file
from tests.lab import needs, until
from tests.services import dhcp_client as dhcp
from tests.system.world import Serving, serving

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(400)]

UP = 200.0
"""Seconds from power on to a running OS, three at once; on two free cores 40."""
SOON = 60.0
ROM = "/usr/lib/ipxe/qemu/pxe-virtio.rom"
PC, OTHER = "52:5b:00:00:00:07", "52:5b:00:00:00:08"
NEW, NEWER = "52:5b:00:00:00:09", "52:5b:00:00:00:0a"
"""Those of two PCs with a UEFI."""
BY_HAND = {"btrfs": (NEW, "pc-09"), "xfs": (NEWER, "pc-10")}
"""File systems that no image is taken of, and whose root they are."""


@pytest.fixture(scope="module")
def site() -> Iterator[Serving]:
    needs("qemu-system-x86_64", "apt-get", "dpkg-deb", "depmod")
    wanted = (*LOADERS.values(), ROM, emulated.UEFI, emulated.UEFI_VARIABLES)
    if not all(map(os.path.exists, wanted)):
        (pytest.fail if "CI" in os.environ else pytest.skip)("install ipxe, ipxe-qemu and ovmf")
    tiny = image("amd64")
    with serving() as site:
        settings = site.path / "site.toml"
        network = settings.read_text().replace("[network]", "[network]\nhttp = true")
        settings.write_text(f'kernel_arguments = "console=ttyS0"\ndisk_kind = "copy"\n{network}')
        until(lambda: site.services()["http"]["state"] == "running", 10, "HTTP is on")
        site.sbctui("root", "create", "tiny", "--size", "256M", "--from", str(tiny.tar), "--yes")
        shutil.copytree(tiny.packages, site.path / FOLDER / CACHE)
        site.sbctui("boot", "use", "tiny", "--initramfs", "bootkit", "--offline", "--yes")
        named = [f"{mac},pc-{n:02}" for n, mac in enumerate((PC, OTHER), 7)]
        site.sbctui("leaf", "create", "tiny", *named, "--yes")
        for kind, (mac, name) in BY_HAND.items():
            site.sbctui("root", "clone", "tiny", kind, "--yes")
            made_of(kind, tiny.tar, site.node(kind) / "root.img", site.path.parent)
            site.sbctui("leaf", "create", kind, f"{mac},{name}", "--yes")
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


def files(site: Serving, name: str) -> list[tuple[str, str]]:
    """What a board was sent in its last boot, without versions, and by what."""
    (boot,) = site.ask("board", "timeline", name)["boots"]
    sent = [one for one in boot["files"] if one["outcome"] == "sent"]
    return [(one["path"].split("-6")[0], one["by"]) for one in sent]


def test_http_boot_is_given_a_url_and_its_own_class(site: Serving) -> None:
    """What UEFI's HTTP boot asks, byte for byte; it takes no answer without that class."""
    wanted = {b"\0\x10": UEFI, b"\0\x13": "ipxe-arm64.efi", b"\0\x1c": "ipxe-riscv64.efi"}
    for arch, name in wanted.items():
        with site.lab.board(OTHER).inside(), dhcp.Client(OTHER) as asking:
            answer = asking.lease({**dhcp.UEFI_HTTP, dhcp.ARCH: arch})
        assert answer is not None
        assert answer.options[dhcp.CLASS] == b"HTTPClient"
        url = answer.options[dhcp.BOOT_FILE].rstrip(b"\0").decode()
        assert url == f"http://{site.lab.address}/{name}"


@pytest.mark.parametrize("kind", BY_HAND)
def test_another_file_system_is_seen_before_a_board_meets_it(site: Serving, kind: str) -> None:
    name = BY_HAND[kind][1]
    assert site.ask("boot", "check", name)["check"]["lacks"] == []
    assert site.ask("node", "show", name)["node"]["disk"]["filesystem"] == kind
    said = site.sbctui("bootkit", "build", "--root", kind, "--offline", "--yes", code=3)
    assert f"holds {kind}, in which modules can't be looked at" in said
    assert "bootkit build --arch amd64 --kernel VERSION" in said


def test_pcs_come_from_their_macs_to_their_own_leaves(site: Serving, tmp_path: Path) -> None:
    """All at once: a BIOS whose card has iPXE, a UEFI by PXE and one by HTTP boot, whose roots

    are of other file systems. The last test of this file: the services are stopped after it.
    """
    system = [("boot.ipxe", "tftp"), ("vmlinuz", "http"), ("bootkit", "http")]
    pcs: dict[str, tuple[Emulated, list[tuple[str, str]]]] = {
        "pc-07": (EmulatedPc(site.lab, PC), system),
        "pc-09": (EmulatedUefi(site.lab, NEW), [(UEFI, "tftp"), *system]),
        "pc-10": (EmulatedUefiByHttp(site.lab, NEWER), [(UEFI, "http"), *system]),
    }
    for name, (pc, sent) in pcs.items():
        ip = site.ask("node", "show", name)["node"]["ip"]
        pc.hears(rf"^MARK up {name} {ip} {name}$", UP)
        assert f"http://{site.lab.address}/vmlinuz-" in pc.console
        assert files(site, name) == sent
        pc.written(1, SOON)
    for pc, _ in pcs.values():
        pc.type("off")
        pc.hears(r"^MARK clean$", SOON)
        assert pc.ended(SOON) == 0
    site.sbctui("services", "stop", "--cut", "--yes")
    disk = site.node(PC.replace(":", "-")) / "root.img"
    assert read_file(disk, "/data/was-here", tmp_path) == b"pc-07 was here\n"
