"""What a board's firmware asks for by name, in order, by its kind. Pure.

U-Boot and iPXE ask for what our own scripts name. A Raspberry Pi's order is that of its boot ROM
and firmware, as their requests on the wire show; names in capitals stand for what only the board
knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sbctui.engine.boot import pi
from sbctui.engine.boot.loaders import BIOS, LOADED, UEFI
from sbctui.engine.boot.template import Overrides, check, chosen
from sbctui.engine.model.node import NodeConfig

Firmware = Literal["u-boot", "pi3", "pi4", "pi5", "ipxe"]

_TREES: Mapping[pi.Model, str] = {
    "pi3": "bcm2710-rpi-3-b.dtb",
    "pi4": "bcm2711-rpi-4-b.dtb",
    "pi5": "bcm2712-rpi-5-b.dtb",
}
_PROBE = "its serial number comes first; without that when this is not there"
_SIGNS: Mapping[pi.Model, tuple[str, ...]] = {
    "pi3": ("bootcode.bin", "start.elf"),
    "pi4": ("start4.elf",),
    "pi5": (_TREES["pi5"], "kernel_2712.img"),
}
"""Files by which an image shows that it is for a model."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One name; a board goes on without what is not ``needed``. ``note`` says why, or more."""

    name: str
    needed: bool = True
    note: str = ""


def kinds(config: NodeConfig, names: frozenset[str]) -> tuple[Firmware, ...]:
    """The kinds of firmware that a node's boot files are for; ``names`` are in its ``boot/``."""
    arch = config.boot.arch
    found: list[Firmware] = ["ipxe"] if arch == "x86" else ["u-boot"]
    found += [model for model, signs in _SIGNS.items() if any(sign in names for sign in signs)]
    return tuple(found)


def asks(
    kind: Firmware, config: NodeConfig, overrides: Overrides, pi_config: str, names: frozenset[str]
) -> tuple[Ask, ...]:
    """Everything a board of this kind asks for; ``pi_config`` is its config.txt."""
    if kind == "u-boot":
        return tuple(_u_boot(config, overrides))
    if kind == "ipxe":
        return (*_pc(config), Ask("boot.ipxe"), *_system(config.boot.kernel, config.boot.initramfs))
    return tuple(_pi(kind, pi_config, names))


def _u_boot(config: NodeConfig, overrides: Overrides) -> Iterator[Ask]:
    yield Ask("boot.scr.uimg", note="or boot.scr; by 'pxe get' pxelinux.cfg/01-MAC")
    boot = config.boot
    for placeholder in check(chosen(overrides, config, "boot.cmd")):
        if placeholder == "dtbs" and boot.dtbs:
            yield Ask(f"{boot.dtbs}/FDTFILE", False, "else it goes on with the firmware's own")
        elif placeholder == "kernel":
            yield Ask(boot.kernel or "KERNEL")
        elif placeholder == "initramfs":
            yield Ask(boot.initramfs or "INITRAMFS")


def _pc(config: NodeConfig) -> Iterator[Ask]:
    """iPXE itself, for a firmware that isn't."""
    if config.boot.arch == LOADED:
        yield Ask(BIOS, False, "a BIOS, unless its card has iPXE")
        yield Ask(UEFI, False, "an UEFI, unless its card has iPXE")


def _system(kernel: str, initramfs: str) -> tuple[Ask, ...]:
    return Ask(kernel or "KERNEL"), Ask(initramfs or "INITRAMFS")


def _pi(model: pi.Model, config: str, names: frozenset[str]) -> Iterator[Ask]:
    found = pi.loads(config, model, names)
    if model == "pi3":
        yield Ask("bootcode.bin")
        yield Ask("SERIAL/start.elf", False, _PROBE)
        yield from (Ask("config.txt"), Ask("start.elf"), Ask("fixup.dat"))
    elif model == "pi4":
        yield Ask("SERIAL/start4.elf", False, _PROBE)
        yield from (Ask("config.txt"), Ask("start4.elf"), Ask("fixup4.dat"))
    else:
        yield Ask("SERIAL/config.txt", False, _PROBE)
        yield Ask("config.txt")
    before = found.prefix
    yield Ask(found.initramfs or "INITRAMFS")
    yield Ask(before + _TREES[model], note="of the B; other boards of the family have their own")
    shared = "" if f"{before}overlays/README" not in names else before
    yield Ask(shared + "overlays/overlay_map.dtb", False, "and the overlays config.txt names")
    yield Ask(found.cmdline)
    yield Ask(found.kernel)
