"""Boot programs that a PC's own firmware loads, and where Debian's package ``ipxe`` has them."""

from __future__ import annotations

from collections.abc import Mapping

PACKAGE = "ipxe"
LOADED = "x86"
"""The processor, as config.json has it, whose boot programs these are."""

BIOS, UEFI = "undionly.kpxe", "ipxe-x86_64.efi"
"""What DHCP names to a BIOS's PXE, and to a UEFI's of 64 bits."""

LOADERS: Mapping[str, str] = {
    BIOS: "/usr/lib/ipxe/undionly.kpxe",
    UEFI: "/usr/lib/ipxe/snponly.efi",
}
"""Name in a PC's boot folder → the file that it leads to. Both use the driver of the firmware
that loaded them, so they know every card that it can boot from (ipxe.org/appnote/buildtargets)."""
