"""An initramfs made on the spot, and the parts of a root that a kernel needs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.boot.test_boot_detect import kernel

VERSION = "6.1.0-18-arm64"
FOLDER = f"usr/lib/modules/{VERSION}"
NBD = f"{FOLDER}/kernel/drivers/block/nbd.ko.xz"
EXT4 = f"{FOLDER}/kernel/fs/ext4/ext4.ko.xz"
JBD2 = f"{FOLDER}/kernel/fs/jbd2/jbd2.ko.xz"
DEP = (
    "kernel/drivers/block/nbd.ko.xz:\n"
    "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz\n"
    "kernel/fs/jbd2/jbd2.ko.xz:\n"
)
WHOLE: Mapping[str, bytes] = {
    "init": b"#!/bin/sh\n",
    "usr/sbin/nbd-client": b"\x7fELF",
    "scripts/local-top/nbd": b"#!/bin/sh\n",
    NBD: b"module",
    EXT4: b"module",
    JBD2: b"module",
    f"{FOLDER}/modules.dep": DEP.encode(),
    f"{FOLDER}/modules.builtin": b"kernel/crypto/crc32c_generic.ko\n",
}
"""What Debian's initramfs-tools puts in with nbd-client and MODULES=most."""


def cpio(files: Mapping[str, bytes]) -> bytes:
    """A "newc" archive, as ``cpio -o -H newc`` writes it."""
    made = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")], 1):
        raw = name.encode() + b"\0"
        fields = [number, 0o100755, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08X" % field for field in fields)
        made += (head + raw) + bytes(-(len(head) + len(raw)) % 4) + data + bytes(-len(data) % 4)
    return made + bytes(-len(made) % 512)


def piped(*argv: str, data: bytes) -> bytes:
    return subprocess.run(argv, input=data, capture_output=True, check=True).stdout


def packed(data: bytes, how: str) -> bytes:
    """As mkinitramfs packs it."""
    match how:
        case "gzip":
            return gzip.compress(data)
        case "xz":
            return lzma.compress(data, check=lzma.CHECK_CRC32)
        case "lzma":
            return lzma.compress(data, lzma.FORMAT_ALONE)
        case "bzip2":
            return bz2.compress(data)
        case "zstd":
            return piped("zstd", "-q", "-c", data=data)
        case "lz4":
            return piped("lz4", "-q", "-l", "-c", data=data)
    return data


def without(*names: str, **more: bytes) -> dict[str, bytes]:
    """The whole, but for some."""
    return {name: data for name, data in {**WHOLE, **more}.items() if name not in names}


def whole_for(version: str, **more: bytes) -> bytes:
    """One with all that NBD wants, for another kernel."""
    return gzip.compress(
        cpio({n.replace(VERSION, version): d for n, d in {**WHOLE, **more}.items()})
    )


def system(tree: Path, initramfs: bytes | None = None, version: str = VERSION) -> Path:
    """A root file system's tree with a kernel, an initramfs, device trees and nbd-client."""
    boot = tree / "boot"
    (boot / "dtbs" / version / "vendor").mkdir(parents=True)
    (boot / f"vmlinuz-{version}").write_bytes(kernel())
    whole = gzip.compress(cpio(WHOLE)) if initramfs is None else initramfs
    (boot / f"initrd.img-{version}").write_bytes(whole)
    (boot / "dtbs" / version / "vendor/board.dtb").write_bytes(b"\xd0\x0d\xfe\xed")
    (tree / "etc").mkdir()
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/sbin/nbd-client").write_bytes(b"\x7fELF")
    return tree


PI_CONFIG = """\
# For more options and information see http://rptl.io/configtxt
dtparam=audio=on
auto_initramfs=1
arm_64bit=1

[cm4]
otg_mode=1

[all]
enable_uart=1
"""
PI_CMDLINE = (
    "console=serial0,115200 console=tty1 root=PARTUUID=4c3fe312-02 rootfstype=ext4 "
    "fsck.repair=yes rootwait quiet init=/usr/lib/raspberrypi-sys-mods/firstboot "
    "cfg80211.ieee80211_regdom=DE\n"
)
PI_FILES = (
    "bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat", "bcm2710-rpi-3-b.dtb",
    "bcm2711-rpi-4-b.dtb", "bcm2712-rpi-5-b.dtb", "overlays/overlay_map.dtb",
)  # fmt: skip


def pi_tree(tree: Path) -> Path:
    """What Raspberry Pi OS has: its boot partition mounted at /boot/firmware."""
    firmware = tree / "boot/firmware"
    (firmware / "overlays").mkdir(parents=True)
    for name in PI_FILES:
        (firmware / name).write_bytes(name.encode() * 10)
    for kernel_file, ramdisk in (("kernel8.img", "initramfs8"),
                                 ("kernel_2712.img", "initramfs_2712")):  # fmt: skip
        (firmware / kernel_file).write_bytes(gzip.compress(kernel()))
        (firmware / ramdisk).write_bytes(gzip.compress(cpio(WHOLE)))
    (firmware / "config.txt").write_text(PI_CONFIG)
    (firmware / "cmdline.txt").write_text(PI_CMDLINE)
    (tree / "etc").mkdir()
    return tree
