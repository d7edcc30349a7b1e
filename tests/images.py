"""OS images made on the spot, in the layouts of what people download for their boards."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

MIB = 1024**2
FSTAB = (
    "proc /proc proc defaults 0 0\n"
    "PARTUUID=4c3fe312-01 /boot/firmware vfat defaults 0 2\n"
    "PARTUUID=4c3fe312-02 / ext4 defaults,noatime 0 1\n"
)
PACKERS: Mapping[str, Sequence[str]] = {
    ".xz": ("xz", "-T2", "-1", "-k"),
    ".zst": ("zstd", "-q"),
    ".gz": ("gzip", "-1", "-k"),
}


def run(*argv: str | Path) -> None:
    """Run a tool; fails with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that no packer shrinks, the same every time."""
    return random.Random(seed).randbytes(size)


def root_files(folder: Path) -> Path:
    """A small root file system's tree, with kernel and initramfs in /boot."""
    for name in ("etc", "boot/firmware", "usr/bin"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/fstab").write_text(FSTAB)
    (folder / "etc/hostname").write_text("raspberrypi\n")
    (folder / "boot/vmlinuz-6.6.1-v8").write_bytes(noise(2 * MIB))
    (folder / "boot/initrd.img-6.6.1-v8").write_bytes(noise(MIB, 2))
    (folder / "boot/vmlinuz").symlink_to("vmlinuz-6.6.1-v8")
    (folder / "usr/bin/tool").write_bytes(noise(4 * MIB, 3))
    os.link(folder / "usr/bin/tool", folder / "usr/bin/tool2")
    (folder / "usr/bin/tool").chmod(0o4755)
    return folder


def ext4(path: Path, tree: Path, size: int = 96 * MIB) -> Path:
    """An ext4 file system with the tree in it."""
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, path, f"{size // 1024}k")
    return path


def fat(path: Path, size: int = 40 * MIB) -> Path:
    """A FAT file system with firmware as a Raspberry Pi's boot partition has it."""
    files = path.parent / "firmware"
    (files / "overlays").mkdir(parents=True)
    (files / "config.txt").write_text("arm_64bit=1\n")
    (files / "cmdline.txt").write_text("console=serial0,115200 root=PARTUUID=4c3fe312-02\n")
    (files / "start4.elf").write_bytes(noise(MIB, 4))
    (files / "overlays/disable-bt.dtbo").write_bytes(b"\xd0\x0d\xfe\xed")
    with open(path, "wb") as file:
        file.truncate(size)
    run("mkfs.vfat", "-F", "32", path)
    run("mcopy", "-s", "-i", path, *sorted(files.iterdir()), "::/")
    return path


def partitioned(path: Path, label: str, parts: Sequence[tuple[Path, str]], gap: int = 4) -> Path:
    """A disk image: the files one after another, each with its type; ``gap`` MiB before them."""
    at, script = gap * MIB, [f"label: {label}"]
    places = []
    for file, kind in parts:
        size = file.stat().st_size
        script.append(f"start={at // 512}, size={size // 512}, type={kind}")
        places.append(at)
        at += size
    with open(path, "wb") as image:
        image.truncate(at + MIB)
    done = subprocess.run(
        ["sfdisk", "-q", path], input="\n".join(script) + "\n", text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for place, (file, _) in zip(places, parts, strict=True):
        run("dd", f"if={file}", f"of={path}", "bs=1M", f"seek={place // MIB}",
            "conv=notrunc,sparse", "status=none")  # fmt: skip
    return path


def packed(image: Path, suffix: str) -> Path:
    """The image compressed, beside it."""
    if suffix:
        run(*PACKERS[suffix], image)
    return image.with_name(image.name + suffix)


_MARKS = {
    "xfs": (0, b"XFSB"),
    "btrfs": (65600, b"_BHRfS_M"),
    "f2fs": (1024, b"\x10\x20\xf5\xf2"),
}


def marked(path: Path, kind: str, size: int) -> Path:
    """A disk that looks, by its first bytes, as if it held a file system of that kind."""
    at, magic = _MARKS[kind]
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(at)
        file.write(magic)
    return path
