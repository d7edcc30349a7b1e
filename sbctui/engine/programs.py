"""The programs of others that we start, the Debian package of each, and where it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from sbctui.engine.errors import ToolMissing

PACKAGES: Mapping[str, str] = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "aria2c": "aria2",
    "blkid": "util-linux",
    "bzip2": "bzip2",
    "btrfs": "btrfs-progs",
    "cp": "coreutils",
    "curl": "curl",
    "debugfs": "e2fsprogs",
    "depmod": "kmod",
    "dhcp_release": "dnsmasq-utils",
    "dnsmasq": "dnsmasq-base",
    "dpkg-deb": "dpkg",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fakeroot": "fakeroot",
    "fusermount3": "fuse3",
    "getent": "libc-bin",
    "gzip": "gzip",
    "ip": "iproute2",
    "lsblk": "util-linux",
    "lz4": "lz4",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mount": "mount",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "resize2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "setpriv": "util-linux",
    "ss": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "tune2fs": "e2fsprogs",
    "udp-receiver": "udpcast",
    "udp-sender": "udpcast",
    "umount": "mount",
    "unshare": "util-linux",
    "useradd": "passwd",
    "userdel": "passwd",
    "xz": "xz-utils",
    "zstd": "zstd",
}
"""Debian package of every program we start."""


_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH with the sbin folders, where an ordinary user's PATH lacks them."""
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*parts, *(p for p in _SBIN if p not in parts)])


def find(tool: str) -> Path:
    """Where a program is. Raises ToolMissing with the package to install."""
    found = shutil.which(tool, path=search_path())
    if not found:
        raise ToolMissing(tool, PACKAGES.get(tool, tool))
    return Path(found)
