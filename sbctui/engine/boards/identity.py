"""What a board's request tells of it: model, serial number, processor. Pure."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from sbctui.engine.boards.packet import Asked
from sbctui.engine.boot.pi import VENDOR
from sbctui.engine.model.text import clean

_PROCESSORS = {
    0: "x86 BIOS",
    6: "x86 UEFI",
    7: "x86-64 UEFI",
    9: "x86-64 UEFI",
    10: "ARM UEFI",
    11: "ARM64 UEFI",
    15: "x86 UEFI HTTP",
    16: "x86-64 UEFI HTTP",
    18: "ARM UEFI HTTP",
    19: "ARM64 UEFI HTTP",
    21: "ARM U-Boot",
    22: "ARM64 U-Boot",
    25: "RISC-V 32 UEFI",
    26: "RISC-V 32 UEFI HTTP",
    27: "RISC-V 64 UEFI",
    28: "RISC-V 64 UEFI HTTP",
}
"""IANA's registry of processor architecture types, as of option 93."""
_UBOOT = {"armv7": "ARM U-Boot", "armv8": "ARM64 U-Boot", "riscv": "RISC-V U-Boot"}
_ARCH_IN_CLASS = re.compile(r"(?:PXE|HTTP)Client:Arch:(?P<arch>\d{5})(?::.*)?", re.ASCII)
_UBOOT_CLASS = re.compile(r"U-Boot\.(?P<cpu>[a-z0-9]+).*", re.ASCII)
_PI_CLASS = "PXEClient:Arch:00000:UNDI:002001"
_PI_ROM = b"\x44" * 16
"""Machine id that the ROM of a Pi 3 sends."""
_NEW_STYLE = 1 << 23
_MODELS = {
    0x08: "3B",
    0x0A: "CM3",
    0x0D: "3B+",
    0x0E: "3A+",
    0x10: "CM3+",
    0x11: "4B",
    0x12: "Zero 2 W",
    0x13: "400",
    0x14: "CM4",
    0x15: "CM4S",
    0x17: "5",
    0x18: "CM5",
    0x19: "500",
    0x1A: "CM5 Lite",
}
"""Type field of a Pi's revision code, as Raspberry Pi documents it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What could be told; empty texts where nothing could. ``serial`` is as TFTP paths have it."""

    model: str = ""
    serial: str = ""
    architecture: str = ""


def identify(asked: Asked) -> Identity:
    """What a request tells of the board that sent it."""
    machine = asked.machine[1:]
    if len(machine) == 16 and machine[:3] == b"RPi":
        return _pi(machine)
    if asked.vendor_class == _PI_CLASS and asked.arch in (-1, 0) and len(machine) == 16:
        if machine == _PI_ROM:
            return Identity("Raspberry Pi 3", "", "ARM64")
        if machine == machine[:4] * 4:
            return Identity("Raspberry Pi", _serial(machine[:4]), "ARM64")
    if asked.mac.startswith(VENDOR) and asked.vendor_class == _PI_CLASS:
        return Identity("Raspberry Pi", "", "ARM64")  # its machine id was configured
    named = architecture(asked.arch, asked.vendor_class)
    uboot = asked.mac.startswith(VENDOR) and asked.vendor_class.startswith("U-Boot")
    return Identity("Raspberry Pi" if uboot else "", "", named)


def architecture(arch: int, vendor_class: str) -> str:
    """The processor and firmware that a request names; empty when it names none."""
    if arch < 0:
        named = _ARCH_IN_CLASS.fullmatch(vendor_class)
        arch = int(named["arch"]) if named else -1
    if arch >= 0:
        return _PROCESSORS.get(arch, f"type {arch}")
    uboot = _UBOOT_CLASS.fullmatch(vendor_class)
    return _UBOOT.get(uboot["cpu"], "U-Boot") if uboot else ""


def _pi(machine: bytes) -> Identity:
    """Machine id of a Pi's EEPROM: ``RPi4``, revision, end of the MAC, serial; little-endian."""
    generation = clean(machine[3:4].decode("ascii", errors="replace"))
    (revision,) = struct.unpack_from("<I", machine, 4)
    known = _MODELS.get(revision >> 4 & 0xFF) if revision & _NEW_STYLE else None
    memory = _memory(revision) if revision & _NEW_STYLE else ""
    model = f"Raspberry Pi {known or generation}{memory}"
    return Identity(model, _serial(machine[12:16]), "ARM64")


def _memory(revision: int) -> str:
    size = 256 << (revision >> 20 & 7)
    return f", {size // 1024} GB" if size >= 1024 else f", {size} MB"


def _serial(raw: bytes) -> str:
    (number,) = struct.unpack("<I", raw)
    return f"{number:08x}" if number else ""
