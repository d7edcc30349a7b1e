"""Nodes as table rows and as JSON (docs/cli.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbctui import format as words
from sbctui.cli import output
from sbctui.engine.errors import BadInput, NoSuchNode
from sbctui.engine.model.addresses import parse_mac, shown, undashed
from sbctui.engine.model.node import State
from sbctui.engine.model.site import Broken, Node, Site

if TYPE_CHECKING:
    from sbctui.engine.disks.port import Usage

NONE = "-"
"""What stands in a table where there is no value."""


def node_json(site: Site, node: Node) -> dict[str, Any]:
    """The ``node`` object: bytes and ISO times; None where there is no value."""
    config = node.config
    return {
        "name": node.name,
        "kind": config.kind,
        "state": str(site.state(node.name)),
        "hostname": config.hostname,
        "alias": config.alias,
        "group": config.group,
        "notes": config.notes,
        "mac": config.mac,
        "ip": str(config.ip) if config.ip else None,
        "ip_rule": config.ip_rule,
        "parent": config.parent,
        "leaves": len(config.children),
        "size": config.disk.size,
        "allocated": node.disk.allocated if node.disk else None,
        "connected": bool(site.sessions_of.get(config.export)) if config.export else False,
        "created": output.iso(config.created),
    }


def broken_json(broken: Broken) -> dict[str, Any]:
    """The ``node`` object of a folder whose config can't be used: kind None, and a reason."""
    return {
        "name": broken.name,
        "kind": None,
        "state": str(State.BROKEN),
        "mac": undashed(broken.name),
        "allocated": broken.allocated,
        "reason": broken.reason,
    }


def broken_roots(site: Site) -> list[Broken]:
    """Broken nodes whose folder name is no leaf's."""
    return [b for name, b in sorted(site.broken.items()) if undashed(name) is None]


def broken_leaves(site: Site) -> list[Broken]:
    """Broken nodes whose folder name is a leaf's."""
    return [b for name, b in sorted(site.broken.items()) if undashed(name) is not None]


def root_row(site: Site, node: Node) -> tuple[str, ...]:
    """A line of ``root list``."""
    config = node.config
    return (
        node.name,
        str(site.state(node.name)),
        config.mac or NONE,
        str(config.ip or NONE),
        words.size(config.disk.size),
        words.size(node.disk.allocated) if node.disk else "missing",
        str(len(config.children)),
    )


def leaf_row(site: Site, node: Node) -> tuple[str, ...]:
    """A line of ``leaf list``."""
    config = node.config
    open_ = bool(site.sessions_of.get(config.export))
    return (
        config.hostname,
        config.mac or NONE,
        str(config.ip or NONE),
        str(site.state(node.name)),
        words.size(node.disk.allocated) if node.disk else "missing",
        config.group or NONE,
        "yes" if open_ else "no",
    )


def find(site: Site, text: str) -> str:
    """The folder of the node meant by a name, an alias, a MAC in any notation or an address.

    Raises NoSuchNode.
    """
    if text in site.nodes or text in site.broken:
        return text
    for table in (site.by_alias, _host_names(site)):
        if found := table.get(text):
            return found[0]
    mac = mac_of(text)
    if mac is not None and (found := site.by_mac.get(mac)):
        return found[0]
    by_address = {str(ip): names for ip, names in site.by_ip.items()}
    if found := by_address.get(text):
        return found[0]
    raise NoSuchNode(
        f"there is no node {shown(text)}; list them with: sbctui root list, sbctui leaf list"
    )


def _host_names(site: Site) -> dict[str, tuple[str, ...]]:
    return {n.config.hostname: (name,) for name, n in site.nodes.items()}


def mac_of(text: str) -> str | None:
    """The MAC that a text is, in any notation, or None."""

    try:
        return parse_mac(text)
    except BadInput:
        return None


def usage_json(usage: Usage) -> dict[str, int]:
    """The ``disk`` figures measured now, in bytes."""
    return {
        "apparent": usage.apparent,
        "allocated": usage.allocated,
        "exclusive": usage.exclusive,
    }
