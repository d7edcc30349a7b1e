"""``sbctui boot check``: what a board would lack, by the name of the file, before it tries."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.boot.initrds import (
    EXT4,
    FOLDER,
    JBD2,
    NBD,
    VERSION,
    WHOLE,
    cpio,
    packed,
    pi_tree,
    system,
    without,
)
from tests.boot.test_boot_detect import kernel
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program

Make = Callable[..., Program]


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def make(site_path: Path, capsys: pytest.CaptureFixture[str]) -> Make:
    """A site with a root of a tree."""
    program = Program(site_path, capsys)

    def go(tree: Path) -> Program:
        program.ok("site", "init", *NETWORK)
        program.ok("root", "create", "r1", "--from", str(tree), "--size", "64M", "-y")
        return program

    return go


def lacks(program: Program, *more: str, name: str = "r1") -> list[dict[str, Any]]:
    ran = program("boot", "check", name, *more, "--json")
    found: list[dict[str, Any]] = ran.json["check"]["lacks"]
    assert ran.code == (8 if any(one["stops"] for one in found) else 0)
    assert ran.json["check"]["bootable"] is (ran.code == 0)
    return found


def test_a_root_that_can_boot_lacks_nothing(make: Make, tmp_path: Path) -> None:
    program = make(system(tmp_path / "tree"))
    assert lacks(program) == []
    assert "r1 can boot over the network" in program.ok("boot", "check", "r1").out
    program.ok("leaf", "create", "r1", f"{MAC.format(1)},pi-01", "-y")
    assert lacks(program, name="pi-01") == []


@pytest.mark.parametrize(
    ("gone", "file"),
    [
        ("usr/sbin/nbd-client", "usr/sbin/nbd-client"),
        ("scripts/local-top/nbd", "scripts/local-top/nbd"),
        (NBD, f"lib/modules/{VERSION}/…/nbd.ko"),
        (EXT4, f"lib/modules/{VERSION}/…/ext4.ko"),
        (JBD2, f"lib/modules/{VERSION}/…/jbd2.ko"),
    ],
)
def test_what_an_initramfs_lacks_is_named(make: Make, tmp_path: Path, gone: str, file: str) -> None:
    program = make(system(tmp_path / "tree", packed(cpio(without(gone)), "zstd")))
    (one,) = lacks(program)
    assert one["file"] == file
    assert one["stops"]
    assert f"initrd.img-{VERSION}" in one["why"]
    assert "; or in the root: MODULES=most" in one["remedy"]


@pytest.mark.parametrize("kind", ["xfs", "btrfs", "f2fs"])
def test_a_root_that_was_made_by_hand_of_something_else_is_looked_at_as_it_is(
    make: Make, tmp_path: Path, site_path: Path, kind: str
) -> None:
    program = make(system(tmp_path / "tree"))
    images.marked(site_path / "nodes/r1/root.img", kind, 64 << 20)
    (one,) = lacks(program)
    assert (one["part"], one["file"]) == ("file system", f"lib/modules/{VERSION}/…/{kind}.ko")
    assert f"bootkit build --arch arm64 --kernel {VERSION}; then: " in one["remedy"]
    program.ok("leaf", "create", "r1", f"{MAC.format(1)},pi-01", "-y")
    assert program("node", "show", "pi-01", "--json").json["node"]["disk"]["filesystem"] == kind


def test_what_the_roots_own_list_says_is_built_in_is_not_missing(
    make: Make, tmp_path: Path
) -> None:
    files = without(NBD, EXT4, JBD2, f"{FOLDER}/modules.builtin", f"{FOLDER}/modules.dep")
    tree = system(tmp_path / "tree", gzip.compress(cpio({**files, f"{FOLDER}/x.ko": b""})))
    (tree / FOLDER).mkdir(parents=True)
    (tree / FOLDER / "modules.builtin").write_text("kernel/drivers/block/nbd.ko\n"
                                                   "kernel/fs/ext4/ext4.ko\n")  # fmt: skip
    assert lacks(make(tree)) == []


def test_an_initramfs_of_another_kernel_is_said_to_be(make: Make, tmp_path: Path) -> None:
    files = {name.replace(VERSION, "6.1.0-9-arm64"): data for name, data in WHOLE.items()}
    (one,) = lacks(make(system(tmp_path / "tree", cpio(files))))
    assert "is for the kernel 6.1.0-9-arm64, not for vmlinuz-" + VERSION in one["why"]


@pytest.mark.parametrize(
    ("data", "said"), [(b"x" * 900, "is no initramfs"), (cpio(WHOLE)[:900], "is cut off")]
)
def test_a_damaged_initramfs_is_said_to_be(
    make: Make, tmp_path: Path, data: bytes, said: str
) -> None:
    (one,) = lacks(make(system(tmp_path / "tree", data)))
    assert one["file"] == f"initrd.img-{VERSION}"
    assert said in one["remedy"]


def test_no_kernel_no_initramfs_and_no_client_in_the_root(make: Make, tmp_path: Path) -> None:
    (tmp_path / "tree/etc").mkdir(parents=True)
    found = lacks(make(tmp_path / "tree"))
    assert [one["file"] for one in found] == ["vmlinuz", "initrd.img"]
    assert "apt-get install nbd-client" in found[1]["remedy"]


@pytest.mark.parametrize(
    ("arch", "firmware", "said"),
    [
        ("x86", "pi4", "is for x86, and pi4 boards run arm or arm64"),
        ("arm", "pi5", "is for arm, and pi5 boards run arm64"),
        ("arm", "ipxe", "is for arm, and ipxe boards run x86 or arm64"),
    ],
)
def test_a_kernel_for_another_processor(
    make: Make, tmp_path: Path, arch: str, firmware: str, said: str
) -> None:
    tree = system(tmp_path / "tree")
    (tree / f"boot/vmlinuz-{VERSION}").write_bytes(kernel(arch))
    (tree / "boot/config.txt").write_text(
        f"kernel=vmlinuz-{VERSION}\ninitramfs initrd.img-{VERSION} followkernel\n"
    )
    found = lacks(make(tree), "--firmware", firmware)
    assert any(said in one["why"] for one in found)


def test_a_pc_kernel_for_what_is_a_raspberry_pi_by_its_mac(make: Make, tmp_path: Path) -> None:
    tree = system(tmp_path / "tree")
    (tree / f"boot/vmlinuz-{VERSION}").write_bytes(kernel("x86"))
    program = make(tree)
    program.ok("leaf", "create", "r1", "dc:a6:32:01:02:01,pi", "52:54:00:01:02:01,pc", "-y")
    assert [one["why"] for one in lacks(program, name="pi")] == [
        f"vmlinuz-{VERSION} is for x86, and dc:a6:32:01:02:01 is a Raspberry Pi"
    ]
    assert lacks(program, name="pc") == []


def test_device_trees_beside_the_modules_are_taken_along(make: Make, tmp_path: Path) -> None:
    tree = system(tmp_path / "tree")
    beside = tree / f"usr/lib/linux-image-{VERSION}"
    beside.parent.mkdir()
    (tree / f"boot/dtbs/{VERSION}").rename(beside)
    (tree / "boot/dtbs").rmdir()
    program = make(tree)
    assert lacks(program) == []
    boot = program.site / "nodes/r1/boot"
    assert (boot / f"dtbs/{VERSION}/vendor/board.dtb").is_file()
    (boot / f"dtbs/{VERSION}/vendor/board.dtb").unlink()
    (one,) = lacks(program)
    assert not one["stops"]
    assert f"they are in the root at /usr/lib/linux-image-{VERSION}" in one["why"]


def test_the_firmware_of_a_raspberry_pi(make: Make, tmp_path: Path) -> None:
    tree = pi_tree(tmp_path / "tree")
    (tree / "boot/firmware/fixup4.dat").unlink()
    program = make(tree)
    missing = [one["file"] for one in lacks(program, "--firmware", "pi4")]
    assert missing == ["fixup4.dat"]
    for model in ("pi3", "pi5"):
        assert lacks(program, "--firmware", model) == []


def test_the_remedy_is_one_command(make: Make, tmp_path: Path) -> None:
    program = make(system(tmp_path / "tree", cpio(without(NBD))))
    (one,) = lacks(program)
    assert one["remedy"].startswith(
        "take the site's own: sbctui boot use r1 --initramfs bootkit; or in the root: MODULES=most"
    )


def test_in_words_and_for_what_is_no_node(make: Make, tmp_path: Path) -> None:
    program = make(system(tmp_path / "tree", cpio(without("usr/sbin/nbd-client"))))
    ran = program("boot", "check", "r1")
    assert ran.code == 8
    assert ran.out.startswith("MISSING  NBD: usr/sbin/nbd-client\n")
    assert program("boot", "check", "nobody").code == 4
    (program.site / "nodes/r1/config.json").write_text("{")
    assert program("boot", "check", "r1").code == 3
