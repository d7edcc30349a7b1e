"""Boards registered, boards known to DHCP, boards seen on the wire: who is in which. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sbctui.engine.model.site import Site


@dataclass(frozen=True, slots=True)
class Compared:
    """One board. ``last`` is when it was last seen, in epoch seconds; 0: never.

    ``registered``: the admin's list has it. ``node``: the folder of its node, empty without.
    ``dhcp``: DHCP knows it. ``seen``: it asked on the wire. ``verdict`` is one sentence, empty
    when all agree.
    """

    mac: str
    alias: str
    registered: bool
    node: str
    dhcp: bool
    seen: bool
    last: float
    verdict: str


def compare(site: Site, dhcp: Collection[str], seen: Mapping[str, float]) -> tuple[Compared, ...]:
    """Every board that is anywhere, by MAC; ``seen`` maps MACs to when they were last seen.

    Boards that are ignored are left out where nothing else has them. What is not registered
    counts as a fault only where there is a list.
    """
    listed = {one.mac: one for one in site.roster.registered}
    nodes = {mac: names[0] for mac, names in site.by_mac.items() if mac}
    macs = listed.keys() | nodes.keys() | set(dhcp) | (seen.keys() - site.ignored)
    found = []
    for mac in sorted(macs):
        node = nodes.get(mac, "")
        alias = listed[mac].alias if mac in listed else ""
        found.append(
            Compared(
                mac=mac,
                alias=alias or (site.nodes[node].config.hostname if node else ""),
                registered=mac in listed,
                node=node,
                dhcp=mac in dhcp,
                seen=mac in seen,
                last=seen.get(mac, 0.0),
                verdict=_verdict(mac in listed or not listed, node, mac in dhcp, mac in seen),
            )
        )
    return tuple(found)


def _verdict(registered: bool, node: str, dhcp: bool, seen: bool) -> str:
    if node and not dhcp:
        return "has a node and DHCP does not know it: sbctui services apply"
    if dhcp and not node:
        return "DHCP knows it and it has no node: sbctui services apply"
    if seen and not node:
        return "asks and has no node" if registered else "a stranger: asks and is not registered"
    if not registered:
        return "has a node and is not registered"
    if not node:
        return "registered, has no node and was never seen"
    return "" if seen else "was never seen"
