"""Plans for roots: create, clone, allocate, deallocate, resize, delete."""

from __future__ import annotations

import shlex

from sbctui.engine import rules
from sbctui.engine.errors import Refused, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.amounts import size as told
from sbctui.engine.model.node import DiskSpec, NodeConfig, StoreKind
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.addressing import Addresses
from sbctui.engine.nodes.making import (
    NODE_BYTES,
    NODE_INODES,
    clone_bytes,
    hindered,
    made,
    plan,
    refresh,
    to_trash,
)
from sbctui.engine.plan import (
    Action,
    CloneDisk,
    DrainExport,
    MakeDisk,
    Plan,
    PublishNode,
    RebootBoard,
    RefreshServices,
    ResizeDisk,
    StageNode,
    Unit,
    UpdateConfig,
    WithdrawExport,
    WriteNode,
)


def create(site: Site, request: ask.CreateRoot) -> Plan:
    """A new root: staged, filled, published. Raises Refused, NoSpace."""
    rules.require(rules.can_create_root(site))
    rules.require(rules.free_name(site, request.name))
    source = request.source
    if source and source.bytes > request.size:
        raise Refused(
            f"{source.path} holds {told(source.bytes)}, more than a disk of {told(request.size)}; "
            "give a larger --size"
        ).of("size")
    needs = NODE_BYTES + request.size // 50 + _filling(source)
    with against("size"):
        rules.enough_space(site, needs, NODE_INODES + (source.inodes if source else 0))
    config = NodeConfig(
        kind="root",
        name=request.name,
        notes=request.notes,
        created=made(site),
        disk=DiskSpec(size=request.size),
        origin=source.origin if source else None,
    )
    unit = Unit(
        title=f"make {request.name}",
        node=request.name,
        detail=_filled_from(source),
        actions=(
            StageNode(name=request.name),
            MakeDisk(name=request.name, size=request.size, source=source),
            WriteNode(name=request.name, config=config),
            PublishNode(name=request.name),
        ),
    )
    title = f"create the root {request.name}"
    notes = _initramfs_notes(request)
    return plan(site, request, title, [unit], needs=needs, notes=notes, hold=False)


def _initramfs_notes(request: ask.CreateRoot) -> tuple[str, ...]:
    """What becomes of an initramfs that can't have NBD: it is seen when it is unpacked."""
    if request.source is None:
        return ()
    use = f"sbctui boot use {request.name} --initramfs bootkit"
    if not request.kits:
        return (f"if its initramfs can't have the root over NBD, the site's own can: {use}",)
    built = ", ".join(request.kits)
    return (
        "if its initramfs can't have the root over NBD, it gets the site's own, built for "
        f"{built}; for another kernel: {use}",
    )


def _filling(source: ask.Source | None) -> int:
    """Bytes that filling a disk takes at its height."""
    if source is None:
        return 0
    if source.layout is None:
        return 2 * source.bytes  # unpacked beside the disk first
    boot = source.layout.boot
    return source.bytes + (2 * boot.size if boot else 0)


def _filled_from(source: ask.Source | None) -> str:
    if source is None:
        return "an empty ext4 disk"
    if source.layout is None:
        return f"from the {source.kind} {source.path}"
    kind = source.layout.filesystem or "Linux"
    boot = ", boot files of its FAT partition" if source.layout.boot else ""
    return f"from the OS image {source.path}: its {kind} root{boot}"


def clone(site: Site, request: ask.CloneRoot) -> Plan:
    """A copy of a root, unallocated and without children. Raises Refused, NoSpace."""
    source = rules.root(site, request.source)
    rules.require(rules.can_clone(site, source.name))
    rules.require(rules.free_name(site, request.name))
    store: StoreKind = "reflink" if site.facts.store == "reflink" else "copy"
    needs = _copy_bytes(site, source)
    rules.enough_space(site, needs, NODE_INODES)
    served = source.config.mac is not None
    connected = bool(site.sessions_of.get(source.config.export))
    live = served and (connected or store == "reflink")
    config = NodeConfig(
        kind="root",
        name=request.name,
        notes=source.config.notes,
        created=made(site),
        disk=DiskSpec(size=source.config.disk.size, filesystem=source.config.disk.filesystem),
        boot=source.config.boot,
        cloned_from=source.name,
        origin=source.config.origin,
        store=store,
        promise="crash-consistent" if live else "clean",
    )
    away = served and not live
    withdrawn: tuple[Action, ...] = (WithdrawExport(export=source.config.export),) if away else ()
    unit = Unit(
        title=f"clone {source.name} to {request.name}",
        node=request.name,
        detail=_copied_by(store, live=live),
        actions=(
            *withdrawn,
            StageNode(name=request.name),
            CloneDisk(name=request.name, source=source.name, store=store, live=live),
            WriteNode(name=request.name, config=config),
            PublishNode(name=request.name),
        ),
    )
    units = [unit, refresh([source.name])] if away else [unit]
    title = f"clone {source.name} to {request.name}"
    notes = (*_clone_notes(source, live=live, away=away), *_kit_notes(request))
    return plan(site, request, title, units, needs=needs, notes=notes, hold=False)


def _copy_bytes(site: Site, source: Node) -> int:
    if site.facts.store == "reflink":
        return clone_bytes(site, source)
    return NODE_BYTES + (source.disk.allocated if source.disk else 0)


def _copied_by(store: StoreKind, *, live: bool) -> str:
    if live and store == "copy":
        return "by copy at one instant, while a board writes"
    return f"by {store}"


def _clone_notes(source: Node, *, live: bool, away: bool) -> tuple[str, ...]:
    if live:
        return (
            f"{source.name} is in use: the copy is as after a power cut at one instant, "
            "then repaired and checked (crash-consistent)",
        )
    if away:
        return (f"{source.config.mac} can't reach its disk while it is copied",)
    return ()


