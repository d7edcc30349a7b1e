"""The plan that lets a cache's boards boot here: roots out of images, leaves for the boards. Pure.

It is made of the plans of ``root import`` and ``leaf create``; those for leaves count on roots
that the same plan makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sbctui.engine import rules
from sbctui.engine.archive.plan import take
from sbctui.engine.errors import Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.repository import the_cache
from sbctui.engine.model.site import Disk, Node, Site, Stamp
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import plan, refresh
from sbctui.engine.nodes.plan_leaf import create
from sbctui.engine.plan import BringOverlay, Plan, RefreshServices, Unit, WriteNode

_UNSEEN = "ext4"
"""What a disk is taken for until it has been unpacked; where it is another, that is said then."""


@dataclass
class _Making:
    """What is planned so far, and the site as it will be then."""

    site: Site
    units: list[Unit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    needs: int = 0

    def add(self, one: Plan, *, after: str = "", data: int = 0) -> None:
        """Another plan's units, which can't be without an earlier one; ``data``: of its disk."""
        self.needs += one.needs
        for unit in one.units:
            if not any(isinstance(a, RefreshServices) for a in unit.actions):
                self.units.append(unit.model_copy(update={"after": after} if after else {}))
        made = [a.config for unit in one.units for a in unit.actions if isinstance(a, WriteNode)]
        nodes = dict(self.site.nodes)
        for config in made:
            disk = Disk(apparent=config.disk.size, allocated=data, mtime=0.0)
            nodes[config.name] = Node(_settled(config), disk, Stamp(0, 0, 0))
            parent = nodes.get(config.parent or "")
            if parent is not None and config.mac is not None:
                children = {**parent.config.children, config.mac: config.name}
                changed = parent.config.model_copy(update={"children": children})
                nodes[parent.name] = replace(parent, config=changed)
                self.names.append(config.name)
        self.site = replace(self.site, nodes=nodes)


def serve(request: ask.ServeCache, site: Site) -> Plan:
    """What is missing here of a cache's roots and leaves. Raises Refused, NoSpace."""
    rules.require(rules.can_serve(site))
    making = _Making(site, notes=list(request.notes))
    later: list[tuple[ask.CachedRoot, str]] = []
    for one in request.found:
        try:
            later.append((one, _root(making, one, request.cache)))
        except Refused as error:
            making.notes.append(f"{one.root} is left out: {error}")
    making.units += [_bring(request.cache, path) for path in request.brought]
    for one, after in later:
        try:
            _leaves(making, one, after, request)
        except Refused as error:
            making.notes.append(f"the boards of {one.root} are left out: {error}")
    rules.enough_space(site, making.needs)
    if making.units:
        making.units.append(refresh(making.names))
    title = f"serve the boards of {the_cache(request.cache)}"
    notes = (*making.notes, *_standing(site))
    return plan(
        site, request, title, making.units, needs=making.needs, notes=notes, hold=False
    )  # fmt: skip


def _root(making: _Making, one: ask.CachedRoot, cache: str) -> str:
    """The unit that makes the root, and its title; empty where the root is there."""
    if one.root in making.site.nodes:
        rules.root(making.site, one.root)
        if one.newer:
            making.notes.append(
                f"{cache}:{clean(one.path)} came into the cache after the root {one.root} was made "
                "here, which is left as it is; the newer one becomes a root with: sbctui root "
                f"import '{cache}:{clean(one.path)}' --name NEW"
            )
        return ""
    made = take(ask.ImportRoot(name=one.root, archive=one.archive), making.site)
    making.add(made, data=one.archive.data)
    return made.units[0].title


def _bring(cache: str, path: str) -> Unit:
    action = BringOverlay(cache=cache, place=path)
    return Unit(title=f"copy {clean(path)}", detail=f"from {clean(cache)}", actions=(action,))


def _leaves(making: _Making, one: ask.CachedRoot, after: str, request: ask.ServeCache) -> None:
    """The leaves of a root's boards that are not there."""
    if one.boards is None:
        making.notes.append(
            f"the cache has no list of the boards of {one.root}: sbctui repo index makes it on the "
            f"server, and sbctui cache update brings it"
        )
        return
    wanted = [leaf for leaf in one.boards if not _there(making.site, one.root, leaf)]
    fitting = [fits for leaf in wanted if (fits := _fitting(making, one.root, leaf))]
    if not fitting:
        return
    fitting.sort(key=lambda leaf: leaf.ip is None)
    asked = ask.CreateLeaves(root=one.root, leaves=tuple(fitting), covers=request.covers)
    made = create(making.site, asked)
    making.notes += made.notes
    making.add(made, after=after)


def _there(site: Site, root: str, leaf: ask.LeafSpec) -> bool:
    return site.nodes[root].config.children.get(leaf.mac) in site.nodes


def _fitting(making: _Making, root: str, leaf: ask.LeafSpec) -> ask.LeafSpec | None:
    """The leaf as it can be here: without the address it had, or None and a note."""
    site = making.site
    shown = leaf.alias or leaf.mac
    listed = leaf.mac in site.nodes[root].config.children
    why = None if listed else rules.free_mac(site, leaf.mac)
    why = why or rules.free_name(site, dashed(leaf.mac))
    if not why and leaf.alias:
        why = rules.free_alias(site, leaf.alias)
    if why:
        making.notes.append(f"{shown} is left out: {why}")
        return None
    reason = rules.free_ip(site, leaf.ip) if leaf.ip else None
    if reason is None:
        return leaf
    making.notes.append(f"{shown} gets another address than it had: {reason.partition(';')[0]}")
    return leaf.model_copy(update={"ip": None})


def _standing(site: Site) -> list[str]:
    """What of this site keeps boards from booting, though they have their leaves."""
    if not site.settings.network.interface:
        return [
            "this site has no interface, so it answers no board; set one with: sbctui site init"
        ]
    if not site.facts.serving:
        return ["the services are not running; start them with: sbctui services start"]
    return []


def _settled(config: NodeConfig) -> NodeConfig:
    disk = config.disk.model_copy(update={"filesystem": config.disk.filesystem or _UNSEEN})
    return config.model_copy(update={"disk": disk})
