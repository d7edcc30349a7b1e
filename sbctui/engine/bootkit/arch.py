"""The architectures that an initramfs is built for, and how kernels are named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """A Debian architecture: its folder of libraries, its usual kernel package (what follows
    ``linux-image-``), and what config.json calls it.
    """

    name: str
    triplet: str
    kernel: str
    boot: str


ARCHITECTURES: Mapping[str, Architecture] = {
    one.name: one
    for one in (
        Architecture("arm64", "aarch64-linux-gnu", "arm64", "arm64"),
        Architecture("armhf", "arm-linux-gnueabihf", "armmp", "arm"),
        Architecture("amd64", "x86_64-linux-gnu", "amd64", "x86"),
    )
}
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+~-]{0,127}")
"""A kernel's version, as its folder in /lib/modules is called."""


RISCV = (
    "Debian 12 has no packages for riscv64, so no initramfs of the site's own is built for it: "
    "nbd-client, MODULES=most in /etc/initramfs-tools/initramfs.conf and update-initramfs -u in "
    "the image give it one that can have its disk over NBD; then import it again"
)
"""What is said where one is asked for."""
_RISCV_NAMES = ("riscv", "riscv64")


def is_riscv(arch: str) -> bool:
    """Whether this is Debian's, config.json's or the kernel's name of it."""
    return arch in _RISCV_NAMES


def of_boot(boot: str) -> str:
    """Debian's name for what config.json calls an architecture; empty when there is none."""
    return next((one.name for one in ARCHITECTURES.values() if one.boot == boot), "")


_IMAGE = re.compile(rf"bootkit-(?P<version>{VERSION.pattern})\.img")


def image_name(version: str) -> str:
    """What the site's own initramfs for a kernel is called in the ``boot/`` of a node."""
    return f"bootkit-{version}.img"


def image_version(name: str) -> str:
    """The kernel of a file that ``image_name`` named; empty for any other."""
    match = _IMAGE.fullmatch(name)
    return match["version"] if match else ""
