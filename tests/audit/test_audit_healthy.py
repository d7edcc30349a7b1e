"""Random healthy sites have no findings, whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.plan import findings
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.site import Disk, Facts, Lease, Node, Session, Site, Stamp, Trashed
from tests.audit.lab_site import SETTINGS

NOW = datetime(2026, 5, 1, tzinfo=UTC)
FIRST = IPv4Address("10.77.0.2")


def _node(config: NodeConfig, apparent: int | None = None) -> Node:
    size = config.disk.size if apparent is None else apparent
    return Node(config, Disk(size, size // 2, 0.0), Stamp(1, 1, 1))


@st.composite
def healthy(draw: st.DrawFn) -> Site:
    """Roots with and without leaves, of every disk kind, allocated or not; leases, sessions."""
    nodes: dict[str, Node] = {}
    ips = iter(draw(st.permutations(range(200))))
    numbers = iter(draw(st.permutations(range(64))))
    leases: list[Lease] = []
    sessions: list[Session] = []

    def board() -> tuple[str, IPv4Address]:
        address, ip = f"02:00:00:00:00:{next(numbers):02x}", FIRST + next(ips)
        if draw(st.booleans()):
            leases.append(Lease(address, ip, "", int(NOW.timestamp()) + 60))
        if draw(st.booleans()):
            sessions.append(Session(dashed(address), str(ip), NOW.timestamp() - 5))
        return address, ip

    for index in range(draw(st.integers(0, 4))):
        name, size = f"root{index}", draw(st.sampled_from((1 << 20, 1 << 31)))
        made = NOW - timedelta(days=draw(st.integers(0, 900)))
        disk = DiskSpec(size=size, filesystem="ext4")
        config = NodeConfig(kind="root", name=name, disk=disk, created=made)
        kind = draw(st.sampled_from(("bare", "allocated", "parent")))
        if kind == "allocated":
            address, ip = board()
            config = config.model_copy(update={"mac": address, "ip": ip, "ip_rule": "next"})
        children: dict[str, str] = {}
        for _ in range(draw(st.integers(1, 8)) if kind == "parent" else 0):
            address, ip = board()
            overlay = draw(st.booleans())
            spec = DiskSpec(format="qcow2", size=size, base=name, base_made=made)
            leaf = NodeConfig(
                kind="leaf",
                name=dashed(address),
                mac=address,
                ip=ip,
                alias=draw(st.sampled_from(("", f"pi-{address[-2:]}"))),
                parent=name,
                disk=spec if overlay else disk,
                created=made,
            )
            children[address] = leaf.name
            nodes[leaf.name] = _node(leaf, 4096 if overlay else None)
        nodes[name] = _node(config.model_copy(update={"children": children}))
    gone = [
        Trashed(f"t-{i}", "gone", NOW - timedelta(days=draw(st.integers(0, 13))), None, 4096)
        for i in range(draw(st.integers(0, 3)))
    ]
    facts = Facts(now=NOW.timestamp(), serving=True, leases=tuple(leases), sessions=tuple(sessions))
    return Site(
        path=Path("/srv/lab"),
        settings=SETTINGS,
        nodes=nodes,
        trash=tuple(gone),
        facts=facts,
    )


@settings(max_examples=500)
@given(healthy())
def test_a_healthy_site_has_none(site: Site) -> None:
    assert findings(site, Drift()) == ()
