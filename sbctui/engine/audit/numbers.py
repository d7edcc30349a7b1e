"""Checks of what may exist only once or must lie inside the network: MACs, addresses, names.

Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import changed, config_path, finding, fixed
from sbctui.engine.errors import Refused
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.addressing import Addresses
from sbctui.engine.plan import UpdateConfig

K = TypeVar("K", bound=IPv4Address | str)


def _twice(claims: Mapping[K, Sequence[str]]) -> list[tuple[K, Sequence[str]]]:
    """What more than one node claims, in order; sorting all would cost more than the look."""
    return sorted((key, names) for key, names in claims.items() if len(names) > 1)


def macs(site: Site, drift: Drift) -> Iterator[Finding]:
    """MACs that more than one node claims."""
    for mac, names in _twice(site.by_mac):
        remedy = " or ".join(_give_up(site.nodes[n]) for n in names)
        yield finding(
            "mac-twice",
            "conflict",
            mac,
            f"{mac} belongs to {len(names)} nodes: {', '.join(names)}",
            "A board boots from one disk; which of these it would get is left to chance.",
            proof="; ".join(f"{config_path(n)}: mac is {mac}" for n in names),
            since=max(changed(site.nodes[n]) for n in names),
            nodes=names,
            unfixable=f"which one is the board's only you know; take it from the other: {remedy}",
        )


def _give_up(node: Node) -> str:
    if node.is_root:
        return f"sbctui root deallocate {node.name}"
    return f"sbctui leaf delete {node.config.parent} {node.config.mac}"


def addresses_twice(site: Site, drift: Drift) -> Iterator[Finding]:
    """Addresses that more than one node claims."""
    for ip, names in _twice(site.by_ip):
        yield finding(
            "ip-twice",
            "conflict",
            str(ip),
            f"{ip} belongs to {len(names)} nodes: {', '.join(names)}",
            "Two boards with one address drop each other's connections, and so their disks.",
            proof="; ".join(f"{config_path(n)}: ip is {ip}" for n in names),
            since=max(changed(site.nodes[n]) for n in names),
            nodes=names,
            unfixable="give one of them another, or none twice: "
            f"sbctui leaf edit {names[-1]} --ip ADDRESS",
        )


def host_names(site: Site, drift: Drift) -> Iterator[Finding]:
    """Host names that more than one node has."""
    named: dict[str, list[str]] = {}
    for name, node in site.nodes.items():
        named.setdefault(node.config.hostname, []).append(name)
    for hostname, names in _twice(named):
        leaf = next((n for n in sorted(names) if not site.nodes[n].is_root), "")
        if leaf:
            yield finding(
                "name-twice",
                "conflict",
                hostname,
                f"{len(names)} nodes have the host name {hostname}: {', '.join(sorted(names))}",
                "DHCP gives a name to one board only, and in lists they can't be told apart.",
                proof=f"{config_path(leaf)}: alias is {site.nodes[leaf].config.alias or 'empty'}",
                since=changed(site.nodes[leaf]),
                nodes=sorted(names),
                unfixable=f"give one another: sbctui leaf edit {leaf} --alias NAME",
            )


def addresses(site: Site, drift: Drift) -> Iterator[Finding]:
    """Boards without an address, and addresses that no board may have."""
    if site.settings.network.subnet is None:
        return
    free = Addresses(site)
    for _, node in sorted(site.nodes.items()):
        config = node.config
        if config.mac is None:
            if config.ip is not None:
                yield _idle_address(node)
        elif config.ip is None:
            found = _address(node, "no-address", f"{config.hostname} has no address", "empty")
            yield _readdressed(site, node, free, found)
        elif reason := _impossible(site, config):
            title = f"{config.hostname} has {config.ip}, {reason}"
            found = _address(node, "ip-outside", title, str(config.ip))
            yield _readdressed(site, node, free, found)


def _impossible(site: Site, config: NodeConfig) -> str:
    network = site.settings.network
    if config.ip is not None and not network.is_host(config.ip):
        return f"which is no host address of {network.subnets}"
    return "which is the server's own" if config.ip in network.servers else ""


def _address(node: Node, check: str, title: str, value: str) -> Finding:
    return finding(
        check,
        "missing" if check == "no-address" else "conflict",
        node.name,
        title,
        "Its board gets no address from us and so can't boot.",
        proof=f"{config_path(node.name)}: ip is {value}",
        since=changed(node),
        nodes=(node.name,),
    )


def _readdressed(site: Site, node: Node, free: Addresses, found: Finding) -> Finding:
    """With the next free address of the pool; each finding of one audit gets another."""
    config = node.config
    if site.sessions_of.get(config.export):
        reason = f"a board is running from {config.hostname}: shut it down, then look again"
        return found.model_copy(update={"unfixable": reason})
    try:
        chosen = free.choose("")
    except Refused as error:
        return found.model_copy(update={"unfixable": str(error)})
    after = config.model_copy(update={"ip": chosen.ip, "ip_rule": chosen.rule})
    action = UpdateConfig(name=node.name, before=config, after=after)
    safe = config.ip is None
    return fixed(found, f"give it {chosen.ip}", action, node=node.name, safe=safe)


def _idle_address(node: Node) -> Finding:
    config = node.config
    found = finding(
        "idle-address",
        "conflict",
        node.name,
        f"{node.name} holds {config.ip} and has no board",
        "A root without a MAC needs no address; it keeps this one from others.",
        proof=f"{config_path(node.name)}: ip is {config.ip}, mac is empty",
        since=changed(node),
        nodes=(node.name,),
    )
    after = config.model_copy(update={"ip": None, "ip_rule": None})
    action = UpdateConfig(name=node.name, before=config, after=after)
    return fixed(found, f"let go of {config.ip}", action, node=node.name, safe=True)


def models(site: Site, drift: Drift) -> Iterator[Finding]:
    """Default roots of board models that are not there."""
    for pattern, root in sorted(site.settings.models.items()):
        if root not in site.nodes and root not in site.broken:
            yield finding(
                "model",
                "missing",
                pattern,
                f"boards of the model {pattern} get the root {root}, which is not there",
                "A leaf for such a board can't be made without naming a root.",
                proof=f"site.toml: models: {pattern} = {root}",
                nodes=(root,),
                unfixable=f"sbctui image model {shlex.quote(pattern)} ROOT, or --none",
            )
