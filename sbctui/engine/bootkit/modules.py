"""Which of a kernel's modules a board needs until it has its root, and they as files."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Protocol

from sbctui.engine import commands
from sbctui.engine.bootkit import cpio
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import remove_tree

DEPENDENCIES = "modules.dep"
LISTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")
"""What depmod wants to know beside the modules themselves."""

_WHOLE = (
    "drivers/bus", "drivers/clk", "drivers/dma", "drivers/extcon", "drivers/firmware",
    "drivers/gpio", "drivers/hwspinlock", "drivers/i2c/busses", "drivers/i2c/muxes",
    "drivers/interconnect", "drivers/iommu", "drivers/mailbox", "drivers/mfd", "drivers/net/dsa",
    "drivers/net/ethernet", "drivers/net/mdio", "drivers/net/pcs", "drivers/net/phy",
    "drivers/net/usb", "drivers/nvmem", "drivers/pci/controller", "drivers/phy",
    "drivers/pinctrl", "drivers/pmdomain", "drivers/regulator", "drivers/reset", "drivers/soc",
    "drivers/spi", "drivers/spmi", "drivers/usb/chipidea", "drivers/usb/common",
    "drivers/usb/dwc2", "drivers/usb/dwc3", "drivers/usb/host", "drivers/usb/musb",
    "drivers/usb/phy", "drivers/usb/roles", "drivers/usb/typec", "drivers/virtio", "net/dsa",
)  # fmt: skip
"""Folders of drivers that an Ethernet card of some board hangs on, the card's own included."""
_LEFT_OUT = (
    "amazon", "brocade", "cavium/liquidio", "chelsio", "emulex", "fungible", "huawei", "mellanox",
    "microsoft", "netronome", "pensando", "qlogic", "sfc", "broadcom/bnx2x", "broadcom/bnxt",
    "intel/ice", "intel/i40e", "intel/iavf", "intel/fm10k",
)  # fmt: skip
"""Folders of drivers/net/ethernet with cards of large servers, a third of all by size."""
FILESYSTEMS = ("ext4", "xfs", "btrfs", "f2fs")
"""What a root may be made of."""
CHECKSUMS = ("xxhash_generic", "sha256_generic", "blake2b_generic")
"""Those of btrfs that mkfs.btrfs can be told to use; the kernel asks for them by alias."""
_NAMES = frozenset(
    {"nbd", "af_packet", "unix", "ipv6", "virtio_net", "failover", "net_failover",
     "crc32c_generic", "crc32c-intel", "crc32c", "libcrc32c", "crc32_generic", "hv_netvsc",
     *FILESYSTEMS, *CHECKSUMS}
)  # fmt: skip
_TABLES = ("modules.dep", "modules.alias", "modules.symbols", "modules.builtin")
"""What busybox's modprobe reads."""
_FILE = re.compile(r"[A-Za-z0-9_,.+-]+(?:/[A-Za-z0-9_,.+-]+)*")


class Kernel(Protocol):
    """Where a kernel's modules come from; paths are relative to /lib/modules/``version``."""

    version: str
    about: str
    """Whose kernel it is, for messages and the manifest."""

    def lists(self) -> Mapping[str, bytes]:
        """``modules.dep`` and those of LISTS that are there."""

    def modules(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The content of each of these files."""


@dataclass(frozen=True, slots=True)
class Modules:
    """``entries`` for the archive; ``names`` of the modules, sorted."""

    entries: Mapping[str, cpio.Entry]
    names: tuple[str, ...]


def gather(kernel: Kernel, scratch: Path, stop: Event | None, log: commands.Log | None) -> Modules:
    """The modules of a kernel that a board needs, unpacked, with modprobe's tables.

    Raises Refused when it can have no network block device.
    """
    lists = kernel.lists()
    wanted = choose(lists[DEPENDENCIES].decode(errors="replace"))
    built_in = lists.get("modules.builtin", b"").decode(errors="replace")
    if not any(_name(line) == "nbd" for line in (*wanted, *built_in.splitlines())):
        raise Refused(
            f"the kernel {kernel.version} of {kernel.about} has no nbd module, so no board can "
            "have its disk over the network; install the package with all of its modules"
        )
    top = scratch / "modules"
    base = top / "lib/modules" / kernel.version
    try:
        base.mkdir(parents=True)
        for name in LISTS:
            (base / name).write_bytes(lists.get(name, b""))
        for path, data in kernel.modules(wanted):
            _place(base / path, data)
        packed = sorted(base.rglob("*.zst"))
        if packed:
            commands.run(["zstd", "-dq", "--rm", *packed], stop=stop, log=log)
        commands.run(["depmod", "-b", top, kernel.version], stop=stop, log=log)
        return Modules(dict(_entries(base, kernel.version)), tuple(sorted(map(_name, wanted))))
    finally:
        remove_tree(top)


def choose(dependencies: str) -> tuple[str, ...]:
    """Of the modules that ``modules.dep`` tells of: what a board needs, and what that needs."""
    needs: dict[str, list[str]] = {}
    for line in dependencies.splitlines():
        path, _, rest = line.partition(":")
        if _FILE.fullmatch(path) and ".." not in path:
            needs[path] = rest.split()
    found: set[str] = set()
    waiting = [path for path in needs if _is_wanted(path)]
    while waiting:
        path = waiting.pop()
        if path not in found and path in needs:
            found.add(path)
            waiting += needs[path]
    return tuple(sorted(found))


def _is_wanted(path: str) -> bool:
    inner = path.removeprefix("kernel/")
    if _name(path) in _NAMES:
        return True
    if "/crypto/" in path and "crc32" in _name(path):
        return True
    if any(inner.startswith(f"drivers/net/ethernet/{vendor}/") for vendor in _LEFT_OUT):
        return False
    return any(inner.startswith(f"{folder}/") for folder in _WHOLE)


def _name(path: str) -> str:
    return PurePosixPath(path).name.partition(".ko")[0]


def _place(path: Path, data: bytes) -> None:
    """Write a module, unpacked where that needs no program: the archive is packed as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if path.suffix == ".xz":
            path, data = path.with_suffix(""), lzma.decompress(data)
        elif path.suffix == ".gz":
            path, data = path.with_suffix(""), gzip.decompress(data)
    except (lzma.LZMAError, OSError, EOFError) as error:
        raise BadInput(f"the module {path.name} is damaged: {error}") from error
    path.write_bytes(data)


def _entries(base: Path, version: str) -> Iterator[tuple[str, cpio.Entry]]:
    for path in base.rglob("*"):
        inner = path.relative_to(base)
        if path.is_file() and (path.suffix == ".ko" or str(inner) in _TABLES):
            yield f"lib/modules/{version}/{inner}", cpio.file(path.read_bytes())
