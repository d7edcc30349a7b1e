"""Which boot file DHCP names to which firmware, as lines of dnsmasq's configuration. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from sbctui.engine.boot.loaders import BIOS, UEFI

BOOT_FILE = "boot.scr.uimg"
"""Named in every other answer; U-Boot asks for it by this name whatever the answer says."""
IPXE_SCRIPT = "boot.ipxe"
"""Named to a client that is iPXE already."""
FIRMWARE = {
    "pc": ((), BIOS),
    "x64": ((7, 9), UEFI),
    "ia32": ((6,), "ipxe-i386.efi"),
    "arm64": ((11,), "ipxe-arm64.efi"),
    "riscv64": ((27,), "ipxe-riscv64.efi"),
}
"""Tag → processor types of option 93 (RFC 4578, IANA) and the file for them.

``pc`` is a BIOS: type 0, which a Raspberry Pi claims to be as well."""
BY_HTTP = {
    "ia32-http": (15, "ia32"),
    "x64-http": (16, "x64"),
    "arm64-http": (19, "arm64"),
    "riscv64-http": (28, "riscv64"),
}
"""Tag → processor type of UEFI's HTTP boot, and the tag in FIRMWARE whose file it loads too."""

_CLASS = "HTTPClient"
"""Option 60 of its requests, and of the only answers that it takes (UEFI 2.10, 24.7.3)."""

Line = tuple[str, str]


def matches() -> Iterator[Line]:
    """By what each firmware is known that boots from TFTP."""
    for tag, (kinds, _) in FIRMWARE.items():
        for kind in kinds:
            yield _match(tag, kind)


def matches_by_http() -> Iterator[Line]:
    """The same for HTTP boot, and what its answers are known by."""
    for tag, (kind, _) in BY_HTTP.items():
        yield _match(tag, kind)
        yield "dhcp-option-force", f"tag:{tag},60,{_CLASS}"


def _match(tag: str, kind: int) -> Line:
    return "dhcp-match", f"set:{tag},option:client-arch,{kind}"


def files(net: str, server: IPv4Address | None, *, http: bool) -> Iterator[Line]:
    """The files named in the subnet with this tag: just one of the lines fits any client.

    HTTP boot wants a whole URL, so without ``server`` it is named nothing.
    """
    at = f",,{server}" if server else ""
    others = "".join(f"tag:!{tag}," for tag in (*FIRMWARE, *(BY_HTTP if http else ())))
    yield "dhcp-boot", f"tag:{net},tag:!ipxe,{others}{BOOT_FILE}{at}"
    yield "dhcp-boot", f"tag:{net},tag:ipxe,{IPXE_SCRIPT}{at}"
    for tag, (_, file) in FIRMWARE.items():
        yield "dhcp-boot", f"tag:{net},tag:!ipxe,tag:{tag},{file}{at}"
    for tag, (_, like) in BY_HTTP.items() if http and server else ():
        yield "dhcp-boot", f"tag:{net},tag:!ipxe,tag:{tag},http://{server}/{FIRMWARE[like][1]}{at}"
