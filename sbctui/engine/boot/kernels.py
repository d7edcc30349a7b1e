"""What kernel a node loads, which initramfs fit it, and whether the site's own are the newest."""

from __future__ import annotations

import filecmp
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.boot.detect import architecture, detect, initramfs_for, kernel_version
from sbctui.engine.boot.pi import PI_KERNELS
from sbctui.engine.boot.release import release
from sbctui.engine.boot.rootdisk import RootDisk
from sbctui.engine.bootkit.arch import image_name, image_version, of_boot
from sbctui.engine.bootkit.kits import initrd, kit
from sbctui.engine.model.node import DISK_FILES, BootSpec
from sbctui.engine.model.requests import Kernel
from sbctui.engine.model.site import BOOT, Site


@dataclass(frozen=True, slots=True)
class Older:
    """A node that has an earlier build of the site's own initramfs in ``boot/`` as ``file``."""

    node: str
    root: str
    file: str


@dataclass(frozen=True, slots=True)
class Fitting:
    """A kernel in ``boot/``: its file, its processor as config.json and as Debian have it, its

    version; empty where that can't be told.
    """

    kernel: str
    boot_arch: str
    version: str

    @property
    def arch(self) -> str:
        """Debian's name of the processor, empty for one that nothing is built for."""
        return of_boot(self.boot_arch)

    def with_kit(self, boot: BootSpec) -> BootSpec:
        """What is loaded with the site's own initramfs instead of what is in ``boot``."""
        changes = {
            "kernel": self.kernel,
            "arch": self.boot_arch,
            "initramfs": image_name(self.version),
        }
        return boot.model_copy(update=changes)


def look_at_kernel(site: Site, name: str, stop: threading.Event) -> Kernel:
    """What there is for the kernel of a node, whose leaves are looked at too. Raises OSError."""
    config = site.nodes[name].config
    folder = site.node_path(name) / BOOT
    found = fitting(folder, config.boot, RootDisk(raw_disk(site, name), stop))
    able = bool(found.arch and found.version)
    built = kit(site.path, found.arch, found.version) if able else None
    family = (name, *config.children.values())
    return Kernel(
        arch=found.arch,
        version=found.version,
        own=_own(folder, config.boot),
        site=found.with_kit(config.boot) if able else None,
        kit=built.manifest.sha256 if built and built.manifest else "",
        current=tuple(_current(site, family, found)) if built else (),
    )


def _own(folder: Path, boot: BootSpec) -> BootSpec | None:
    """What is loaded without the site's own initramfs."""
    if boot.kernel in PI_KERNELS:
        return detect(folder)
    initramfs = initramfs_for(folder, kernel_version(boot.kernel))
    return boot.model_copy(update={"initramfs": initramfs}) if initramfs else None


def fitting(folder: Path, boot: BootSpec, root: RootDisk) -> Fitting:
    """The kernel that a board loads, or would load with another initramfs. Raises OSError.

    An image for a Raspberry Pi alone may have it under the firmware's own name only.
    """
    for kernel in (boot.kernel,) if boot.kernel else PI_KERNELS:
        path = folder / kernel
        if path.is_file():
            boot_arch = boot.arch if boot.kernel else architecture(path)
            return Fitting(kernel, boot_arch, release(path) or root.only_version())
    return Fitting(boot.kernel, "", "")


def raw_disk(site: Site, name: str) -> Path:
    """A node's own raw disk, or the one that its overlay stands on."""
    base = site.nodes[name].config.disk.base
    return site.node_path(base) / DISK_FILES["raw"] if base else site.disk_path(name)


def _current(site: Site, names: Iterable[str], found: Fitting) -> Iterator[str]:
    newest = initrd(site.path, found.arch, found.version)
    file = image_name(found.version)
    return (n for n in names if same_file(site.node_path(n) / BOOT / file, newest))


def older_kits(site: Site, names: Iterable[str]) -> Iterator[Older]:
    """Of these nodes those that load the site's own initramfs, and not the one built last."""
    for name in names:
        config = site.nodes[name].config
        version, arch = image_version(config.boot.initramfs), of_boot(config.boot.arch)
        if not version or not arch:
            continue
        newest = initrd(site.path, arch, version)
        own = site.node_path(name) / BOOT / config.boot.initramfs
        if newest.is_file() and own.is_file() and not same_file(own, newest):
            yield Older(name, config.parent or name, config.boot.initramfs)


def same_file(one: Path, other: Path) -> bool:
    """Whether both are one file, or (where no more links were possible) copies of it."""
    try:
        a, b = one.stat(), other.stat()
    except OSError:
        return False
    if os.path.samestat(a, b):
        return True
    return a.st_size == b.st_size and filecmp.cmp(one, other, shallow=False)
