"""A root whose image can't have NBD loads the site's own initramfs: made, switched, built anew."""

from __future__ import annotations

import gzip
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbctui.engine.boot import known
from sbctui.engine.boot.release import release
from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CloneRoot, CreateLeaves, LeafSpec, UseInitramfs
from tests.boot.initrds import VERSION, cpio, pi_tree, system, without
from tests.boot.kits import plant
from tests.boot.test_boot_detect import kernel
from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program

KIT = f"bootkit-{VERSION}.img"
OWN = f"initrd.img-{VERSION}"
USE = ("boot", "use", "r1", "--initramfs")
Make = Callable[[Path], Program]


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    made = Program(tmp_path / "site", capsys)
    made.ok("site", "init", *NETWORK)
    return made


@pytest.fixture
def unable(tmp_path: Path) -> Path:
    """The tree of an image whose initramfs knows nothing of NBD."""
    packed = gzip.compress(cpio(without("usr/sbin/nbd-client", "scripts/local-top/nbd")))
    return system(tmp_path / "tree", packed)


def create(program: Program, tree: Path, name: str = "r1") -> Any:
    return program.ok("root", "create", name, "--from", str(tree), "--size", "64M", "-y")


def boot(program: Program, name: str) -> Path:
    return program.site / "nodes" / name / "boot"


def loads(program: Program, name: str) -> str:
    folder = boot(program, name).parent
    return str(Engine(program.site).site().nodes[folder.name].config.boot.initramfs)


def leaf(program: Program, number: int) -> str:
    program.ok("leaf", "create", "r1", MAC.format(number), "-y")
    return MAC.format(number).replace(":", "-")


def same(one: Path, other: Path) -> bool:
    return one.samefile(other)


def test_a_new_root_gets_the_sites_own_where_its_image_has_none_that_can(
    program: Program, unable: Path
) -> None:
    kit = plant(program.site)
    preview = program.ok(
        "root", "create", "r1", "--from", str(unable), "--size", "64M", "--dry-run"
    )
    assert f"it gets the site's own, built for {VERSION} (arm64)" in preview.out
    create(program, unable)
    assert loads(program, "r1") == KIT
    assert same(boot(program, "r1") / KIT, kit)
    assert (boot(program, "r1") / OWN).is_file(), "the image's own stays for going back"
    assert program("boot", "check", "r1").code == 0
    name = leaf(program, 1)
    assert same(boot(program, name) / KIT, kit)
    assert KIT.encode() in (boot(program, name) / "boot.scr").read_bytes()


def test_one_that_can_keeps_its_own(program: Program, tmp_path: Path) -> None:
    plant(program.site)
    create(program, system(tmp_path / "able"))
    assert loads(program, "r1") == OWN
    assert not (boot(program, "r1") / KIT).exists()


@pytest.mark.parametrize("what", ["none built", "for another kernel", "a damaged one"])
def test_where_there_is_none_for_its_kernel_the_command_is_said(
    program: Program, unable: Path, what: str
) -> None:
    if what == "for another kernel":
        plant(program.site, version="6.1.0-99-arm64")
    if what == "a damaged one":
        plant(program.site).write_bytes(b"cut")
    ran = create(program, unable)
    assert "has no nbd-client, which connects the root" in ran.err
    assert "sbctui boot use r1 --initramfs bootkit" in ran.err
    assert loads(program, "r1") == OWN


def test_leaves_follow_their_root_there_and_back(program: Program, unable: Path) -> None:
    create(program, unable)
    one, two = leaf(program, 1), leaf(program, 2)
    kit = plant(program.site)
    preview = program.ok(*USE, "bootkit", "--dry-run").out
    assert f"r1 loads {KIT}" in preview
    assert loads(program, "r1") == OWN
    program.ok(*USE, "bootkit", "-y")
    for name in ("r1", one, two):
        assert loads(program, name) == KIT
        assert same(boot(program, name) / KIT, kit)
    for name in (one, two):
        assert KIT.encode() in (boot(program, name) / "boot.scr").read_bytes()
    assert "nothing to do" in program.ok(*USE, "bootkit", "-y").out
    assert program("boot", "check", one).code == 0
    program.ok(*USE, "own", "-y")
    assert [loads(program, name) for name in ("r1", one, two)] == [OWN] * 3
    assert OWN.encode() in (boot(program, one) / "boot.scr").read_bytes()


