"""The initramfs: the same bytes at every build, for anybody, and only what fits goes in."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.bootkit import cpio
from sbctui.engine.bootkit.build import Surroundings, Wanted, build
from sbctui.engine.bootkit.elf import needs as elf_needs
from sbctui.engine.bootkit.kits import CACHE, FOLDER, initrd, kits
from sbctui.engine.bootkit.modules import choose
from sbctui.engine.errors import BadInput, Cancelled, Refused
from tests.boards.rootfs import KERNEL, Image, image
from tests.lab import REPO, needs, which

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NOBODY = 65534
AROUND = Surroundings(print)


@pytest.fixture(scope="module")
def tiny() -> Image:
    needs("apt-get", "dpkg-deb", "depmod")
    return image()


@pytest.fixture(scope="module")
def built(tiny: Image) -> Path:
    """What a build with a network left: its site's folder."""
    return tiny.packages.parent.parent


@pytest.fixture
def site(tiny: Image, tmp_path: Path) -> Path:
    """An empty site whose packages are here already."""
    shutil.copytree(tiny.packages, tmp_path / FOLDER / CACHE)
    return tmp_path


def offline(**more: object) -> Wanted:
    return Wanted(**{"arch": "arm64", "kernel": KERNEL, "offline": True, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def members(built: Path, tiny: Image) -> dict[str, tuple[int, bytes]]:
    """Path → mode and content, as the format's own description says."""
    return dict(read(initrd(built, "arm64", tiny.version)))


def read(path: Path) -> Iterator[tuple[str, tuple[int, bytes]]]:
    data = gzip.decompress(path.read_bytes())
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, uid, gid, mtime, size, name_size = (fields[n] for n in (1, 2, 3, 5, 6, 11))
        assert (uid, gid, mtime) == (0, 0, 0)
        name = data[at + 110 : at + 110 + name_size - 1].decode()
        at += 110 + name_size
        at += -at % 4
        if name == "TRAILER!!!":
            return
        yield name, (mode, data[at : at + size])
        at += size
        at += -at % 4


@pytest.fixture
def elsewhere(tiny: Image) -> Iterator[Path]:
    """A site in a folder that everybody may pass to."""
    with tempfile.TemporaryDirectory(prefix="sbctui-kit-") as name:
        shutil.copytree(tiny.packages, Path(name) / FOLDER / CACHE)
        Path(name).chmod(0o755)
        yield Path(name)


def other_user(folder: Path) -> list[str]:
    """What makes a command run as nobody, who then owns the folder; empty where that can't be."""
    user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.geteuid() or subprocess.run([*user, sys.executable, "-c", ""], cwd=REPO).returncode:
        return []
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    return user


def test_another_user_in_another_place_builds_the_same_bytes(
    elsewhere: Path, built: Path, tiny: Image
) -> None:
    code = (
        "import sys; from pathlib import Path; from sbctui.engine.bootkit.build import *;"
        f"build(Path(sys.argv[1]), Wanted('arm64', {KERNEL!r}, offline=True), Surroundings(print))"
    )
    done = subprocess.run(
        [*other_user(elsewhere), sys.executable, "-c", code, elsewhere],
        capture_output=True,
        text=True,
        cwd=REPO,
        env={"PATH": os.environ["PATH"], "HOME": "/", "TZ": "Asia/Tokyo", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    for name in ("initrd.img", "manifest.json"):
        one, other = (
            initrd(place, "arm64", tiny.version).with_name(name) for place in (elsewhere, built)
        )
        assert one.read_bytes() == other.read_bytes(), name


def test_nothing_of_this_machine_and_all_it_needs_is_in_it(
    members: dict[str, tuple[int, bytes]], tiny: Image
) -> None:
    for path in (
        "init",
        "bin/busybox",
        "bin/perl",
        "bin/e2fsck",
        "bin/nbdlink",
        "lib/sbctui/lease",
    ):
        assert members[path][0] == 0o100755, path
    assert members["bin/sh"] == (0o120777, b"busybox")
    assert members["dev/console"][0] == 0o020600
    assert elf_needs(members["bin/busybox"][1]).loader == "", "busybox needs nothing"
    for program in ("bin/perl", "bin/e2fsck"):
        needed = elf_needs(members[program][1])
        assert needed.loader.lstrip("/") in members
        for library in needed.libraries:
            assert f"lib/{library}" in members or needed.loader.endswith(library), library
    modules = {Path(path).name for path in members if path.endswith(".ko")}
    assert {"nbd.ko", "virtio_net.ko", "virtio_pci.ko"} <= modules
    assert {"xfs.ko", "btrfs.ko", "zstd_compress.ko", "xxhash_generic.ko"} <= modules
    assert "mlx5_core.ko" not in modules
    text = b"".join(data for _, data in members.values())
    assert str(REPO).encode() not in text
    assert str(tiny.packages).encode() not in text


def test_every_module_finds_what_it_depends_on(
    members: dict[str, tuple[int, bytes]], tiny: Image
) -> None:
    top = f"lib/modules/{tiny.version}/"
    lines = members[f"{top}modules.dep"][1].decode().splitlines()
    assert len(lines) == sum(path.endswith(".ko") for path in members)
    for line in lines:
        path, _, more = line.partition(":")
        for one in (path, *more.split()):
            assert top + one in members, line


def test_a_roots_own_kernel_gives_the_same_modules_without_mounting(
    site: Path, built: Path, tiny: Image, tmp_path: Path
) -> None:
    root, disk = tmp_path / "root", tmp_path / "root.img"
    root.mkdir()
    subprocess.run(["tar", "-x", "-C", root, "-f", tiny.tar], check=True)
    subprocess.run(
        [which("mke2fs") or "mke2fs", "-q", "-t", "ext4", "-d", root, disk, "256M"], check=True
    )
    own = build(site, offline(kernel="", root="tiny", disk=disk), AROUND)
    assert (own.kernel, own.of) == (tiny.version, "the root tiny")
    (other,) = (kit.manifest for kit in kits(built))
    assert other is not None
    assert own.modules == other.modules
    assert own.sha256 == other.sha256
    with pytest.raises(
        BadInput, match=f"has no modules for the kernel 5.10, but for {tiny.version}"
    ):
        build(site, offline(kernel="5.10", root="tiny", disk=disk), AROUND)
    (kit,) = kits(site, check=True)
    assert kit.fault == ""


def test_a_root_without_a_kernel_is_refused(site: Path, tmp_path: Path) -> None:
    disk = tmp_path / "root.img"
    subprocess.run([which("mke2fs") or "mke2fs", "-q", "-t", "ext4", disk, "16M"], check=True)
    with pytest.raises(Refused, match="has no kernel modules in /lib/modules"):
        build(site, offline(kernel="", root="bare", disk=disk), AROUND)
    assert kits(site) == ()


def test_a_build_that_is_stopped_leaves_nothing(site: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        build(site, offline(), Surroundings(print, stop))
    assert list((site / FOLDER / "arm64").iterdir()) == []


def test_a_damaged_package_is_not_used(site: Path) -> None:
    pool = site / FOLDER / CACHE / "pool"
    victim = max(pool.iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(BadInput, match=r"linux-image-.* must be fetched"):
        build(site, offline(), AROUND)


def test_what_is_no_more_as_it_was_built_is_said(site: Path, built: Path, tiny: Image) -> None:
    own = site / FOLDER / "arm64"
    shutil.copytree(built / FOLDER / "arm64", own)
    path = initrd(site, "arm64", tiny.version)
    assert [kit.fault for kit in kits(site, check=True)] == [""]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert [kit.fault for kit in kits(site)] == [""]
    assert [kit.fault for kit in kits(site, check=True)] == ["it is not as it was built"]
    path.write_bytes(data[:-1])
    assert [kit.fault for kit in kits(site)] == ["it is not as long as it was built"]
    path.with_name("manifest.json").write_text("{}")
    assert [kit.fault for kit in kits(site)] == ["its manifest can't be read"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--offline",), "build once with a network"),
        (("--sources", "/nowhere"), "/nowhere is no file"),
    ],
)
def test_what_can_not_be_fetched_is_one_sentence(
    words: tuple[str, ...], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sbctui.cli.main import run

    site = ["--site", str(tmp_path / "site")]
    assert run([*site, "site", "init", "-y"]) == 0
    capsys.readouterr()
    assert run([*site, "bootkit", "build", "--arch", "armhf", "-y", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert kits(tmp_path / "site") == ()


def test_the_command_line_lists_what_was_built(built: Path, site: Path) -> None:
    from sbctui.cli.main import run

    path = site / "listed"
    assert run(["--site", str(path), "site", "init", "-y"]) == 0
    shutil.copytree(built / FOLDER / "arm64", path / FOLDER / "arm64")
    done = subprocess.run(
        [sys.executable, "-m", "sbctui", "--site", path, "bootkit", "list", "--check", "--json"],
        capture_output=True,
        cwd=REPO,
        check=True,
    )
    (kit,) = json.loads(done.stdout)["bootkits"]
    assert (kit["arch"], kit["fault"]) == ("arm64", None)
    names = {part["name"] for part in kit["packages"]}
    assert {"busybox-static", "perl-base", "e2fsprogs", "libc6"} <= names


DEPENDENCIES = """\
kernel/drivers/block/nbd.ko:
kernel/drivers/net/ethernet/broadcom/genet/genet.ko.xz: kernel/lib/odd.ko
kernel/drivers/net/phy/libphy.ko.xz:
kernel/lib/odd.ko: kernel/lib/odder.ko
kernel/lib/odder.ko:
kernel/drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko:
kernel/drivers/net/wireless/ath/ath9k.ko:
kernel/sound/snd.ko:
kernel/../../../etc/nbd.ko:
kernel/drivers/net/usb/a b.ko:
/etc/drivers/nbd.ko:
"""


def test_chosen_are_the_drivers_of_boards_and_what_they_need() -> None:
    assert choose(DEPENDENCIES) == (
        "kernel/drivers/block/nbd.ko",
        "kernel/drivers/net/ethernet/broadcom/genet/genet.ko.xz",
        "kernel/drivers/net/phy/libphy.ko.xz",
        "kernel/lib/odd.ko",
        "kernel/lib/odder.ko",
    )


def test_the_archive_does_not_depend_on_the_order_of_its_files() -> None:
    entries = {"b/c": cpio.file(b"12345"), "a": cpio.link("b/c"), "b/a": cpio.file(b"")}
    one = cpio.archive(entries, 7)
    assert cpio.archive(dict(reversed(entries.items())), 7) == one
    assert cpio.archive(entries, 8) != one
    listed = subprocess.run(["busybox", "cpio", "-t"], input=one, capture_output=True, check=True)
    assert listed.stdout.decode().split() == ["a", "b", "b/a", "b/c"]


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 99]
)
def test_what_is_no_program_is_said(data: bytes) -> None:
    with pytest.raises(BadInput, match="ELF"):
        elf_needs(data)
