"""What a job left undone, as a request, judged against the site as it is now. Pure."""

from __future__ import annotations

from functools import singledispatch

from sbctui.engine.archive.address import STREAM
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Node, Site
from sbctui.engine.plan import Plan, UpdateConfig


def rest(plan: Plan, site: Site) -> ask.Request | None:
    """The part of a plan's request that is still to be done; None when all of it is.

    A request of which nothing can be said stays as it is: planning it leaves out what is there.
    Findings of the audit are not looked at.
    """
    left: ask.Request | None = _left(plan.request, plan, site)
    return left


@singledispatch
def _left(request: ask.Request, plan: Plan, site: Site) -> ask.Request | None:
    return request


@_left.register
def _(request: ask.CreateRoot, plan: Plan, site: Site) -> ask.Request | None:
    return None if request.name in site.nodes else request


@_left.register
def _(request: ask.CloneRoot, plan: Plan, site: Site) -> ask.Request | None:
    return None if request.name in site.nodes else request


@_left.register
def _(request: ask.ImportRoot, plan: Plan, site: Site) -> ask.Request | None:
    """All of it, but a stream that was read is gone."""
    gone = request.archive.place == STREAM or request.name in site.nodes
    return None if gone else request


@_left.register
def _(request: ask.ImportLeaf, plan: Plan, site: Site) -> ask.Request | None:
    """All of it, but a stream that was read is gone."""
    gone = request.archive.place == STREAM or (request.board or "") in site.by_mac
    return None if gone else request


@_left.register(ask.ExportRoot)
@_left.register(ask.ExportLeaf)
def _(request: ask.ExportRoot | ask.ExportLeaf, plan: Plan, site: Site) -> ask.Request | None:
    """All of it, while the node is the same one; what went into a stream is gone."""
    gone = request.target.file == STREAM or _same(site, request.name, plan) is None
    return None if gone else request


@_left.register
def _(request: ask.ExportMany, plan: Plan, site: Site) -> ask.Request | None:
    """Those that are the same nodes still; the planner leaves out archives that are there."""
    pairs = zip(request.names, request.targets, strict=True)
    left = [(n, t) for n, t in pairs if _same(site, n, plan) is not None]
    if not left:
        return None
    names, targets = zip(*left, strict=True)
    return request.model_copy(update={"names": names, "targets": targets})


@_left.register
def _(request: ask.AllocateRoot, plan: Plan, site: Site) -> ask.Request | None:
    node = site.nodes.get(request.name)
    return None if node is not None and node.config.mac == request.mac else request


@_left.register
def _(request: ask.DeallocateRoot, plan: Plan, site: Site) -> ask.Request | None:
    """Nothing once it has lost the MAC it had; one that it got since is not taken away."""
    node = site.nodes.get(request.name)
    changes = [a for unit in plan.units for a in unit.actions if isinstance(a, UpdateConfig)]
    macs = [change.before.mac for change in changes]
    return request if node is not None and macs and node.config.mac == macs[0] else None


@_left.register
def _(request: ask.ResizeRoot, plan: Plan, site: Site) -> ask.Request | None:
    node = site.nodes.get(request.name)
    return None if node is None or node.config.disk.size >= request.size else request


@_left.register
def _(request: ask.RenameRoot, plan: Plan, site: Site) -> ask.Request | None:
    return request if request.name in site.nodes and request.to not in site.nodes else None


@_left.register
def _(request: ask.DeleteRoot, plan: Plan, site: Site) -> ask.Request | None:
    return request if _same(site, request.name, plan) else None


@_left.register
def _(request: ask.CreateLeaves, plan: Plan, site: Site) -> ask.Request | None:
    """The leaves that no node has the MAC of; nothing when their root is gone."""
    root = site.nodes.get(request.root)
    missing = tuple(leaf for leaf in request.leaves if leaf.mac not in site.by_mac)
    if root is None or not missing:
        return None
    return request.model_copy(update={"leaves": missing})


@_left.register
def _(request: ask.DeleteLeaves, plan: Plan, site: Site) -> ask.Request | None:
    """Those it was to delete that are still the same; none that were made since."""
    names = [unit.node for unit in plan.units if unit.work]
    nodes = [node for name in names if (node := _same(site, name, plan))]
    macs = tuple(n.config.mac for n in nodes if n.config.mac and n.config.parent == request.root)
    return request.model_copy(update={"macs": macs}) if macs else None


@_left.register
def _(request: ask.AttachLeaf, plan: Plan, site: Site) -> ask.Request | None:
    root = site.nodes.get(request.root)
    node = site.nodes.get(request.name)
    if root is None or node is None:
        return None
    listed = root.config.children.get(node.config.mac or "") == node.name
    return None if listed and node.config.parent == root.name else request


@_left.register
def _(request: ask.UseInitramfs, plan: Plan, site: Site) -> ask.Request | None:
    """Nothing when each node loads what it was to load, or is gone."""
    changes = [a for unit in plan.units for a in unit.actions if isinstance(a, UpdateConfig)]
    left = [a for a in changes if a.name in site.nodes]
    if changes and all(site.nodes[a.name].config.boot == a.after.boot for a in left):
        return None
    return request if request.name in site.nodes else None


@_left.register
def _(request: ask.RestoreTrash, plan: Plan, site: Site) -> ask.Request | None:
    return _still_in_trash(request, site)


@_left.register
def _(request: ask.PurgeTrash, plan: Plan, site: Site) -> ask.Request | None:
    return _still_in_trash(request, site)


@_left.register
def _(request: ask.RenameGroup, plan: Plan, site: Site) -> ask.Request | None:
    """What is the old group's still joins what is the new one's already."""
    return request.model_copy(update={"merge": True}) if _is_group(site, request.name) else None


@_left.register
def _(request: ask.DeleteGroup, plan: Plan, site: Site) -> ask.Request | None:
    return request if _is_group(site, request.name) else None


def _is_group(site: Site, name: str) -> bool:
    owners = {place.owner for place in site.overlays if place.level == "group"}
    return name in owners or any(node.config.group == name for node in site.nodes.values())


@_left.register
def _(request: ask.RemoveOverlay, plan: Plan, site: Site) -> ask.Request | None:
    return request if request.place in site.overlays else None


def _still_in_trash(request: ask.RestoreTrash | ask.PurgeTrash, site: Site) -> ask.Request | None:
    there = {entry.folder for entry in site.trash}
    folders = tuple(folder for folder in request.folders if folder in there)
    return request.model_copy(update={"folders": folders}) if folders else None


def _same(site: Site, name: str, plan: Plan) -> Node | None:
    """The node, if it was there when the plan was made."""
    node = site.nodes.get(name)
    return node if node is not None and node.config.created.timestamp() <= plan.made else None
