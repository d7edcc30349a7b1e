"""Where an initramfs of the site's own stands, for roots whose own can't have its root over NBD.

It takes the same kernel command line as Debian's: ``root=/dev/nbd0 ip=dhcp
nbdroot=ADDRESS:PORT/EXPORT``.
"""

from __future__ import annotations

import re
from pathlib import Path

ARCHITECTURES = {"arm64": "arm64", "arm": "armhf", "x86": "amd64"}
"""A kernel's processor → the Debian name of the architecture it runs."""
_VERSION = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+.~-]{0,127}")


def supplied_initramfs(site: Path, arch: str, version: str) -> Path | None:
    """``SITE/bootkit/<arm64|armhf|amd64>/<kernel version>/initrd.img`` if it is there."""
    if arch not in ARCHITECTURES.values() or not _VERSION.fullmatch(version):
        return None
    path = site / "bootkit" / arch / version / "initrd.img"
    return path if path.is_file() else None