def test_one_leaf_may_try_it_first(program: Program, unable: Path) -> None:
    create(program, unable)
    one, two = leaf(program, 1), leaf(program, 2)
    plant(program.site)
    program.ok("boot", "use", one, "--initramfs", "bootkit", "-y")
    assert [loads(program, name) for name in ("r1", one, two)] == [OWN, KIT, OWN]
    program.ok(*USE, "bootkit", "-y")
    assert [loads(program, name) for name in ("r1", one, two)] == [KIT] * 3


def test_a_newer_build_is_named_and_taken(program: Program, unable: Path) -> None:
    plant(program.site, "one")
    create(program, unable)
    name = leaf(program, 1)
    newer = plant(program.site, "two")
    ran = program("boot", "check", name)
    assert ran.code == 0
    assert "was built again since" in ran.out
    assert "sbctui boot use r1 --initramfs bootkit" in ran.out
    program.ok(*USE, "bootkit", "-y")
    assert same(boot(program, "r1") / KIT, newer)
    assert same(boot(program, name) / KIT, newer)
    assert "built again" not in program.ok("boot", "check", name).out


def test_a_clone_gets_it_and_its_plan_says_so(program: Program, unable: Path) -> None:
    create(program, unable)
    kit = plant(program.site)
    plan = program.ok("root", "clone", "r1", "r2", "--dry-run").out
    assert f"r2 gets the site's own initramfs for {VERSION}" in plan
    program.ok("root", "clone", "r1", "r2", "-y")
    assert (loads(program, "r1"), loads(program, "r2")) == (OWN, KIT)
    assert same(boot(program, "r2") / KIT, kit)


def test_a_kit_that_is_gone_at_the_last_moment_changes_nothing(
    program: Program, unable: Path
) -> None:
    create(program, unable)
    plant(program.site, "one")
    engine = Engine(program.site)
    plan = engine.plan(UseInitramfs(name="r1", initramfs="bootkit"))
    plant(program.site, "two")
    report = engine.apply(plan)
    assert report.code == 3
    assert "was built again meanwhile" in report.results[0].error
    shutil.rmtree(program.site / "bootkit")
    assert "build it: sbctui bootkit build" in engine.apply(plan).results[0].error
    assert loads(program, "r1") == OWN
    assert not (boot(program, "r1") / KIT).exists()


def test_an_image_for_a_raspberry_pi_alone_loads_its_own_kernel_with_it(
    program: Program, tmp_path: Path
) -> None:
    tree = pi_tree(tmp_path / "tree")
    firmware = tree / "boot/firmware"
    for name in ("initramfs8", "initramfs_2712"):
        (firmware / name).write_bytes(gzip.compress(cpio(without("usr/sbin/nbd-client"))))
    banner = kernel() + b"Linux version " + VERSION.encode() + b" (gcc)"
    (firmware / "kernel8.img").write_bytes(gzip.compress(banner))
    kit = plant(program.site)
    create(program, tree)
    assert same(boot(program, "r1") / KIT, kit)
    assert program("boot", "check", "r1").code == 0
    text = (boot(program, leaf(program, 1)) / "config.txt").read_text()
    assert text.endswith(
        f"[all]\nauto_initramfs=0\nkernel=kernel8.img\ninitramfs {KIT} followkernel\narm_64bit=1\n"
    )
    program.ok(*USE, "own", "-y")
    assert loads(program, "r1") == ""


