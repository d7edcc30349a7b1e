"""What a ``boot/`` folder holds: kernel, initramfs, device trees, and for which processor."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

from sbctui.engine.model.node import BootSpec

_KERNEL = re.compile(r"(?:vmlinu[xz]|z?Image)(?:-(?P<version>[A-Za-z0-9_+.-]+))?")
_INITRAMFS = re.compile(
    r"(?:initrd\.img|initrd|initramfs)(?:-(?P<version>[A-Za-z0-9_+.-]+?))?(?:\.img)?"
)
_DEVICE_TREES = ("dtbs", "dtb")
_WITH_TREES = ("arm", "arm64", "riscv")
_LEFTOVERS = ("rescue", "fallback")
_LEFTOVER_ENDS = (".old", ".bak", ".dpkg-bak", ".dpkg-tmp", ".tmp")
_PEEK = 1024
_ONE_BOARD = "-2712"


def detect(boot_dir: Path) -> BootSpec:
    """The newest kernel by version, the initramfs of the same version, the device trees.

    Links are not followed, so that nothing outside the folder is ever named. Fields are empty
    for what is not there, all of them when the folder is missing.
    """
    kernels = _versions(boot_dir, _KERNEL)
    if not kernels:
        return BootSpec()
    version, kernel = max(kernels.items(), key=lambda item: _rank(item[0]))
    return BootSpec(
        kernel=kernel,
        initramfs=initramfs_for(boot_dir, version),
        dtbs=_device_trees(boot_dir, version),
        arch=architecture(boot_dir / kernel),
    )


def initramfs_for(boot_dir: Path, version: str) -> str:
    """The image's initramfs for a kernel's version, empty where it has none."""
    found = _versions(boot_dir, _INITRAMFS)
    return found.get(version, "") or _only(found)


def lacks_trees(boot_dir: Path) -> str:
    """The version of the kernel for which device trees are missing; empty when none are."""
    boot = detect(boot_dir)
    if boot.dtbs or boot.arch not in _WITH_TREES:
        return ""
    if any(name.endswith(".dtb") for name in _names(boot_dir, folders=False)):
        return ""
    return kernel_version(boot.kernel)


def _versions(boot_dir: Path, pattern: re.Pattern[str]) -> dict[str, str]:
    """Version ("" for none) → file name of what matches, leftovers aside."""
    found = {}
    for name in sorted(_names(boot_dir, folders=False)):
        match = pattern.fullmatch(name)
        leftover = name.endswith(_LEFTOVER_ENDS) or any(word in name for word in _LEFTOVERS)
        if match and not leftover:
            found[match["version"] or ""] = name
    return found


def _names(folder: Path, *, folders: bool) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [
                e.name
                for e in entries
                if (e.is_dir if folders else e.is_file)(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _only(initramfs: dict[str, str]) -> str:
    """The one initramfs of a folder that names it otherwise than its kernel (Arch Linux)."""
    return next(iter(initramfs.values())) if len(initramfs) == 1 else ""


def _rank(version: str) -> tuple[bool, tuple[tuple[int, str], ...]]:
    """A kernel that only a Raspberry Pi 5 starts comes after all that others start as well."""
    return not version.endswith(_ONE_BOARD), _order(version)


def _order(version: str) -> tuple[tuple[int, str], ...]:
    """6.1.0-18 after 6.1.0-9; a kernel without a version is the oldest."""
    parts = re.findall(r"[0-9]+|[A-Za-z]+", version)
    return tuple((int(p), "") if p.isdigit() else (-1, p) for p in parts)


def _device_trees(boot_dir: Path, version: str) -> str:
    here = _names(boot_dir, folders=True)
    for name in _DEVICE_TREES:
        if f"{name}-{version}" in here:
            return f"{name}-{version}"
        if name in here:
            return f"{name}/{version}" if version in _names(boot_dir / name, folders=True) else name
    return ""


def kernel_version(kernel: str) -> str:
    """The version that a kernel's file name gives, as ``6.1.0-18-arm64``; empty for none."""
    match = _KERNEL.fullmatch(kernel)
    return (match["version"] or "") if match else ""


def architecture(kernel: Path) -> str:
    """The processor that a kernel's first bytes name: arm, arm64, riscv, x86; or empty."""
    with kernel.open("rb") as file:
        head = file.read(_PEEK)
    if head[:2] == b"\x1f\x8b":
        head = _unpacked(head)
    if head[56:60] == b"ARM\x64":
        return "arm64"
    if head[56:60] == b"RSC\x05":
        return "riscv"
    if head[36:40] == b"\x18\x28\x6f\x01":
        return "arm"
    if head[514:518] == b"HdrS":
        return "x86"
    return ""


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _PEEK)
    except zlib.error:
        return b""
