"""Sites made by hand, in memory, for tests of what is pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Disk, Facts, Node, Site, Stamp

GIB = 1024**3
MADE = datetime(2026, 1, 2, tzinfo=UTC)
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
FACTS = Facts(
    now=1_790_000_000.0,
    total_bytes=100 * GIB,
    free_bytes=50 * GIB,
    free_inodes=1_000_000,
    store="overlay",
    filesystem="ext4",
)


def mac(number: int) -> str:
    return f"dc:a6:32:00:{number >> 8:02x}:{number & 255:02x}"


def root(name: str, **changes: Any) -> Node:
    config = NodeConfig(
        kind="root", name=name, disk=DiskSpec(size=2 * GIB, filesystem="ext4"), created=MADE
    )
    return node(config.model_copy(update=changes))


def leaf(number: int, parent: str, **changes: Any) -> Node:
    address = mac(number)
    config = NodeConfig(
        kind="leaf",
        name=dashed(address),
        mac=address,
        parent=parent,
        disk=DiskSpec(format="qcow2", size=2 * GIB, base=parent, base_made=MADE),
        created=MADE,
    )
    return node(config.model_copy(update=changes))


def node(config: NodeConfig) -> Node:
    return Node(config, Disk(config.disk.size, GIB // 2, 0.0), Stamp(1, 1, 1))


def site(*nodes: Node, settings: Settings = SETTINGS, **facts: Any) -> Site:
    return Site(
        path=Path("/srv/lab"),
        settings=settings,
        generation=8,
        nodes={n.name: n for n in nodes},
        facts=replace(FACTS, **facts),
    )


def family(count: int, name: str = "debian12") -> tuple[Node, ...]:
    """A root with ``count`` listed overlay leaves."""
    children = {mac(i): dashed(mac(i)) for i in range(1, count + 1)}
    return (root(name, children=children), *(leaf(i, name) for i in range(1, count + 1)))
