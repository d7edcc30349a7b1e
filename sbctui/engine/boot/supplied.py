"""Where an initramfs of the site's own stands, for roots whose own can't have its root over NBD.

It takes the same kernel command line as Debian's: ``root=/dev/nbd0 ip=dhcp
nbdroot=ADDRESS:PORT/EXPORT``.
"""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.bootkit.arch import VERSION, of_boot
from sbctui.engine.bootkit.kits import initrd


def supplied_initramfs(site: Path, boot_arch: str, version: str) -> Path | None:
    """What ``bootkit build`` made for a kernel, if it did.

    ``boot_arch`` is the processor as config.json has it, ``version`` the kernel's.
    """
    arch = of_boot(boot_arch)
    if not arch or not VERSION.fullmatch(version):
        return None
    path = initrd(site, arch, version)
    return path if path.is_file() else None
