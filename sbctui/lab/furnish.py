"""What a new lab holds: a site with two roots, leaves, and the boards that show something each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sbctui.engine.bootkit.cpio import archive, file
from sbctui.engine.disks.create import inspect_source
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import SbcError
from sbctui.engine.model.requests import CreateLeaves, CreateRoot, LeafSpec, Request
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.control import start_services
from sbctui.lab.spec import Spec

SUBNET, SERVER = "10.77.0.0/24", "10.77.0.1"
_LOOPBACK, _LOOPBACK_SERVER = "127.77.0.0/24", "127.77.0.1"
_DISK = 64 << 20
_VERSION = "6.1.0-lab-arm64"
_KERNEL, _INITRAMFS = 2 << 20, 3 << 20
_ROOT = "debian"
Say = Callable[[str], None]

BOARDS = (
    Spec("dc:a6:32:77:00:01", "boots from its leaf and works"),
    Spec("dc:a6:32:77:00:02", "boots from its leaf and works"),
    Spec("dc:a6:32:77:00:03", "has a leaf and is switched off", on=False),
    Spec("dc:a6:32:77:00:04", "gets stuck after its kernel is loaded", hangs=True),
    Spec("dc:a6:32:77:00:05", "wants a file that its root lacks", "pi", serial=0x77000005),
    Spec("02:00:00:77:00:06", "asks, and nobody knows it"),
    Spec("dc:a6:32:77:00:07", "asks, and nobody knows it: a Raspberry Pi 4", "pi",
         serial=0x77000007),
    Spec("02:00:00:77:00:08", "is new, and switched off", on=False),
)  # fmt: skip
"""The simulated boards."""
_WITH_LEAF = 5
"""So many of them, from the first on, have leaves."""


def furnish(site: Path, scratch: Path, interface: str, port: int, say: Say) -> tuple[Spec, ...]:
    """Make a site on ``scratch``'s file system and start its services; the boards for it.

    Without an interface all is on the loopback. Raises SbcError.
    """
    boards, leaves = _chosen(interface)
    say("the site")
    init_site(site, _settings(interface, port))
    engine = Engine(site)
    say(f"the root {_ROOT} and {len(leaves)} leaves")
    tree = _tree(scratch / "tree")
    _do(
        engine,
        CreateRoot(
            name=_ROOT,
            size=_DISK,
            source=inspect_source(tree),
            notes="a stand-in: a file system and boot files, no system in it",
        ),
    )
    _do(engine, CreateLeaves(root=_ROOT, leaves=leaves))
    say("the services")
    start_services(site)
    if interface:
        return boards
    exports = str(site / "derived" / "exports")
    return tuple(replace(spec, exports=exports, port=port) for spec in boards)


def _chosen(interface: str) -> tuple[tuple[Spec, ...], tuple[LeafSpec, ...]]:
    """The boards, and leaves for some. Without DHCP and TFTP a Raspberry Pi has nothing to show."""
    boards = tuple(spec for spec in BOARDS if interface or spec.firmware != "pi")
    leaves = tuple(
        LeafSpec(mac=spec.mac, alias=f"lab-{n:02}", group=_group(spec))
        for n, spec in enumerate(BOARDS[:_WITH_LEAF], 1)
        if spec in boards
    )
    return boards, leaves


def _group(spec: Spec) -> str:
    return "works" if "works" in spec.label else ""


def _settings(interface: str, port: int) -> Settings:
    subnet, server = (SUBNET, SERVER) if interface else (_LOOPBACK, _LOOPBACK_SERVER)
    before = server.rpartition(".")[0]
    pool = {"first": f"{before}.50", "last": f"{before}.99"}
    network = {"interface": interface, "subnet": subnet, "server": server, "nbd_port": port}
    return Settings.model_validate({"network": {**network, "pool": pool, "lease_seconds": 600}})


def _do(engine: Engine, request: Request) -> None:
    """Plan and do it. Raises SbcError, also when a part of it failed."""
    report = engine.apply(engine.plan(request))
    failed = report.of("failed")
    if report.code:
        raise SbcError(failed[0].error if failed else report.error)


def _tree(folder: Path) -> Path:
    """A root file system as small as can be: what boards fetch is as large as usual in kind."""
    for name in ("boot", "etc", "root", "srv"):
        (folder / name).mkdir(parents=True)
    written: Sequence[tuple[str, bytes]] = (
        ("etc/hostname", b"debian\n"),
        ("etc/fstab", b"/dev/mmcblk0p2 / ext4 defaults 0 1\n"),
        ("etc/os-release", b'ID=debian\nPRETTY_NAME="A root without a system, for the lab"\n'),
        (f"boot/vmlinuz-{_VERSION}", _kernel()),
        (f"boot/initrd.img-{_VERSION}", _initramfs()),
    )
    for name, data in written:
        (folder / name).write_bytes(data)
    return folder


def _initramfs() -> bytes:
    """One that the boot check finds fit for NBD, as large as usual in kind."""
    builtin = b"kernel/drivers/block/nbd.ko\nkernel/fs/ext4/ext4.ko\n"
    inside = {
        "usr/sbin/nbd-client": os.urandom(_INITRAMFS),
        "scripts/local-top/nbd": b"",
        f"lib/modules/{_VERSION}/modules.builtin": builtin,
    }
    return archive({path: file(data) for path, data in inside.items()}, 0)


def _kernel() -> bytes:
    """Something that every tool takes for an arm64 kernel (Documentation/arch/arm64/booting)."""
    head = bytearray(64)
    head[56:60] = b"ARM\x64"
    return bytes(head) + os.urandom(_KERNEL - len(head))
