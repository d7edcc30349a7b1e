"""Whether a board could have its root over the network with a node's files: before it tries."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from sbctui.engine.boot import pi
from sbctui.engine.boot.asks import Firmware, kinds
from sbctui.engine.boot.detect import architecture, kernel_version
from sbctui.engine.boot.initramfs import Lack, Place, System, initramfs_lacks, remedy_for
from sbctui.engine.boot.kernels import older_kits, raw_disk
from sbctui.engine.boot.loaders import LOADED, LOADERS, PACKAGE
from sbctui.engine.boot.rootdisk import RootDisk
from sbctui.engine.boot.served import BootFolder, look, pi_config, served
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean

_STARTS: dict[Firmware, tuple[str, ...]] = {
    "u-boot": ("arm", "arm64", "riscv"),
    "pi3": ("arm", "arm64"),
    "pi4": ("arm", "arm64"),
    "pi5": ("arm64",),
    "ipxe": ("x86", "arm64"),
}
"""Kind of firmware → processors whose kernels a board with it can run."""


def check(
    site: Site, name: str, firmware: Firmware | None = None, *, stop: threading.Event
) -> tuple[Lack, ...]:
    """What stands between a node and a board that runs from it, worst first.

    Only for one kind of firmware if it is named. Raises BadInput for a template that can't be
    used, ToolMissing, Cancelled, OSError.
    """
    folder = look(site, name)
    wanted = (firmware,) if firmware else kinds(folder.config, folder.names)
    root = RootDisk(raw_disk(site, name), stop)
    found = [
        *_systems(folder, root, wanted, stop),
        *_processor(site, name, folder, wanted),
        *_firmware(site, name, folder, wanted),
        *_trees(folder, root, wanted),
        *_loaders(folder, wanted),
        *_older_kit(site, name),
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda lack: not lack.stops))


def initramfs_faults(folder: BootFolder, disk: Path, stop: threading.Event) -> tuple[Lack, ...]:
    """Why no initramfs of a boot folder can put a root on NBD; empty where all can.

    Raises ToolMissing, Cancelled, OSError.
    """
    wanted = kinds(folder.config, folder.names)
    found = _systems(folder, RootDisk(disk, stop), wanted, stop)
    return tuple(dict.fromkeys(lack for lack in found if lack.part != "kernel"))


def _loaded(folder: BootFolder, firmware: Firmware) -> System:
    if firmware in ("u-boot", "ipxe"):
        return System(folder.config.boot.kernel, folder.config.boot.initramfs)
    found = pi.loads(pi_config(folder), firmware, folder.names)  # type: ignore[arg-type]
    return System(found.kernel, found.initramfs)


def _systems(
    folder: BootFolder,
    root: RootDisk,
    wanted: tuple[Firmware, ...],
    stop: threading.Event,
) -> Iterator[Lack]:
    config = folder.config
    holds = root.filesystem() or config.disk.filesystem
    place = Place(folder.path, config.parent or config.name, config.boot, holds)
    for system in _each_system(folder, wanted):
        if not system.kernel or not (folder.path / system.kernel).is_file():
            yield Lack(
                "kernel",
                system.kernel or "vmlinuz",
                "there is no kernel to load",
                "put one into /boot of the root before it is imported, or into its boot folder",
            )
        if not system.initramfs or not (folder.path / system.initramfs).is_file():
            file = system.initramfs or "initrd.img"
            remedy = remedy_for(place, root)
            why = "there is no initramfs, and only that can put the root on NBD"
            yield Lack("initramfs", file, why, remedy)
        else:
            yield from initramfs_lacks(place, root, system, stop=stop)


def _each_system(folder: BootFolder, wanted: tuple[Firmware, ...]) -> tuple[System, ...]:
    """What each kind of firmware loads; an image for one alone needs nothing for the others."""
    found = tuple(dict.fromkeys(_loaded(folder, kind) for kind in wanted))
    there = tuple(one for one in found if one.kernel and (folder.path / one.kernel).is_file())
    return found if len(wanted) == 1 else there or found


def _processor(
    site: Site, name: str, folder: BootFolder, wanted: tuple[Firmware, ...]
) -> Iterator[Lack]:
    for kind in wanted:
        system = _loaded(folder, kind)
        path = folder.path / system.kernel
        if not system.kernel or not path.is_file():
            continue
        arch = architecture(path)
        if not arch:
            why = f"{system.kernel} is no kernel of a known kind"
            yield Lack("processor", system.kernel, why, "put another into the boot folder", False)
        elif arch not in _STARTS[kind]:
            why = f"{system.kernel} is for {arch}, and {kind} boards run {_list(_STARTS[kind])}"
            yield Lack("processor", system.kernel, why, "take a root for this kind of board")
        elif arch == "x86" and (site.nodes[name].config.mac or "").startswith(pi.VENDOR):
            mac = site.nodes[name].config.mac
            why = f"{system.kernel} is for {arch}, and {mac} is a Raspberry Pi"
            yield Lack("processor", system.kernel, why, "take a root for this kind of board")


def _list(names: tuple[str, ...]) -> str:
    return " or ".join(names)


def _firmware(
    site: Site, name: str, folder: BootFolder, wanted: tuple[Firmware, ...]
) -> Iterator[Lack]:
    models = [kind for kind in wanted if kind in pi.MODELS]
    if models and site.settings.network.server is None:
        why = "a Raspberry Pi's command line needs this server's address, and none is set"
        yield Lack("settings", "cmdline.txt", why, "sbctui site init --server ADDRESS")
    for kind in models:
        cmdline = pi.loads(pi_config(folder), kind, folder.names).cmdline
        if cmdline != pi.CMDLINE:
            why = f"config.txt takes {shown(cmdline)}: the command line there is not ours"
            remedy = "write cmdline=/cmdline.txt at the end of templates/config.txt"
            yield Lack("firmware", clean(cmdline), why, remedy)
        for one in served(site, name, kind):
            for given in one.files:
                if given.missing and given.ask.name not in _named(folder, kind):
                    why = f"a {kind} asks for it, and it is not there"
                    remedy = "import an image of Raspberry Pi OS, or put it into the boot folder"
                    yield Lack("firmware", given.ask.name, why, remedy)


def _named(folder: BootFolder, kind: Firmware) -> set[str]:
    """What has been said of a kernel and an initramfs that are missing already."""
    system = _loaded(folder, kind)
    return {system.kernel, system.initramfs, "KERNEL", "INITRAMFS"}


def _loaders(folder: BootFolder, wanted: tuple[Firmware, ...]) -> Iterator[Lack]:
    """iPXE may also be in the board's card, and needs none of these then."""
    if "ipxe" not in wanted or folder.config.boot.arch != LOADED:
        return
    for name, target in LOADERS.items():
        if not (folder.path / name).exists() and not Path(target).exists():
            why = f"firmware without iPXE asks for it, and {target} is not there"
            yield Lack("boot program", name, why, f"apt-get install {PACKAGE}", stops=False)


def _trees(folder: BootFolder, root: RootDisk, wanted: tuple[Firmware, ...]) -> Iterator[Lack]:
    boot = folder.config.boot
    if "u-boot" not in wanted or boot.arch not in ("arm", "arm64", "riscv"):
        return
    if boot.dtbs and any((folder.path / boot.dtbs).rglob("*.dtb")):
        return
    version = kernel_version(boot.kernel)
    place = root.has_trees(version) if version else ""
    where = f"; they are in the root at {place}" if place else ""
    yield Lack(
        "device trees",
        boot.dtbs or f"dtbs/{version}".rstrip("/"),
        f"there are none{where}: U-Boot goes on with its own, which does for some boards only",
        f"copy {place} to dtbs/{version} in the boot folder" if place
        else "put them into /boot/dtbs of the root before it is imported",
        stops=False,
    )  # fmt: skip


def _older_kit(site: Site, name: str) -> Iterator[Lack]:
    for older in older_kits(site, [name]):
        yield Lack(
            "bootkit",
            older.file,
            "the site's own initramfs was built again since, and this is the one before",
            f"take the new one: sbctui boot use {older.root} --initramfs bootkit",
            stops=False,
        )
