"""What firmware makes of the boot files it is given: which kernel, and which disk it mounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address

from sbctui.lab.nbd import PORT
from sbctui.lab.tftp import TftpError

Fetch = Callable[[str], bytes]
"""Gets a boot file by name. Raises TftpError."""
_DISK = re.compile(r"\bnbdroot=(?P<server>[0-9.]+)[:,](?P<port>[0-9]+)?/?(?P<export>[^\s,]+)")


class Unusable(Exception):
    """The files don't lead to a kernel; the message is what the firmware says."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A started kernel's disk, from its command line."""

    server: IPv4Address
    port: int
    export: str


def of_uboot(fetch: Fetch, mac: str) -> Kernel:
    """U-Boot's way: its boot script, then what extlinux.conf(5) calls a menu, for this MAC.

    The script's shell is not interpreted; the menu names the same files. Raises Unusable.
    """
    _fetched(fetch, "boot.scr.uimg", "the boot script")
    menu = f"pxelinux.cfg/01-{mac.replace(':', '-')}"
    text = _fetched(fetch, menu, "the boot menu").decode(errors="replace")
    words = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    named = {word[0].lower(): word[1].strip() for word in words if len(word) == 2}
    for key, what in (("kernel", "the kernel"), ("initrd", "the initramfs")):
        if key not in named:
            raise Unusable(f"{menu} names no {key}")
        if not _fetched(fetch, named[key], what):
            raise Unusable(f"{named[key]} is empty")
    return of_command_line(named.get("append", ""))


def of_pi(fetch: Fetch, serial: int) -> Kernel:
    """A Raspberry Pi 4's way: firmware below its serial number, else without; then the rest.

    Raises Unusable.
    """
    prefix = f"{serial:08x}/"
    try:
        fetch(f"{prefix}start4.elf")
    except TftpError:
        prefix = ""
        _fetched(fetch, "start4.elf", "the Raspberry Pi firmware")
    config = _fetched(fetch, f"{prefix}config.txt", "the settings").decode(errors="replace")
    text = _fetched(fetch, f"{prefix}cmdline.txt", "the command line").decode(errors="replace")
    named = dict(re.findall(r"^(kernel|initramfs)[= ](\S+)", config, re.MULTILINE))
    _fetched(fetch, prefix + named.get("kernel", "kernel8.img"), "the kernel")
    if "initramfs" in named:
        _fetched(fetch, prefix + named["initramfs"], "the initramfs")
    return of_command_line(text)


def of_command_line(text: str) -> Kernel:
    """The disk that ``nbdroot=`` of a kernel's command line names. Raises Unusable."""
    found = _DISK.search(text)
    if found is None:
        raise Unusable("Kernel panic: no root on its command line that it can mount")
    try:
        server = IPv4Address(found["server"])
    except ValueError:
        raise Unusable(f"Kernel panic: {found['server']} is no address of a server") from None
    return Kernel(server, int(found["port"] or PORT), found["export"])


def _fetched(fetch: Fetch, name: str, what: str) -> bytes:
    try:
        return fetch(name)
    except TftpError as error:
        raise Unusable(f"{what} can't be had: {name}: {error}") from None
