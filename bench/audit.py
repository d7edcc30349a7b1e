"""Loading and auditing 10,000 nodes, beside reading and parsing the same JSON with pydantic alone.

Prints one table; exits 1 when a load takes more than 3 times the parsing, or an audit more than
2 times the load. Each figure is the fastest of several runs, taken in turn. The audit is all of
it: the look at every folder, derived file and boot file, and every check. In the second audit
site.toml is newer than all boot files, so that each of them is rendered and compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sbctui.engine.audit.observe import observe
from sbctui.engine.audit.plan import findings
from sbctui.engine.boot.render import render
from sbctui.engine.engine import init_site
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Site
from sbctui.engine.reconcile import reconcile
from sbctui.engine.services.control import SiteControl
from sbctui.engine.store import Store

ROOTS, LEAVES = 100, 99
RUNS = 5
PARSE_LIMIT, LOAD_LIMIT = 3.0, 2.0
MADE = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = IPv4Address("10.1.0.1")
BOOT = BootSpec(kernel="vmlinuz", initramfs="initrd.img", arch="arm64")
SETTINGS = Settings.model_validate(
    {
        "network": {
            "interface": "lab0",
            "subnet": "10.0.0.0/8",
            "pool": {"first": "10.1.0.1", "last": "10.1.255.250"},
            "server": "10.0.0.1",
        }
    }
)


def make_site(path: Path) -> None:
    """100 roots with 99 leaves each, all with their boot and derived files."""
    init_site(path, SETTINGS)
    for number in range(ROOTS):
        name = f"root-{number:03}"
        macs = [f"dc:a6:32:00:{number:02x}:{leaf:02x}" for leaf in range(LEAVES)]
        root = NodeConfig(
            kind="root",
            name=name,
            created=MADE,
            disk=DiskSpec(size=1 << 30, filesystem="ext4"),
            boot=BOOT,
            children={mac: dashed(mac) for mac in macs},
        )
        put(path, root)
        for leaf, mac in enumerate(macs):
            ip = FIRST + (number * LEAVES + leaf)
            put(path, leaf_of(root, mac, ip))
    reconcile(Store(path).load(), SiteControl(path))


def leaf_of(root: NodeConfig, mac: str, ip: IPv4Address) -> NodeConfig:
    return NodeConfig(
        kind="leaf",
        name=dashed(mac),
        mac=mac,
        ip=ip,
        ip_rule="next",
        parent=root.name,
        created=MADE,
        cloned_from=root.name,
        store="reflink",
        promise="clean",
        personalised=("hostname", "machine_id", "ssh_host_key"),
        disk=root.disk,
        boot=BOOT,
    )


def put(site: Path, config: NodeConfig) -> None:
    folder = site / "nodes" / config.name
    (folder / "boot" / "pxelinux.cfg").mkdir(parents=True)
    for name in ("vmlinuz", "initrd.img"):
        (folder / "boot" / name).touch()
    for name, data in render(config, SETTINGS).items():
        (folder / "boot" / name).write_bytes(data)
    with open(folder / config.disk.file, "wb") as disk:
        disk.truncate(config.disk.size)
    (folder / "config.json").write_bytes(config.to_json())


def parse(site: Path) -> None:
    """What nobody can do without: open, read, validate."""
    for name in os.listdir(site / "nodes"):
        with open(f"{site}/nodes/{name}/config.json", "rb") as file:
            NodeConfig.model_validate_json(file.read())


def audit(site: Site) -> None:
    found = findings(site, observe(site))
    assert not found, found[:3]


def served(site: Site) -> Site:
    return site.with_facts(replace(site.facts, serving=True, now=time.time()))


def fastest(*actions: Callable[[], Any]) -> list[float]:
    """Seconds of each action: the fastest of several rounds."""
    rounds: list[list[float]] = []
    for _ in range(RUNS):
        row: list[float] = []
        for action in actions:
            began = time.perf_counter()
            action()
            row.append(time.perf_counter() - began)
        rounds.append(row)
    return [min(column) for column in zip(*rounds, strict=True)]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site"
        make_site(path)
        os.utime(path / "site.toml", (0, 0))
        site = served(Store(path).load())
        bare, load, look = fastest(
            lambda: parse(path), lambda: Store(path).load(), lambda: audit(site)
        )
        os.utime(path / "site.toml")
        (exact,) = fastest(lambda: audit(site))
    print(f"{ROOTS * (LEAVES + 1):,} nodes                       seconds   ratio   limit")
    print(f"read and parse with pydantic alone  {bare:7.2f}")
    print(f"Store.load                          {load:7.2f}   {load / bare:5.2f}   {PARSE_LIMIT}")
    print(f"audit                               {look:7.2f}   {look / load:5.2f}   {LOAD_LIMIT}")
    print(f"audit, every boot file rendered     {exact:7.2f}   {exact / load:5.2f}   -")
    return int(load > PARSE_LIMIT * bare or look > LOAD_LIMIT * load)


if __name__ == "__main__":
    sys.exit(main())
