"""Roots from tars and folders: what must survive, what must not escape, what is no image."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from sbctui.engine import files, programs
from sbctui.engine.disks import unpack
from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.usage import verify
from sbctui.engine.errors import BadInput, Cancelled, NoSpace, Refused, SbcError, ToolMissing
from sbctui.engine.model.requests import Source
from tests import rootfs
from tests.disks.place import (
    MIB,
    NEVER,
    allocated,
    fill,
    mounted,
    mounted_image,
    needs_loop,
    silent,
    tool,
)

SIZE = 64 * MIB


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A staged node: a folder with an empty boot/."""
    path = tmp_path / "nodes" / ".new-golden"
    (path / "boot").mkdir(parents=True)
    return path


@pytest.fixture
def fakeroot_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where root has no private mount namespace: the way of an ordinary user."""
    monkeypatch.setattr(unpack, "_confined", lambda tree: [])


def make(node: Path, source: Source | None, size: int = SIZE, **more: object) -> str:
    arguments = {"stop": NEVER, "report": silent, **more}
    return make_root(node / "root.img", size, source, **arguments)  # type: ignore[arg-type]


def debugfs(disk: Path, command: str) -> str:
    return tool("debugfs", "-R", command, disk).stdout


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst"])
def test_a_tar_of_any_compression_is_looked_at_and_unpacked(
    tmp_path: Path, node: Path, compression: str
) -> None:
    tar = rootfs.awkward_tar(tmp_path / "odd name.bin", compression.replace("zst", ""))
    if compression == "zst":
        tool("zstd", "-q", "--rm", tar, "-o", tmp_path / "z")
        tar = tmp_path / "z"
    source = inspect_source(tar)
    assert source.kind == "tar"
    assert source.path == str(tar)
    with tarfile.open(rootfs.awkward_tar(tmp_path / "plain.tar")) as plain:
        members = plain.getmembers()
    assert source.inodes == len(members)
    assert sum(m.size for m in members) <= source.bytes <= 400_000
    assert make(node, source) == ""
    assert verify(node / "root.img", "raw") == ""
    assert "golden" in debugfs(node / "root.img", "cat /etc/hostname")
    assert sorted(p.name for p in node.iterdir()) == ["boot", "root.img"]


def attributes(path: Path) -> dict[str, tuple[object, ...]]:
    """Everything a root file system may not lose, by path."""
    found: dict[str, tuple[object, ...]] = {}
    groups: dict[int, str] = {}
    for top, folders, names in os.walk(path):
        for name in sorted((*folders, *names)):
            full = Path(top, name)
            inside = str(full.relative_to(path))
            if inside == "lost+found":
                continue
            facts = full.lstat()
            mode = facts.st_mode
            found[inside] = (
                oct(mode),
                facts.st_uid,
                facts.st_gid,
                facts.st_rdev if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else 0,
                full.readlink() if full.is_symlink() else "",
                full.read_bytes() if stat.S_ISREG(mode) else b"",
                groups.setdefault(facts.st_ino, inside) if stat.S_ISREG(mode) else "",
                tuple((a, os.getxattr(full, a, follow_symlinks=False))
                      for a in os.listxattr(full, follow_symlinks=False)),
            )  # fmt: skip
    return found


@pytest.mark.loop
def test_all_that_makes_a_root_file_system_survives(tmp_path: Path, node: Path) -> None:
    tar = rootfs.awkward_tar(tmp_path / "a.tar")
    plain = tmp_path / "plain"
    plain.mkdir()
    tool("tar", "-C", plain, "-xpf", tar, "--numeric-owner", "--xattrs", "--xattrs-include=*")
    assert make(node, inspect_source(tar)) == ""
    with mounted_image(node / "root.img", tmp_path / "m", "ro") as point:
        assert attributes(point) == attributes(plain)
        assert point.stat().st_mode & 0o7777 == 0o755
        assert os.getxattr(point / "usr/bin/ping", "security.capability") == rootfs.CAPABILITY


@pytest.mark.loop
def test_without_root_rights_owners_and_devices_survive_and_the_rest_is_said(
    tmp_path: Path, node: Path, fakeroot_only: None
) -> None:
    tar = rootfs.awkward_tar(tmp_path / "a.tar")
    lost = make(node, inspect_source(tar))
    assert "./usr/bin/ping" in lost
    assert "setcap" in lost
    with mounted_image(node / "root.img", tmp_path / "m", "ro") as point:
        assert stat.S_ISCHR((point / "dev/null").stat().st_mode)
        assert (point / "dev/null").stat().st_rdev == os.makedev(1, 3)
        assert (point / "etc/shadow").stat().st_uid == 42
        assert (point / "usr/bin/su").stat().st_mode & 0o7777 == 0o4755
        assert (point / "usr/bin/su").stat().st_nlink == 2


@pytest.mark.loop
def test_an_ordinary_user_makes_the_same_disk() -> None:
    needs_loop()
    with (
        tempfile.TemporaryDirectory() as folder,
        mounted("ext4", 128 * MIB, Path(folder)) as home,
    ):
        Path(folder).chmod(0o755)
        tar = rootfs.awkward_tar(home / "a.tar")
        (home / "n" / "boot").mkdir(parents=True)
        tool("chown", "-R", "65534:65534", home)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                os.chdir(home)
                mode = home / "n"
                lost = make(mode, inspect_source(Path("a.tar")))
                code = 0 if "ping" in lost else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert "42" in debugfs(home / "n/root.img", "stat /etc/shadow").split("User:")[1][:10]
        assert verify(home / "n/root.img", "raw") == ""
        assert sorted(p.name for p in (home / "n").iterdir()) == ["boot", "root.img"]
        assert tar.stat().st_uid == 65534


def test_a_folder_keeps_holes_and_hard_links(tmp_path: Path, node: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("here\n")
    with open(tree / "hole", "wb") as file:
        file.truncate(40 * MIB)
    os.link(tree / "etc" / "hostname", tree / "again")
    source = inspect_source(tree)
    assert source.kind == "directory"
    assert source.inodes == 3
    assert source.bytes <= 16 * 1024
    make(node, source)
    assert allocated(node / "root.img") < 2 * MIB
    assert "Links: 2" in debugfs(node / "root.img", "stat /again")
    assert "Size: 41943040" in debugfs(node / "root.img", "stat /hole")
    assert verify(node / "root.img", "raw") == ""


@pytest.mark.parametrize("size", [MIB, 3 * MIB + 512, 2 * 1024 * MIB, 64 * 1024 * MIB])
def test_an_empty_disk_is_sound_and_nearly_free(node: Path, size: int) -> None:
    make(node, None, size)
    assert (node / "root.img").stat().st_size == size
    assert verify(node / "root.img", "raw") == ""
    assert allocated(node / "root.img") <= max(size // 1000, MIB)
    assert list((node / "boot").iterdir()) == []


def test_boot_files_are_taken_and_links_stay_inside(tmp_path: Path, node: Path) -> None:
    make(node, inspect_source(rootfs.awkward_tar(tmp_path / "a.tar")))
    boot = node / "boot"
    found = {str(p.relative_to(boot)) for p in boot.rglob("*") if p.is_file()}
    kernel, initrd = "vmlinuz-6.1.0-1-arm64", "initrd.img-6.1.0-1-arm64"
    assert found == {kernel, initrd, "vmlinuz", "dtbs/board.dtb", "dtb/board.dtb"}
    assert (boot / kernel).read_bytes() == b"MZkernel" * 5000
    assert (boot / kernel).stat().st_mode & 0o7777 == 0o644
    assert (boot / kernel).stat().st_ino == (boot / "vmlinuz").stat().st_ino
    assert not any(p.is_symlink() for p in boot.rglob("*"))


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def hostile(victim: Path) -> Iterator[tuple[str, list[tuple[tarfile.TarInfo, bytes]]]]:
    """Tars that try to write to ``victim``/file, by name."""
    data = b"owned"
    target, size = f"{victim}/file", len(b"owned")
    sym, hard, fifo = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE
    up = "../" * 12 + str(victim).lstrip("/")
    put = member("a/file", size=size)
    yield "absolute name", [(member(target, size=size), data)]
    yield "dots", [(member(f"{up}/file", size=size), data)]
    yield "dots inside", [(member(f"x/../../{up}/file", size=size), data)]
    yield "absolute link", [(member("a", type=sym, linkname=str(victim)), b""), (put, data)]
    yield "relative link", [(member("a", type=sym, linkname=up), b""), (put, data)]
    yield (
        "link to link",
        [
            (member("b", type=sym, linkname=str(victim)), b""),
            (member("a", type=sym, linkname="b"), b""),
            (put, data),
        ],
    )
    yield (
        "link to the file",
        [(member("f", type=sym, linkname=target), b""), (member("f", size=size), data)],
    )
    yield (
        "hard link out",
        [(member("f", type=hard, linkname=target), b""), (member("f", size=size), data)],
    )
    yield (
        "hard link by dots",
        [(member("f", type=hard, linkname=f"{up}/file"), b""), (member("f", size=size), data)],
    )
    yield (
        "folder then link",
        [
            (member("a", type=tarfile.DIRTYPE, mode=0o777), b""),
            (member("a", type=sym, linkname=str(victim)), b""),
            (put, data),
        ],
    )
    yield (
        "mode through a link",
        [
            (member("a", type=sym, linkname=target), b""),
            (member("a", type=tarfile.DIRTYPE, mode=0o777), b""),
        ],
    )
    yield (
        "device",
        [(member("d", type=fifo, devmajor=1, devminor=1), b""), (member("d", size=size), data)],
    )


@pytest.mark.parametrize("confined", [True, False])
def test_a_hostile_tar_changes_nothing_outside(
    tmp_path: Path, node: Path, monkeypatch: pytest.MonkeyPatch, confined: bool
) -> None:
    if not confined:  # then GNU tar's own care is all there is
        monkeypatch.setattr(unpack, "_confined", lambda tree: ["env"])
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (victim / "file").chmod(0o600)
    before = attributes(tmp_path)
    count = 0
    for name, members in hostile(victim):
        path = tmp_path.parent / f"{tmp_path.name}-hostile.tar"
        with tarfile.open(path, "w") as tar:
            tar.addfile(member("etc", type=tarfile.DIRTYPE, mode=0o755))
            for info, data in members:
                tar.addfile(info, BytesIO(data))
        try:
            make(node, inspect_source(path))
            (node / "root.img").unlink()
        except SbcError:
            pass
        assert attributes(tmp_path) == before, name
        count += 1
    assert count == 12


@pytest.mark.parametrize("confined", [True, False])
def test_what_tar_unpacks_is_confined_by_the_kernel_too(tmp_path: Path, confined: bool) -> None:
    if os.geteuid() != 0:
        pytest.skip("a confinement for root only")
    tree = tmp_path / "tree"
    tree.mkdir()
    words = unpack._confined(tree) if confined else []
    script = f"echo x > {tree}/inside; echo x > {tmp_path}/outside"
    done = subprocess.run([*words, "sh", "-c", script], capture_output=True, check=False)
    assert (tree / "inside").exists()
    assert (tmp_path / "outside").exists() is not confined
    assert (done.returncode != 0) is confined


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("text", b"hello\n" * 1000),
        ("noise", random.Random(1).randbytes(100_000)),
        ("zeros", bytes(100_000)),
        ("gzip of nothing", b"\x1f\x8b\x08\x00" + bytes(20)),
        ("qcow2", b"QFI\xfb" + bytes(2000)),
        ("partitioned", bytes(510) + b"\x55\xaa" + bytes(100_000)),
        ("name\nwith\x1b[31mcolour", b"hello"),
    ],
)
def test_what_is_no_image_gets_one_clean_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        inspect_source(path)
    remedies = ("give a rootfs tar", "get the file again", "qemu-img convert", "a root wants ext4")
    assert any(remedy in str(caught.value) for remedy in remedies)
    assert str(caught.value).isprintable()


def test_a_tar_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    for compression in ("", "gz", "xz"):
        whole = rootfs.awkward_tar(tmp_path / "whole", compression).read_bytes()
        (tmp_path / "cut").write_bytes(whole[: len(whole) // 2 // 512 * 512 + 100])
        with pytest.raises(BadInput, match="no whole tar"):
            inspect_source(tmp_path / "cut")


def test_a_missing_packer_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = rootfs.awkward_tar(tmp_path / "a.tar.xz", "xz")
    monkeypatch.setattr(programs, "search_path", lambda: str(tmp_path))
    with pytest.raises(ToolMissing, match="xz-utils"):
        inspect_source(tar)


def test_other_things_that_are_no_image(tmp_path: Path, node: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path / "x" / "y", Path("/dev/null"), tmp_path / "boot"):
        if path.name == "boot":
            path.mkdir()
        with pytest.raises(BadInput):
            inspect_source(path)
    make(node, None)
    assert inspect_source(node / "root.img").kind == "image"


def test_a_source_that_does_not_fit_is_refused_and_leaves_nothing(
    tmp_path: Path, node: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "big").write_bytes(os.urandom(8 * MIB))
    with pytest.raises(Refused, match="--size"):
        make(node, inspect_source(tree), 4 * MIB)
    assert [p.name for p in node.iterdir()] == ["boot"]


def test_a_folder_that_holds_the_site_is_refused(tmp_path: Path, node: Path) -> None:
    with pytest.raises(Refused, match="holds the site"):
        make(node, inspect_source(tmp_path))
    assert [p.name for p in node.iterdir()] == ["boot"]


def test_cancel_ends_the_unpacking_and_leaves_no_scratch(tmp_path: Path, node: Path) -> None:
    tar = tmp_path / "big.tar"
    with tarfile.open(tar, "w") as file:
        for number in range(60):
            file.addfile(member(f"f{number}", size=MIB), BytesIO(os.urandom(MIB)))
    stop = threading.Event()
    source = inspect_source(tar)
    with pytest.raises(Cancelled):
        make(node, source, 128 * MIB, stop=stop, report=lambda done, total: stop.set())
    assert [p.name for p in node.iterdir()] == ["boot"]


@pytest.mark.loop
@pytest.mark.parametrize("spare", [0, 64, 400, 700, 1000])
def test_a_full_disk_leaves_nothing(tmp_path: Path, spare: int) -> None:
    with mounted("ext4", 16 * MIB, tmp_path) as point:
        node = point / "node"
        (node / "boot").mkdir(parents=True)
        fill(point / "filler", spare=spare * 1024)
        free = os.statvfs(point).f_bfree
        source = inspect_source(rootfs.awkward_tar(tmp_path / "a.tar"))
        try:
            make(node, source)
            assert verify(node / "root.img", "raw") == ""
            (node / "root.img").unlink()
            done = True
        except NoSpace:
            assert [p.name for p in node.iterdir() if p.name != "boot"] == []
            done = False
        files.remove_tree(node)
        assert os.statvfs(point).f_bfree >= free
        assert spare != 0 or not done


def test_every_step_that_fails_leaves_nothing(
    tmp_path: Path, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = inspect_source(rootfs.awkward_tar(tmp_path / "a.tar"))
    names: list[str] = []
    monkeypatch.setattr(files, "failpoint", names.append)
    make(node, source)
    assert {"disk.create", "disk.unpack", "disk.format", "boot.copy", "disk.fsync"} <= set(names)
    (node / "root.img").unlink()
    for wanted in sorted(set(names) - {"rmtree"}):
        files.remove_tree(node / "boot")
        (node / "boot").mkdir()

        def fail(name: str, wanted: str = wanted) -> None:
            if name == wanted:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(files, "failpoint", fail)
        with pytest.raises((NoSpace, OSError)):
            make(node, source)
        assert [p.name for p in node.iterdir()] == ["boot"], wanted


@pytest.mark.slow
def test_a_real_debian(tmp_path: Path, node: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = inspect_source(rootfs.debian_tar())
    make(node, source, 2048 * MIB, report=lambda *numbers: seen.append(numbers))
    assert verify(node / "root.img", "raw") == ""
    assert "bookworm" in debugfs(node / "root.img", "cat /usr/lib/os-release")
    assert allocated(node / "root.img") <= source.bytes * 1.1
    assert seen[-1][0] == seen[-1][1]
    assert len(seen) > 2
