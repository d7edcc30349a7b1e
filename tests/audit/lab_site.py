"""A small healthy site on a real disk, with every kind of node, and ways to spoil it."""

from __future__ import annotations

import gzip
import json
import os
import struct
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.observe import observe
from sbctui.engine.audit.plan import findings
from sbctui.engine.boot.foresee import foresee
from sbctui.engine.boot.known import Known
from sbctui.engine.boot.render import render
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Facts, Site
from sbctui.engine.nodefile import write_config
from sbctui.engine.reconcile import reconcile
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.port import Status
from sbctui.engine.siteinit import init_site
from sbctui.engine.store import Store
from tests.boot.initrds import VERSION, WHOLE, cpio
from tests.boot.test_boot_detect import kernel

SIZE = 64 * 1024
MADE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
SETTINGS = Settings.model_validate(
    {
        "network": {
            "interface": "lab0",
            "subnet": "10.77.0.0/24",
            "pool": {"first": "10.77.0.50", "last": "10.77.0.250"},
            "server": "10.77.0.1",
        }
    }
)
KERNEL = kernel() + f"Linux version {VERSION} (gcc)".encode()
INITRAMFS = gzip.compress(cpio(WHOLE))
BOOT = BootSpec(kernel="vmlinuz", initramfs="initrd.img", arch="arm64")


def mac(number: int) -> str:
    return f"dc:a6:32:01:02:{number:02x}"


PI1, PI2, OVER, GAMMA, FREE = mac(1), mac(2), mac(3), mac(4), mac(0x77)
L1, L2, LOVER = dashed(PI1), dashed(PI2), dashed(OVER)


def qcow2_header(size: int) -> bytes:
    return struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, size).ljust(512, b"\0")


def root(name: str, **more: Any) -> NodeConfig:
    disk = DiskSpec(size=SIZE, filesystem="ext4")
    return NodeConfig(kind="root", name=name, created=MADE, disk=disk, boot=BOOT, **more)


def leaf(address: str, parent: str, ip: str, disk: DiskSpec | None = None, **more: Any) -> Any:
    return NodeConfig(
        kind="leaf",
        name=dashed(address),
        mac=address,
        ip=IPv4Address(ip),
        ip_rule="next",
        parent=parent,
        cloned_from=parent,
        created=MADE,
        disk=disk or DiskSpec(size=SIZE, filesystem="ext4"),
        boot=BOOT,
        **more,
    )


def nodes() -> tuple[NodeConfig, ...]:
    overlay = DiskSpec(format="qcow2", size=SIZE, base="beta", base_made=MADE)
    return (
        root("alpha", children={PI1: L1, PI2: L2}),
        leaf(PI1, "alpha", "10.77.0.61", alias="pi-01"),
        leaf(PI2, "alpha", "10.77.0.62"),
        root("beta", children={OVER: LOVER}),
        leaf(OVER, "beta", "10.77.0.63", overlay, alias="pi-03", store="overlay"),
        root("gamma", mac=GAMMA, ip=IPv4Address("10.77.0.64"), ip_rule="explicit"),
        root("delta"),
    )


@dataclass
class LabSite:
    """The folder, and the facts that a running site would have."""

    path: Path
    facts: Facts = field(default_factory=lambda: Facts(now=time.time(), serving=True))
    status: tuple[Status, ...] = ()

    def load(self) -> Site:
        return Store(self.path).load().with_facts(replace(self.facts, now=time.time()))

    def audit(self) -> tuple[Finding, ...]:
        site = self.load()
        known = Known(self.path, None, read_only=True)
        booting = foresee(site, known, threading.Event())
        return findings(site, observe(site, self.status, booting))

    def apply(self) -> None:
        reconcile(self.load(), SiteControl(self.path))

    def file(self, name: str) -> Path:
        return self.path / name

    def node(self, name: str) -> Path:
        return self.path / "nodes" / name

    def edit(self, folder: str, **changes: Any) -> None:
        """Change a config as a person with an editor would; ``a__b`` is b inside a."""
        path = self.node(folder) / "config.json"
        raw = json.loads(path.read_bytes())
        for key, value in changes.items():
            *outer, last = key.split("__")
            place = raw
            for step in outer:
                place = place[step]
            place[last] = value
        path.write_text(json.dumps(raw, indent=2))

    def children(self, folder: str, **more: str | None) -> None:
        """Add to a root's children, or with None take away; the keys are MACs."""
        path = self.node(folder) / "config.json"
        raw = json.loads(path.read_bytes())
        for key, child in more.items():
            if child is None:
                del raw["children"][key]
            else:
                raw["children"][key] = child
        path.write_text(json.dumps(raw, indent=2))

    def put(self, config: NodeConfig) -> None:
        """Make a node's folder, whole."""
        folder = self.node(config.name)
        (folder / "boot").mkdir(parents=True)
        (folder / "boot/vmlinuz").write_bytes(KERNEL)
        (folder / "boot/initrd.img").write_bytes(INITRAMFS)
        for name, data in render(config, SETTINGS).items():
            (folder / "boot" / name).parent.mkdir(exist_ok=True)
            (folder / "boot" / name).write_bytes(data)
        with open(folder / config.disk.file, "wb") as disk:
            if config.disk.format == "qcow2":
                disk.write(qcow2_header(config.disk.size))
            else:
                disk.truncate(config.disk.size)
        write_config(folder, config)


def trashed(ago: timedelta, name: str) -> str:
    when = datetime.now(UTC) - ago
    return f"{when:%Y%m%dT%H%M%S}{when.microsecond // 1000:03d}Z-{name}"


def make(path: Path) -> LabSite:
    init_site(path, SETTINGS)
    lab = LabSite(path)
    for config in nodes():
        lab.put(config)
    lab.put(root("old"))
    lab.node("old").rename(path / "trash" / trashed(timedelta(days=1), "old"))
    lab.apply()
    return lab


def back_date(path: Path, seconds: float = 3600) -> None:
    when = time.time() - seconds
    os.utime(path, (when, when), follow_symlinks=False)
