"""Roots out of OS images: every layout and packing people download, and what can't be used."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.fstab import for_network
from sbctui.engine.disks.sink import Sink
from sbctui.engine.errors import BadInput, Cancelled, Refused
from sbctui.engine.model.requests import Extent
from tests import images
from tests.disks.place import NEVER, allocated, silent, tool

MIB = images.MIB
SIZE = 128 * MIB


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system and a firmware partition."""
    folder = tmp_path_factory.mktemp("parts")
    images.ext4(folder / "root", images.root_files(folder / "tree"))
    images.fat(folder / "fat")
    return folder


@pytest.fixture
def pi(parts: Path, tmp_path: Path) -> Path:
    """An image as Raspberry Pi OS has it."""
    both = ((parts / "fat", "c"), (parts / "root", "83"))
    return images.partitioned(tmp_path / "pi.img", "dos", both)


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A staged node: a folder with an empty boot/."""
    path = tmp_path / "node"
    (path / "boot").mkdir(parents=True)
    return path


def make(node: Path, image: Path, size: int = SIZE, stop: threading.Event = NEVER) -> Path:
    source = inspect_source(image)
    make_root(node / "root.img", size, source, stop=stop, report=silent)
    return node / "root.img"


def cat(disk: Path, path: str) -> str:
    return tool("debugfs", "-R", f"cat {path}", disk).stdout


def holds_all(disk: Path) -> None:
    """What the image held is there: content, modes, hard links, holes; and it is sound."""
    tool("e2fsck", "-fn", disk)
    assert cat(disk, "/etc/hostname") == "raspberrypi\n"
    told = tool("debugfs", "-R", "stat /usr/bin/tool2", disk).stdout
    assert "Mode:  04755" in told
    assert "Links: 2" in told
    assert disk.stat().st_size == SIZE
    assert allocated(disk) < 40 * MIB


@pytest.mark.parametrize("suffix", ["", ".xz", ".zst", ".gz"])
def test_raspberry_pi_layout(pi: Path, node: Path, suffix: str) -> None:
    disk = make(node, images.packed(pi, suffix))
    holds_all(disk)
    found = {str(p.relative_to(node / "boot")) for p in (node / "boot").rglob("*") if p.is_file()}
    assert {"config.txt.image", "start4.elf", "overlays/disable-bt.dtbo"} <= found
    assert {"vmlinuz-6.6.1-v8", "initrd.img-6.6.1-v8", "vmlinuz"} <= found
    assert (node / "boot/vmlinuz-6.6.1-v8").read_bytes() == images.noise(2 * MIB)
    assert sorted(p.name for p in node.iterdir()) == ["boot", "root.img"]


def test_what_the_image_mounts_from_its_card_is_set_aside(pi: Path, node: Path) -> None:
    lines = cat(make(node, pi), "/etc/fstab").splitlines()
    assert "/dev/nbd0 / ext4 defaults,noatime 0 1" in lines
    assert "proc /proc proc defaults 0 0" in lines
    assert not any(line.startswith("PARTUUID") for line in lines)


@pytest.mark.parametrize(("label", "kind"), [("dos", "83"), ("gpt", "L")])
def test_armbian_layout(parts: Path, tmp_path: Path, node: Path, label: str, kind: str) -> None:
    image = images.partitioned(tmp_path / "armbian.img", label, ((parts / "root", kind),))
    holds_all(make(node, images.packed(image, ".xz")))
    assert (node / "boot/vmlinuz").exists()


def test_a_partition_that_begins_anywhere(parts: Path, tmp_path: Path, node: Path) -> None:
    """Old tables begin at sector 63: the blocks of its file system lie across ours."""
    image = tmp_path / "old.img"
    with open(image, "wb") as file:
        file.truncate(98 * MIB)
    script = f"label: dos\nstart=63, size={96 * MIB // 512}, type=83\n"
    subprocess.run(["sfdisk", "-q", image], input=script, text=True, check=True)
    with open(image, "r+b") as file:
        file.seek(63 * 512)
        file.write((parts / "root").read_bytes())
    disk = make(node, image)
    holds_all(disk)
    assert allocated(disk) < allocated(parts / "root") + MIB


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_system_without_a_table(
    parts: Path, tmp_path: Path, node: Path, suffix: str
) -> None:
    image = tmp_path / "rootfs.ext4"
    image.write_bytes((parts / "root").read_bytes())
    holds_all(make(node, images.packed(image, suffix)))


def test_a_look_says_what_it_is(pi: Path) -> None:
    source = inspect_source(images.packed(pi, ".xz"))
    assert source.layout is not None
    assert source.kind == "image"
    assert source.layout.packed == "xz"
    assert source.layout.root.size == 96 * MIB
    assert source.layout.filesystem == "ext4"
    assert source.layout.boot == Extent(start=4 * MIB, size=40 * MIB)


def test_an_image_larger_than_the_disk_is_refused(pi: Path, node: Path) -> None:
    with pytest.raises(Refused, match="larger --size"):
        make(node, pi, size=64 * MIB)


@pytest.mark.parametrize("suffix", [".xz", ".zst", ".gz"])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_a_damaged_image_leaves_nothing(pi: Path, node: Path, suffix: str, how: str) -> None:
    image = images.packed(pi, suffix)
    data = bytearray(image.read_bytes())
    middle = len(data) // 2
    if how == "cut":
        del data[middle:]
    else:
        data[middle] ^= 0xFF
    image.write_bytes(data)
    with pytest.raises(BadInput, match="damaged or cut off"):
        make(node, image)
    assert [p.name for p in node.iterdir() if p.name.startswith(".")] == []


def test_an_unpacked_image_that_is_cut_off(pi: Path, node: Path) -> None:
    with open(pi, "r+b") as file:
        file.truncate(60 * MIB)
    with pytest.raises(BadInput, match="is cut off: its partitions end at byte"):
        make(node, pi)


def _formatted(path: Path, *argv: str) -> Path:
    with open(path, "wb") as file:
        file.truncate(120 * MIB)
    images.run(*argv, path)
    return path


@pytest.mark.parametrize("near", [True, False], ids=["seen before", "seen on the way"])
def test_a_root_that_is_no_ext4(tmp_path: Path, node: Path, near: bool) -> None:
    btrfs = _formatted(tmp_path / "root", "mkfs.btrfs", "-q", "-f")
    image = images.partitioned(tmp_path / "b.img", "dos", ((btrfs, "83"),), gap=4 if near else 80)
    with pytest.raises(BadInput, match="holds btrfs; a root wants ext4"):
        make(node, images.packed(image, ".xz"))


@pytest.mark.parametrize("kind", ["btrfs", "xfs", "f2fs"])
@pytest.mark.parametrize("packing", ["", ".xz"])
def test_a_whole_disk_of_another_file_system_is_named(
    tmp_path: Path, kind: str, packing: str
) -> None:
    disk = images.marked(tmp_path / f"{kind}.img", kind, 8 * MIB)
    with pytest.raises(BadInput, match=f"holds {kind}; a root wants ext4: mount it"):
        inspect_source(images.packed(disk, packing) if packing else disk)


def test_an_encrypted_root(tmp_path: Path, node: Path) -> None:
    luks = tmp_path / "root"
    header = b"LUKS\xba\xbe\x00\x01aes".ljust(40, b"\0") + b"xts-plain64".ljust(552, b"\0")
    luks.write_bytes(header.ljust(8 * MIB, b"\0"))
    image = images.partitioned(tmp_path / "l.img", "dos", ((luks, "83"),))
    with pytest.raises(BadInput, match=r"is encrypted \(LUKS\)"):
        make(node, image)


@pytest.mark.parametrize(
    ("label", "kind", "says"),
    [("dos", "8e", "root on LVM"), ("dos", "fd", "root on a RAID"), ("dos", "c", "no Linux")],
)
def test_an_image_without_a_root(
    parts: Path, tmp_path: Path, label: str, kind: str, says: str
) -> None:
    image = images.partitioned(tmp_path / "x.img", label, ((parts / "fat", kind),))
    with pytest.raises(BadInput, match=says):
        inspect_source(image)


def test_a_disk_without_anything(tmp_path: Path) -> None:
    (tmp_path / "x.img").write_bytes(bytes(510) + b"\x55\xaa" + bytes(MIB))
    with pytest.raises(BadInput, match="no file system that is known"):
        inspect_source(tmp_path / "x.img")


def test_a_virtual_machines_disk(tmp_path: Path) -> None:
    (tmp_path / "x.qcow2").write_bytes(b"QFI\xfb" + bytes(MIB))
    with pytest.raises(BadInput, match="qemu-img convert"):
        inspect_source(tmp_path / "x.qcow2")


def test_stopping_in_the_middle(pi: Path, node: Path) -> None:
    stop = threading.Event()
    source = inspect_source(pi)

    def far(done: int, total: int) -> None:
        stop.set()

    with pytest.raises(Cancelled):
        make_root(node / "root.img", SIZE, source, stop=stop, report=far)
    assert [p.name for p in node.iterdir()] == ["boot"]


@pytest.mark.parametrize("offset", [0, 512, 63 * 512, 4096])
@pytest.mark.parametrize("step", [65536 + 512, MIB])
def test_a_sink_takes_its_range_and_leaves_holes(tmp_path: Path, offset: int, step: int) -> None:
    """Whatever the steps of the stream, and wherever the partition begins."""
    body = images.noise(70_000) + bytes(3 * MIB) + images.noise(5000) + bytes(4096 * 7 + 100)
    stream = images.noise(offset, 9) + body + images.noise(10_000, 8)
    with open(tmp_path / "out", "w+b") as file:
        sink = Sink(file.fileno(), Extent(start=offset, size=len(body)))
        for at in range(0, len(stream), step):
            sink.take(at, stream[at : at + step])
        file.seek(0)
        assert file.read() == body
    assert allocated(tmp_path / "out") < 256 * 1024


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"/dev/nbd0 / ext4 defaults,noatime 0 1\n"),
        (b"# x\n/dev/mmcblk0p2 / ext4 ro 0 1\n", b"# x\n/dev/nbd0 / ext4 defaults,noatime 0 1\n"),
        (
            b"LABEL=swap none swap sw 0 0\ntmpfs /tmp tmpfs - 0 0\n",
            b"# not on this board's network disk: LABEL=swap none swap sw 0 0\n"
            b"tmpfs /tmp tmpfs - 0 0\n/dev/nbd0 / ext4 defaults,noatime 0 1\n",
        ),
    ],
)
def test_fstab_for_a_network_disk(before: bytes, after: bytes) -> None:
    assert for_network(before) == after
    assert for_network(after) == after
