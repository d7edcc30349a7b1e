"""Plans for archives: a node into one, and a root out of one. Pure."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine import rules
from sbctui.engine.archive.address import STREAM, addressed, image_at, kind_of
from sbctui.engine.archive.format import level_of
from sbctui.engine.errors import NoSpace, Refused, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.amounts import size
from sbctui.engine.model.node import DiskSpec, NodeConfig, StoreKind
from sbctui.engine.model.site import Node, Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import NODE_BYTES, NODE_INODES, listing, made, plan, refresh
from sbctui.engine.plan import (
    Action,
    CloneDisk,
    FlattenDisk,
    Plan,
    PublishArchive,
    PublishImage,
    PublishNode,
    StageNode,
    TakeArchive,
    Unit,
    UnstageNode,
    WithdrawExport,
    WriteArchive,
    WriteNode,
)

_SPEED: dict[ask.Compression, int] = {
    "none": 800 * 1024**2,
    "zstd": 200 * 1024**2,
    "gzip": 25 * 1024**2,
    "xz": 4 * 1024**2,
}
"""Bytes a second that one thread compresses at the usual level, about."""
_COPY = "export-"
_LONGEST = 63


def export(request: ask.ExportRoot | ask.ExportLeaf, site: Site) -> Plan:
    """A node into an archive. Raises Refused, NoSuchNode, NoSpace."""
    level_of(request.packing)
    leaf = isinstance(request, ask.ExportLeaf)
    node = (rules.leaf if leaf else rules.root)(site, request.name)
    rules.require(rules.can_export(site, node.name))
    base = _base(site, node) if isinstance(request, ask.ExportLeaf) and request.difference else ""
    target = request.target
    if target.there and not request.replace:
        there = addressed(site.path, target.file)
        raise Refused(f"{there} is there already; name another file, or replace it (--replace)").of(
            "target"
        )
    way = _Way(site, node)
    if way.staged:
        rules.require(rules.free_name(site, way.staged))
        rules.enough_space(site, way.needs, NODE_INODES)
    _fits(request, node)
    write = WriteArchive(
        name=node.name,
        target=target.file,
        packing=request.packing,
        staged=way.staged,
        base=base,
    )
    stream = target.file == STREAM
    image = image_at(site.path, target.file)
    publish: tuple[Action, ...] = ()
    if image:
        publish = (PublishImage(image=image, replace=request.replace),)
    elif not stream:
        publish = (PublishArchive(target=target.file, replace=request.replace),)
    unit = Unit(
        title=f"export {node.config.hostname}",
        node=node.name,
        detail=_detail(request, node, base),
        actions=(*way.before, write, *way.after, *publish),
    )
    units = [unit]
    if way.away:
        units.append(refresh([node.name]))
    if image:
        units.append(listing())
    where = "standard output" if stream else addressed(site.path, target.file)
    title = f"export {node.config.hostname} to {where}"
    notes = (*way.notes, *_room_notes(request, node))
    return plan(site, request, title, units, needs=way.needs, notes=notes, hold=False)


class _Way:
    """How a disk is read: as it lies there, or of a copy that is made first."""

    def __init__(self, site: Site, node: Node) -> None:
        config = node.config
        self.notes: tuple[str, ...] = ()
        self.needs = 0
        self.staged = ""
        self.after: tuple[Action, ...] = ()
        served = config.mac is not None
        overlay = config.disk.format == "qcow2"
        connected = bool(site.sessions_of.get(config.export))
        store: StoreKind = "reflink" if site.facts.store == "reflink" else "copy"
        live = served and (connected or (store == "reflink" and not overlay))
        self.away = served and not live
        self.before: tuple[Action, ...] = ()
        if self.away:
            self.before = (WithdrawExport(export=config.export),)
            self.notes = (f"{config.mac} can't reach its disk while it is read",)
        if live or overlay:
            self.staged = (_COPY + node.name)[:_LONGEST].rstrip("-")
            self.before += (StageNode(name=self.staged), self._copy(node, store, live=live))
            self.after = (UnstageNode(name=self.staged),)
            self.needs = NODE_BYTES + self._copied(site, node, store, live=live)
        if live:
            self.notes = (
                f"{config.hostname} is in use: it is exported as after a power cut at one "
                "instant, then repaired and checked (crash-consistent)",
            )

    def _copy(self, node: Node, store: StoreKind, *, live: bool) -> Action:
        if node.config.disk.format == "qcow2":
            return FlattenDisk(name=self.staged, source=node.name, live=live)
        return CloneDisk(name=self.staged, source=node.name, store=store, live=True)

    def _copied(self, site: Site, node: Node, store: StoreKind, *, live: bool) -> int:
        """Bytes of the copies: an overlay that is in use is copied before it is read."""
        if node.config.disk.format == "qcow2":
            own = node.disk.allocated if live and node.disk else 0
            return own + _below(site, node)
        return 0 if store == "reflink" else _below(site, node)


def _below(site: Site, node: Node) -> int:
    """Bytes that a disk takes with all it stands on."""
    base = site.nodes.get(node.config.disk.base or "")
    disks = (node.disk, base.disk if base else None)
    return sum(disk.allocated for disk in disks if disk is not None)


def _base(site: Site, node: Node) -> str:
    rules.require(rules.can_difference(site, node.name))
    return rules.difference_base(site, node.name) or ""


def _fits(request: ask.ExportRoot | ask.ExportLeaf, node: Node) -> None:
    """Raises NoSpace where not even what can't be compressed would fit."""
    target = request.target
    most = node.disk.allocated if node.disk else 0
    if target.file != STREAM and request.packing.compression == "none" and most > target.free:
        raise NoSpace(
            f"this needs up to {size(most)} and {target.file} has {size(target.free)} free; "
            "compress it, or make room"
        ).of("target")