def test_what_can_not_be_is_refused_in_words(program: Program, tmp_path: Path) -> None:
    program.ok("root", "create", "r1", "--size", "16M", "-y")
    assert "r1 has no kernel that an initramfs could be for" in refused(program, *USE, "bootkit")
    assert "has no initramfs for" in refused(program, *USE, "own")
    assert program("boot", "use", "nobody", "--initramfs", "own", "-y").code == 4
    assert program("boot", "use", "r1", "--initramfs", "other", "-y").code == 2
    tree = system(tmp_path / "tree")
    (tree / f"boot/vmlinuz-{VERSION}").rename(tree / "boot/Image")
    create(program, tree, "r2")
    said = refused(program, "boot", "use", "r2", "--initramfs", "bootkit")
    assert "which kernel r2 has is not to be seen" in said


def refused(program: Program, *words: str) -> str:
    ran = program(*words, "-y")
    assert ran.code == 3
    return str(ran.err)


def test_plans_foresee_what_keeps_boards_from_booting(program: Program, unable: Path) -> None:
    create(program, unable)
    why = "no board can boot from r1 as it is"
    assert why in program.ok("leaf", "create", "r1", MAC.format(1), "--dry-run").out
    assert why in program.ok("root", "allocate", "r1", "--mac", MAC.format(1), "--dry-run").out
    assert "no board can boot from r2" in program.ok("root", "clone", "r1", "r2", "--dry-run").out
    program.ok("root", "create", "bare", "--size", "16M", "-y")
    plan = program.ok("leaf", "create", "bare", MAC.format(1), "--dry-run").out
    assert "bare has no kernel: its boards need one from elsewhere" in plan
    plant(program.site)
    program.ok(*USE, "bootkit", "-y")
    assert why not in program.ok("leaf", "create", "r1", MAC.format(1), "--dry-run").out


def test_the_same_files_are_looked_at_once(
    program: Program, unable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(program, unable)
    looked: list[str] = []

    def check(site: Any, name: str, *, stop: threading.Event) -> Any:
        looked.append(name)
        return real(site, name, stop=stop)

    real = known.check
    monkeypatch.setattr(known, "check", check)
    asked = CreateLeaves(root="r1", leaves=(LeafSpec(mac=MAC.format(1)),))
    said = [Engine(program.site).plan(asked).notes for _ in range(3)]
    assert looked == ["r1"], "another program reads what the first has kept"
    assert said[0] == said[1] == said[2]
    (boot(program, "r1") / OWN).write_bytes(b"another")
    Engine(program.site).plan(CloneRoot(source="r1", name="r2"))
    assert looked == ["r1", "r1"]
    leaf(program, 1)
    assert looked == ["r1", "r1"]
    (program.site / known.FILE).write_text("[")
    Engine(program.site, read_only=True).audit()
    assert looked == ["r1"] * 3
    assert (program.site / known.FILE).read_text() == "[", "one that only looks writes nothing"


@pytest.mark.parametrize(
    ("name", "data", "version"),
    [
        ("vmlinuz-6.1.0-18-arm64", b"", "6.1.0-18-arm64"),
        ("Image", b"\0" * 70000 + b"Linux version 6.6.1-ARCH+ (gcc 13) #1", "6.6.1-ARCH+"),
        ("kernel8.img", gzip.compress(b"\0" * 65530 + b"Linux version 6.6.31-v8+ ("), "6.6.31-v8+"),
        ("kernel8.img", gzip.compress(b"\0" * 999)[:-9], ""),
        ("kernel7.img", b"no banner", ""),
        (
            "vmlinuz",
            b"\0" * 0x202 + b"HdrS" + b"\0" * 8 + (0x40).to_bytes(2, "little") + b"\0" * 0x30
            + b"6.1.0-32-amd64 (debian)\0",
            "6.1.0-32-amd64",
        ),
    ],
    ids=["by name", "plain", "packed", "cut off", "unknown", "a PC's"],
)  # fmt: skip
def test_a_kernel_tells_its_version(tmp_path: Path, name: str, data: bytes, version: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert release(path) == version
