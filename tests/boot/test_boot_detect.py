from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sbctui.engine.boot.detect import detect
from sbctui.engine.model.node import BootSpec


def kernel(kind: str = "arm64") -> bytes:
    """The first bytes of a kernel, as its boot protocol lays them down."""
    offset, magic = {
        "arm64": (56, b"ARM\x64"),
        "riscv": (56, b"RSC\x05"),
        "arm": (36, b"\x18\x28\x6f\x01"),
        "x86": (514, b"HdrS"),
        "": (0, b""),
    }[kind]
    return bytes(offset) + magic + bytes(2000)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kernel() if path.name[:2] in ("vm", "Im", "zI") else b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), ("", "", "")),
        (("initrd.img-6.1", "config-6.1", "System.map-6.1"), ("", "", "")),
        (
            (
                "vmlinuz-6.1.0-9-a",
                "vmlinuz-6.1.0-18-a",
                "vmlinuz-5.10.0-30-a",
                "initrd.img-6.1.0-18-a",
            ),
            ("vmlinuz-6.1.0-18-a", "initrd.img-6.1.0-18-a", ""),
        ),
        (
            ("vmlinuz-6.1", "vmlinuz-6.2", "initrd.img-6.1", "initrd.img-6.0"),
            ("vmlinuz-6.2", "", ""),
        ),
        (("Image", "initramfs-linux.img", "dtbs/"), ("Image", "initramfs-linux.img", "dtbs")),
        (("zImage", "initrd.img"), ("zImage", "initrd.img", "")),
        (
            ("vmlinuz-6.1", "initrd.img-6.1", "dtbs/6.1/a.dtb", "dtbs/5.10/a.dtb"),
            ("vmlinuz-6.1", "initrd.img-6.1", "dtbs/6.1"),
        ),
        (
            ("vmlinuz-6.1-sunxi", "initrd.img-6.1-sunxi", "uInitrd-6.1-sunxi", "dtb-6.1-sunxi/"),
            ("vmlinuz-6.1-sunxi", "initrd.img-6.1-sunxi", "dtb-6.1-sunxi"),
        ),
        (
            ("vmlinuz-6.1", "vmlinuz-9-rescue-1a", "vmlinuz-7.0.old", "initramfs-6.1.img"),
            ("vmlinuz-6.1", "initramfs-6.1.img", ""),
        ),
        (("vmlinuz-6.1", "vmlinuz", "initrd.img-6.1"), ("vmlinuz-6.1", "initrd.img-6.1", "")),
        (("boot.scr", "boot.scr.uimg", "pxelinux.cfg/01-02"), ("", "", "")),
    ],
)
def test_the_newest_kernel_and_what_belongs_to_it(
    tmp_path: Path, names: tuple[str, ...], found: tuple[str, str, str]
) -> None:
    spec = detect(fill(tmp_path, *names))
    assert (spec.kernel, spec.initramfs, spec.dtbs) == found


@pytest.mark.parametrize("kind", ["arm64", "riscv", "arm", "x86", ""])
@pytest.mark.parametrize("packed", [False, True])
def test_the_processor_by_the_kernels_magic(tmp_path: Path, kind: str, packed: bool) -> None:
    data = kernel(kind)
    (tmp_path / "vmlinuz-6.1").write_bytes(gzip.compress(data) if packed else data)
    assert detect(tmp_path).arch == kind


def test_links_are_not_followed_and_folders_are_no_kernels(tmp_path: Path) -> None:
    outside = tmp_path / "vmlinuz-9"
    outside.write_bytes(kernel())
    boot = fill(tmp_path / "boot", "vmlinuz-6.1", "vmlinuz-7.0/")
    (boot / "vmlinuz-8.0").symlink_to(outside)
    (boot / "initrd.img-6.1").symlink_to("/etc/shadow")
    (boot / "dtbs").symlink_to("/etc")
    assert detect(boot) == BootSpec(kernel="vmlinuz-6.1", arch="arm64")


def test_no_folder_no_kernel_and_a_broken_gzip_are_no_error(tmp_path: Path) -> None:
    assert detect(tmp_path / "nowhere") == BootSpec()
    (tmp_path / "Image").write_bytes(b"\x1f\x8b\x08" + bytes(20))
    assert detect(tmp_path) == BootSpec(kernel="Image")
