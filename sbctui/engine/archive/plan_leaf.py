"""The plan that makes a leaf out of an archive. Pure."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.archive.plan import archive_notes, from_where
from sbctui.engine.errors import NoSuchNode, Refused, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.site import Node, Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.addressing import Addresses, Chosen
from sbctui.engine.nodes.making import NODE_BYTES, NODE_INODES, made, plan, refresh
from sbctui.engine.nodes.plan_leaf import reserve, unlist_missing
from sbctui.engine.plan import (
    Action,
    PersonaliseDisk,
    Plan,
    PublishNode,
    StageNode,
    TakeLeaf,
    Unit,
    WriteNode,
)
from sbctui.engine.repository.overlay_places import places_of


def take_leaf(request: ask.ImportLeaf, site: Site) -> Plan:
    """A leaf out of an archive. Raises Refused, NoSuchNode, NoSpace, BadInput."""
    rules.require(rules.can_import(site))
    mac = _board(request)
    with against("base"):
        root = _root(request, site)
        rules.require(rules.can_create_leaves(site, root.name))
    if mac not in root.config.children or mac in site.by_mac:
        rules.require(_taken(site, mac))
    rules.require(rules.free_name(site, dashed(mac)))
    alias_taken = rules.free_alias(site, request.alias) if request.alias else None
    alias = "" if alias_taken else request.alias
    needs = _needs(request, root, site)
    rules.enough_space(site, needs, NODE_INODES)
    chosen = _address(request, alias, site)
    config = _config(request, root, mac, alias, chosen, site)
    unit = _unit(request, root, config, chosen, site)
    units = [
        reserve(root.name, (mac,)),
        unit,
        unlist_missing(root.name, (mac,)),
        refresh([config.name]),
    ]
    notes = (
        *((f"it comes without its alias: {alias_taken}",) if alias_taken else ()),
        *(chosen.notes if chosen else _no_address()),
        *_of_whom(request, config),
        *_overlays(site, config, root),
        *archive_notes(request),
    )
    title = f"import the leaf {config.hostname} of {root.name}"
    return plan(site, request, title, units, needs=needs, notes=notes, hold=False)


def _board(request: ask.ImportLeaf) -> str:
    if request.board is None:
        raise Refused("the archive does not tell of which board it is; name one with --mac")
    return request.board


def _taken(site: Site, mac: str) -> str | None:
    reason = rules.free_mac(site, mac)
    if reason is None or mac not in site.by_mac:
        return reason
    return f"{reason}; delete that before, or import it for another board with --mac"


def _root(request: ask.ImportLeaf, site: Site) -> Node:
    told = request.archive.base or request.archive.parent
    name = request.root or told
    if not name:
        raise Refused("the archive does not tell of which root it is a leaf; name one with --root")
    if not request.root and name not in site.nodes:
        raise NoSuchNode(
            f"it is a leaf of the root {clean(name)}, which is not here; import that first, or "
            "name another with --root"
        )
    return rules.root(site, name)


def _needs(request: ask.ImportLeaf, root: Node, site: Site) -> int:
    """Bytes at the height: what comes, and the overlay or the copy of the root's disk beside it."""
    data = request.archive.data or request.archive.bytes
    if site.facts.store == "overlay":
        return NODE_BYTES + 2 * data
    copied = bool(request.archive.base) and site.facts.store != "reflink"
    return NODE_BYTES + data + (root.disk.allocated if copied and root.disk else 0)


def _address(request: ask.ImportLeaf, alias: str, site: Site) -> Chosen | None:
    if site.settings.network.subnet is None and request.ip is None:
        return None
    if request.network:
        site.settings.network.lot(request.network)
    addresses = Addresses(site, request.network)
    return addresses.choose(alias, explicit=request.ip, resolved=request.resolved)


def _config(
    request: ask.ImportLeaf, root: Node, mac: str, alias: str, chosen: Chosen | None, site: Site
) -> NodeConfig:
    """What the plan knows; the archive tells the rest."""
    return NodeConfig(
        kind="leaf",
        name=dashed(mac),
        alias=alias,
        mac=mac,
        ip=chosen.ip if chosen else None,
        ip_rule=chosen.rule if chosen else None,
        parent=root.name,
        disk=DiskSpec(size=request.archive.disk),
        created=made(site),
        cloned_from=root.name,
        origin=request.archive.origin,
    )


def _unit(
    request: ask.ImportLeaf, root: Node, config: NodeConfig, chosen: Chosen | None, site: Site
) -> Unit:
    name, thin = config.name, site.facts.store == "overlay"
    what = site.settings.personalise.what
    anew: tuple[Action, ...] = ()
    if what and config.mac != request.archive.mac:
        anew = (PersonaliseDisk(name=name, hostname=config.hostname, what=what),)
    disk = "an overlay" if thin else "a disk of its own"
    address = f"  {chosen.ip} ({chosen.rule})" if chosen else ""
    return Unit(
        title=f"import {config.hostname}",
        node=name,
        detail=f"{disk}, from {from_where(request.archive, site.path)}{address}",
        actions=(
            StageNode(name=name),
            TakeLeaf(
                name=name,
                place=request.archive.place,
                root=root.name,
                thin=thin,
                unverified=request.unverified,
            ),
            *anew,
            WriteNode(name=name, config=config),
            PublishNode(name=name),
        ),
    )


def _no_address() -> tuple[str, ...]:
    return ("this site has no subnet yet: the leaf gets an address when it has one",)


def _of_whom(request: ask.ImportLeaf, config: NodeConfig) -> tuple[str, ...]:
    if request.archive.mac in (None, config.mac):
        return ()
    return (
        f"it was the leaf of {request.archive.mac}: alias, group, host name and keys do not come "
        "along",
    )


def _overlays(site: Site, config: NodeConfig, root: Node) -> tuple[str, ...]:
    if not places_of(site, config.name, config.group, root.name):
        return ()
    return (f"its overlays are laid over it by: sbctui overlay apply {config.name}",)