def _kit_notes(request: ask.CloneRoot) -> tuple[str, ...]:
    if not request.kit or request.hindrance is None:
        return hindered(request.name, request.hindrance)
    why = request.hindrance.why
    return (f"{request.name} gets the site's own initramfs for {request.kit}: {why}",)


def allocate(site: Site, request: ask.AllocateRoot) -> Plan:
    """Give a root a MAC and an address; all or nothing. Raises Refused."""
    node = rules.root(site, request.name)
    rules.require(rules.can_allocate(site, node.name))
    rules.require(rules.free_mac(site, request.mac))
    if site.settings.network.subnet is None:
        raise Refused(
            "this site has no subnet, so there is no address to give; "
            "set one with: sbctui site init --subnet CIDR --pool A-B"
        )
    if request.network:
        site.settings.network.lot(request.network)
    addresses = Addresses(site, request.network)
    chosen = addresses.choose(node.name, explicit=request.ip, resolved=request.resolved)
    after = node.config.model_copy(
        update={"mac": request.mac, "ip": chosen.ip, "ip_rule": chosen.rule}
    )
    unit = Unit(
        title=f"allocate {node.name} to {request.mac}",
        node=node.name,
        detail=str(chosen.ip),
        actions=(
            UpdateConfig(name=node.name, before=node.config, after=after),
            RefreshServices(names=(node.name,)),
        ),
    )
    notes = (
        *chosen.notes,
        chosen.sentence(node.name),
        *hindered(node.name, request.hindrance),
    )
    title = f"allocate {node.name} to {request.mac}"
    return plan(site, request, title, [unit, refresh([node.name])], notes=notes)


def deallocate(site: Site, request: ask.DeallocateRoot) -> Plan:
    """Take MAC, address and services away and reboot the board. Raises Refused."""
    node = rules.root(site, request.name)
    rules.require(rules.can_deallocate(site, node.name))
    config = node.config
    connected = bool(site.sessions_of.get(config.export))
    after = config.model_copy(update={"mac": None, "ip": None, "ip_rule": None})
    reboots: tuple[Action, ...] = ()
    if request.reboot and config.ip is not None:
        reboots = (RebootBoard(name=node.name, ip=config.ip, user=site.settings.ssh_user),)
    seconds = site.settings.drain_seconds
    units = (
        Unit(
            title=f"deallocate {node.name} from {config.mac}",
            node=node.name,
            detail="reboot the board over ssh" if reboots else "without a reboot",
            actions=(*reboots, UpdateConfig(name=node.name, before=config, after=after)),
            required=True,
        ),
        refresh([node.name]),
        Unit(
            title=f"wait up to {seconds} s for the board to let go of its disk",
            node=node.name,
            actions=(DrainExport(export=config.export, seconds=seconds, cut=request.cut),),
        ),
    )
    notes = (
        (f"the board at {config.ip} is running from {node.name} now and will be rebooted",)
        if connected and reboots
        else ()
    )
    title = f"deallocate {node.name} from {config.mac}"
    impact = "many" if connected else "one"
    confirm = node.name if connected else ""
    return plan(site, request, title, units, notes=notes, impact=impact, confirm=confirm)


def resize(site: Site, request: ask.ResizeRoot) -> Plan:
    """Grow a root's disk and file system. Raises Refused, NoSpace."""
    node = rules.root(site, request.name)
    rules.require(rules.can_resize(site, node.name))
    config = node.config
    if request.size <= config.disk.size:
        raise Refused(
            f"{node.name} has {told(config.disk.size)} and a disk can only grow; give a larger size"
        )
    needs = (request.size - config.disk.size) // 50
    with against("size"):
        rules.enough_space(site, needs)
    pending = _with_disk(config, resize_to=request.size)
    grown = _with_disk(config, size=request.size)
    unit = Unit(
        title=f"grow {node.name} to {told(request.size)}",
        node=node.name,
        actions=(
            UpdateConfig(name=node.name, before=config, after=pending),
            ResizeDisk(name=node.name, size=request.size),
            UpdateConfig(name=node.name, before=pending, after=grown),
        ),
    )
    return plan(site, request, f"resize {node.name}", [unit], needs=needs, impact="one")


def _with_disk(config: NodeConfig, **changes: object) -> NodeConfig:
    disk = config.disk.model_copy(update={"resize_to": None, **changes})
    return config.model_copy(update={"disk": disk})


def delete(site: Site, request: ask.DeleteRoot) -> Plan:
    """Move a root to the trash. Raises Refused with all that blocks."""
    node = rules.root(site, request.name)
    rules.require(rules.can_delete(site, node.name))
    action = to_trash(site, node.name)
    unit = Unit(title=f"{node.name} to the trash", node=node.name, actions=(action,))
    frees = node.disk.allocated if node.disk else 0
    notes = (
        f"it comes back with: sbctui undo, for {site.settings.trash_days} days",
        *_default_notes(site, node.name),
    )
    title = f"delete the root {node.name}"
    return plan(
        site,
        request,
        title,
        [unit, refresh([node.name])],
        frees=frees,
        notes=notes,
        impact="many",
        confirm=node.name,
    )


def _default_notes(site: Site, name: str) -> tuple[str, ...]:
    """What becomes of boards whose model gets this root by default."""
    mine = [pattern for pattern, root in site.settings.models.items() if root == name]
    if not mine:
        return ()
    listed = ", ".join(mine)
    remedy = f"sbctui image model {shlex.quote(mine[0])} ROOT, or --none"
    return (
        f"new leaves of boards of the model {listed} get {name} by default and will have no root: "
        f"{remedy}",
    )
