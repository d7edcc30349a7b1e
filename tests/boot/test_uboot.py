"""The rendered script in U-Boot itself, on an emulated arm64 board that boots by TFTP."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sbctui.engine.boot.defaults import BOOT_CMD
from sbctui.engine.boot.render import render
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from tests import lab

pytestmark = pytest.mark.slow

FIRMWARE = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
SETTINGS = Settings.model_validate({"network": {"subnet": "10.0.2.0/24", "server": "10.0.2.2"}})
LEAF = NodeConfig.model_validate(
    {
        "kind": "leaf",
        "name": "02-00-00-00-00-07",
        "mac": "02:00:00:00:00:07",
        "ip": "10.0.2.15",
        "alias": "pi-07",
        "disk": DiskSpec(size=2**30),
        "boot": BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", arch="arm64"),
    }
)
Boot = Callable[..., str]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    """Put files on a TFTP server and power the board on: the console up to ``end``."""
    lab.needs("qemu-system-aarch64")
    if not FIRMWARE.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)("U-Boot is in package u-boot-qemu")

    def go(files: dict[str, bytes], end: str) -> str:
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_bytes(data)
        net = f"user,id=n,tftp={tmp_path},bootfile=none"
        card = "virtio-net-pci,netdev=n,disable-legacy=on,romfile="
        argv = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "256"]
        argv += ["-nographic", "-bios", str(FIRMWARE), "-netdev", net, "-device", card]
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as board:
            assert board.stdout is not None
            console = ""
            for line in board.stdout:
                console += line.decode(errors="replace").replace("\r", "")
                if end in line.decode(errors="replace"):
                    break
            board.kill()
        return console

    return go


def fetched(console: str) -> list[str]:
    return re.findall(r"Filename '(.*?)'", console)


def image() -> bytes:
    """An arm64 kernel's header before code that does nothing: enough for booti to load it."""
    size = (4096).to_bytes(8, "little")
    return b"\x14\x00\x00\x00" * 2 + bytes(8) + size + bytes(32) + b"ARM\x64" + bytes(5000)


def test_u_boot_finds_its_script_loads_in_order_and_starts_the_kernel(boot: Boot) -> None:
    telling = BOOT_CMD.replace("setenv sbctui_got\n", "setenv sbctui_got\nprintenv bootargs\n")
    files = render(LEAF, SETTINGS, {"boot.cmd": telling})
    console = boot(
        files | {"vmlinuz-6.1": image(), "initrd.img-6.1": b"x" * 700}, "Starting kernel"
    )
    assert fetched(console) == ["boot.scr.uimg", "vmlinuz-6.1", "initrd.img-6.1"]
    line = "bootargs=root=/dev/nbd0 ip=dhcp nbdroot=10.0.2.2:10809/02-00-00-00-00-07 rw"
    assert line in console
    assert "Starting kernel" in console
    assert "syntax error" not in console
    end = re.search(r"Loading Ramdisk to ([0-9a-f]+), end ([0-9a-f]+)", console)
    assert end is not None
    assert int(end[2], 16) - int(end[1], 16) == 700


def test_u_boot_without_http_goes_on_by_tftp(boot: Boot) -> None:
    """That of Debian 12 knows no ``wget``."""
    network = SETTINGS.network.model_copy(update={"http": True})
    files = render(LEAF, SETTINGS.model_copy(update={"network": network}))
    console = boot(
        files | {"vmlinuz-6.1": image(), "initrd.img-6.1": b"x" * 700}, "Starting kernel"
    )
    assert "Unknown command 'wget'" in console
    assert "sbctui: not by HTTP, going on by TFTP" in console
    assert fetched(console) == ["boot.scr.uimg", "vmlinuz-6.1", "initrd.img-6.1"]
    assert "Starting kernel" in console
    assert "syntax error" not in console


def test_u_boot_takes_the_boards_device_tree_and_does_without_one(boot: Boot) -> None:
    config = LEAF.model_copy(update={"boot": LEAF.boot.model_copy(update={"dtbs": "dtbs/6.1"})})
    files = render(config, SETTINGS, {"boot.cmd": "setenv fdtfile board.dtb\n" + BOOT_CMD})
    console = boot(files, "did not send")
    assert fetched(console)[1:3] == ["dtbs/6.1/board.dtb", "vmlinuz-6.1"]
    assert "sbctui: no board.dtb in dtbs/6.1: going on" in console
    assert "sbctui: pi-07: 10.0.2.2 did not send vmlinuz-6.1 and initrd.img-6.1" in console


def test_u_boot_says_what_is_missing_and_loads_nothing_more(boot: Boot) -> None:
    config = LEAF.model_copy(update={"boot": BootSpec()})
    console = boot(render(config, SETTINGS), "Filename 'none'")
    assert "sbctui: pi-07 has no kernel: put a vmlinuz" in console
    assert "sbctui: pi-07 has no initramfs: put" in console
    assert "sbctui: stopped" in console
    assert fetched(console)[0] == "boot.scr.uimg"
    assert "syntax error" not in console