def _detail(request: ask.ExportRoot | ask.ExportLeaf, node: Node, base: str) -> str:
    packing = request.packing
    how = packing.compression if packing.compression != "none" else "not compressed"
    what = f"what differs from {base}" if base else "the whole disk"
    return f"{what}, {how}"


def _room_notes(request: ask.ExportRoot | ask.ExportLeaf, node: Node) -> tuple[str, ...]:
    most = node.disk.allocated if node.disk else 0
    packing = request.packing
    notes = []
    if request.target.file != STREAM and most > request.target.free:
        notes.append(
            f"it holds up to {size(most)} before compression and {size(request.target.free)} is "
            "free there, so it may not fit"
        )
    seconds = most // (_SPEED[packing.compression] * max(1, packing.threads or 2))
    if seconds >= 1:
        minutes, left = divmod(seconds, 60)
        took = f"{minutes} min" if minutes else f"{left} s"
        notes.append(f"up to {size(most)} to read, roughly {took} at the usual speed")
    return tuple(notes)


def take(request: ask.ImportRoot, site: Site) -> Plan:
    """A root out of an archive. Raises Refused, NoSuchNode, NoSpace."""
    rules.require(rules.can_import(site))
    rules.require(rules.free_name(site, request.name))
    incoming = request.archive
    base = request.base or incoming.base
    if base:
        with against("base"):
            rules.require(rules.can_clone(site, rules.root(site, base).name))
    needs = NODE_BYTES + (incoming.data or incoming.bytes)
    if base and site.nodes[base].disk is not None:
        disk = site.nodes[base].disk
        needs += disk.allocated if disk and site.facts.store != "reflink" else 0
    rules.enough_space(site, needs, NODE_INODES)
    config = NodeConfig(
        kind="root",
        name=request.name,
        created=made(site),
        disk=DiskSpec(size=incoming.disk),
        origin=incoming.origin,
    )
    unit = Unit(
        title=f"import {request.name}",
        node=request.name,
        detail=f"from {from_where(incoming, site.path)}",
        actions=(
            StageNode(name=request.name),
            TakeArchive(
                name=request.name,
                place=incoming.place,
                base=request.base,
                unverified=request.unverified,
            ),
            WriteNode(name=request.name, config=config),
            PublishNode(name=request.name),
        ),
    )
    title = f"import the root {request.name}"
    return plan(site, request, title, [unit], needs=needs, notes=archive_notes(request), hold=False)


def from_where(incoming: ask.Incoming, site: Path) -> str:
    """An archive's place as it is shown: an image of a repository by its address."""
    origin = incoming.origin
    if origin is not None and ":" in origin.image:
        return origin.image
    return "standard input" if incoming.place == STREAM else addressed(site, incoming.place)


def archive_notes(request: ask.ImportRoot | ask.ImportLeaf) -> tuple[str, ...]:
    """What whoever imports should know of the archive."""
    incoming = request.archive
    notes = []
    if request.unverified:
        notes.append("an archive without hashes is taken too: nobody can tell whether it is whole")
    if incoming.base:
        notes.append(f"it holds only what differs from the disk of the root {clean(incoming.base)}")
    if incoming.place.startswith("http:"):
        notes.append("http is not encrypted: whoever is in between may change the archive")
    if kind_of(incoming.place) != "file":
        notes.append("how large it is will be seen when it comes")
    elif incoming.data:
        disk, data = size(incoming.disk), size(incoming.data)
        notes.append(f"a disk of {disk}, {data} of it stored")
    return tuple(notes)
