"""What dnsmasq, TFTP, the NBD server and the boards should read, from the node folders alone.

Anything derived may be deleted and comes back identical. A node that can't be served safely is
left out, with the reason; it never takes another down with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from sbctui.engine.boot import template as templates
from sbctui.engine.boot.pi import PiImage
from sbctui.engine.boot.render import links as boot_links
from sbctui.engine.boot.render import render
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_mac, parse_name
from sbctui.engine.model.node import DISK_FILES, NodeConfig
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.services.port import Host, Target


@dataclass(frozen=True, slots=True)
class Derived:
    """Everything that should be there. Hosts, links and exports go by the dashed MAC.

    A link is the target of ``derived/tftp/<dashed MAC>``. ``boot`` maps a node to its rendered
    boot files, as ``render`` gives them. ``refused`` maps a node that has a MAC and is left out
    to the reason, one sentence. ``boot_links`` maps a node to links in its ``boot/``, by name,
    and where each leads.
    """

    hosts: Mapping[str, Host] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    exports: Mapping[str, Target] = field(default_factory=dict)
    boot: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    boot_links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


Images = Callable[[NodeConfig], PiImage | None]
"""Gives what a node's image brought for a Raspberry Pi, or None."""


def derive(
    site: Site,
    names: Collection[str] | None = None,
    *,
    boot: bool = True,
    images: Images = lambda config: None,
) -> Derived:
    """What should be served for ``names``, or for the whole site.

    Names that are no node, or a node without a MAC, add nothing. Without ``boot`` nothing is
    rendered, so a node that only its boot files hold back is not refused. Raises BadInput when
    one of the admin's templates can't be used: then none of it is, and the old stays in force.
    """
    templates.check_all(site.templates)
    hosts: dict[str, Host] = {}
    links: dict[str, str] = {}
    exports: dict[str, Target] = {}
    rendered: dict[str, dict[str, bytes]] = {}
    inside: dict[str, dict[str, str]] = {}
    refused: dict[str, str] = {}
    for name in sorted(site.nodes if names is None else names):
        node = site.nodes.get(name)
        if node is None or node.config.mac is None:
            continue
        why_not = _unserved(site, name)
        if why_not is not None:
            refused[name] = why_not
            continue
        try:
            host, target = _host(node.config), _target(site, name)
            if boot:
                image = images(node.config)
                rendered[name] = render(node.config, site.settings, site.templates, image)
                inside[name] = boot_links(node.config, image)
        except BadInput as error:
            refused[name] = str(error)
            continue
        hosts[target.export] = host
        links[target.export] = f"../../nodes/{name}/boot"
        exports[target.export] = target
    return Derived(hosts, links, exports, rendered, refused, inside)


def _unserved(site: Site, name: str) -> str | None:
    """Why a node that has a MAC can't be served: one sentence, or None when it can."""
    config = site.nodes[name].config
    unplaced = _unplaced_leaf if config.kind == "leaf" else _unfit_root
    for check in (unplaced, _bad_address, _unusable_disk):
        reason = check(site, config)
        if reason is not None:
            return clean(reason)
    return None


def _unplaced_leaf(site: Site, config: NodeConfig) -> str | None:
    roots = site.listed_by.get(config.name, ())
    if not roots and config.parent in site.broken:
        return None  # its root's map can't be read; that is no reason to cut a board off
    if not roots:
        return f"{config.name} is an orphan: no root lists it"
    if not any(
        site.nodes[root].config.children.get(config.mac or "") == config.name for root in roots
    ):
        return f"{config.name} is listed by {roots[0]} under another MAC than its own"
    return None


def _unfit_root(site: Site, config: NodeConfig) -> str | None:
    parents = site.listed_by.get(config.name)
    if parents:
        return f"{config.name} is a root and stands in the children of {parents[0]}"
    if config.children:
        return f"{config.name} has leaves, so no board may write to its disk"
    above = site.standing_on.get(config.name)
    if above:
        return f"{above[0]} stands on the disk of {config.name}, so no board may write to it"
    return None


def _bad_address(site: Site, config: NodeConfig) -> str | None:
    network = site.settings.network
    others = [n for n in site.by_mac.get(config.mac or "", ()) if n != config.name]
    if others:
        return f"{config.name} and {others[0]} both claim the MAC {config.mac}"
    if config.ip is None:
        return f"{config.name} has no address"
    others = [n for n in site.by_ip.get(config.ip, ()) if n != config.name]
    if others:
        return f"{config.name} and {others[0]} both claim the address {config.ip}"
    if network.subnet is not None and not network.is_host(config.ip):
        return f"{config.ip} of {config.name} is no host address of {network.subnets}"
    if config.ip in network.servers:
        return f"{config.ip} of {config.name} is the server's own address"
    return None


def _unusable_disk(site: Site, config: NodeConfig) -> str | None:
    if site.nodes[config.name].disk is None:
        return f"{config.name} has no disk: {config.disk.file} is missing"
    name = config.disk.base
    if name is None or name in site.broken:
        return None
    base = site.nodes.get(name)
    if base is None or base.disk is None or base.config.created != config.disk.base_made:
        return f"{config.name} stands on the disk of {name}, which is not there"
    return None


def _host(config: NodeConfig) -> Host:
    """Checked once more: what stands here is written into a daemon's configuration."""
    assert config.mac is not None
    assert config.ip is not None
    return Host(parse_mac(config.mac), config.ip, parse_name(config.hostname))


def _target(site: Site, name: str) -> Target:
    config = site.nodes[name].config
    assert config.ip is not None
    base = site.node_path(config.disk.base) / DISK_FILES["raw"] if config.disk.base else None
    return Target(config.export, site.disk_path(name), config.disk.format, config.ip, base)
