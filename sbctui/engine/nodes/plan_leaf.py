"""Plans for leaves: create, delete, attach, and editing any node."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed, undashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.addressing import Addresses, Chosen
from sbctui.engine.nodes.making import (
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
    DropMissingChildren,
    PersonaliseDisk,
    Plan,
    PublishNode,
    SetChildren,
    StageNode,
    Unit,
    UpdateConfig,
    WithdrawExport,
    WriteNode,
)
from sbctui.engine.repository.overlay_making import lay, regrouped, told

_SHOWN = 3


def create(site: Site, request: ask.CreateLeaves) -> Plan:
    """One leaf per MAC; those that are there already are left alone. Raises Refused, NoSpace."""
    root = rules.root(site, request.root)
    rules.require(rules.can_create_leaves(site, root.name))
    wanted, notes = _wanted(site, root, request)
    macs = tuple(spec.mac for spec in wanted)
    needs = clone_bytes(site, root) * len(wanted)
    rules.enough_space(site, needs, NODE_INODES * len(wanted))
    covers = {cover.leaf: cover for cover in request.covers}
    needs += sum(cover.bytes for name, cover in covers.items() if undashed(name) in macs)
    addresses = _addresses(site, request.network)
    units: list[Unit] = []
    for spec in wanted:
        chosen = _address(site, addresses, spec)
        notes += list(chosen.notes) if chosen else []
        units.append(_leaf_unit(site, root, spec, chosen, covers.get(dashed(spec.mac))))
    if wanted and site.settings.network.subnet is None:
        notes.append("this site has no subnet yet: the leaves get addresses when it has one")
    if units:
        notes += hindered(root.name, request.hindrance)
        units = [
            reserve(root.name, macs),
            *units,
            unlist_missing(root.name, macs),
            refresh(dashed(mac) for mac in macs),
        ]
    title = f"create {rules.leaves(len(wanted))} of {root.name}"
    return plan(site, request, title, units, needs=needs, notes=tuple(notes), hold=False)


def _wanted(
    site: Site, root: Node, request: ask.CreateLeaves
) -> tuple[list[ask.LeafSpec], list[str]]:
    """The leaves still to be made, checked, and a note for each that is there already."""
    wanted: list[ask.LeafSpec] = []
    notes: list[str] = []
    macs: set[str] = set()
    aliases: set[str] = set()
    for spec in request.leaves:
        if spec.mac in macs:
            raise Refused(f"{spec.mac} is listed twice; give each board once")
        if spec.alias and spec.alias in aliases:
            raise Refused(f"the alias {spec.alias} is listed twice; give each board its own")
        macs.add(spec.mac)
        aliases.add(spec.alias)
        if root.config.children.get(spec.mac) in site.nodes:
            notes.append(f"{spec.mac} is a leaf of {root.name} already and is left alone")
            continue
        if spec.mac not in root.config.children:
            rules.require(rules.free_mac(site, spec.mac))
        rules.require(rules.free_name(site, dashed(spec.mac)))
        if spec.alias:
            rules.require(rules.free_alias(site, spec.alias))
        wanted.append(spec)
    return wanted, notes


def _addresses(site: Site, network: str) -> Addresses:
    """Those of a network that there is. Raises BadInput."""
    if network:
        site.settings.network.lot(network)
    return Addresses(site, network)


def _address(site: Site, addresses: Addresses, spec: ask.LeafSpec) -> Chosen | None:
    if site.settings.network.subnet is None and spec.ip is None:
        return None
    return addresses.choose(spec.alias, explicit=spec.ip, resolved=spec.resolved)


def _leaf_unit(
    site: Site, root: Node, spec: ask.LeafSpec, chosen: Chosen | None, cover: ask.Cover | None
) -> Unit:
    name = dashed(spec.mac)
    overlay = site.facts.store == "overlay"
    source = root.config.disk
    config = NodeConfig(
        kind="leaf",
        name=name,
        alias=spec.alias,
        group=spec.group,
        mac=spec.mac,
        ip=chosen.ip if chosen else None,
        ip_rule=chosen.rule if chosen else None,
        parent=root.name,
        disk=DiskSpec(
            format="qcow2" if overlay else "raw",
            size=source.size,
            base=root.name if overlay else None,
            base_made=root.config.created if overlay else None,
            filesystem=source.filesystem,
        ),
        boot=root.config.boot,
        created=made(site),
        cloned_from=root.name,
        origin=root.config.origin,
        store=site.facts.store,
        promise="clean",
    )
    what = site.settings.personalise.what if source.filesystem == "ext4" else ()
    personal: tuple[Action, ...] = (
        (PersonaliseDisk(name=name, hostname=config.hostname, what=what),) if what else ()
    )
    detail = f"{config.hostname}  {chosen.ip} ({chosen.rule})" if chosen else config.hostname
    if cover is not None:
        personal = (*personal, lay(site, config, root.name, cover, required=False))
        detail += f"  {told(cover)}"
    return Unit(
        title=f"leaf {name}",
        node=name,
        detail=detail,
        actions=(
            StageNode(name=name),
            CloneDisk(name=name, source=root.name, store=site.facts.store),
            *personal,
            WriteNode(name=name, config=config),
            PublishNode(name=name),
        ),
    )


def reserve(root: str, macs: tuple[str, ...]) -> Unit:
    """The first unit of a plan that makes leaves: their root lists them before they are there."""
    action = SetChildren(root=root, add=macs)
    title = f"list them in {root}"
    return Unit(title=title, node=root, actions=(action,), required=True, counts=False)


def unlist_missing(root: str, macs: tuple[str, ...]) -> Unit:
    """The last unit of a plan that makes or deletes leaves: their root lists those there are."""
    action = DropMissingChildren(root=root, macs=macs)
    return Unit(title=f"settle the children of {root}", node=root, actions=(action,), always=True)


def delete(site: Site, request: ask.DeleteLeaves) -> Plan:
    """Leaves of a root to the trash, all or those named. Raises Refused, NoSuchNode."""
    root = rules.root(site, request.root)
    rules.require(rules.can_delete_leaves(site, root.name))
    children = root.config.children
    macs = tuple(children) if request.macs is None else tuple(dict.fromkeys(request.macs))
    unknown = [mac for mac in macs if mac not in children]
    if unknown:
        raise NoSuchNode(
            f"{unknown[0]} is no leaf of {root.name}; list them with: sbctui leaf list {root.name}"
        )
    folders = [children[mac] for mac in macs]
    connected = [f for f in folders if f in site.nodes and rules.connected(site, f)]
    if connected and not request.cut:
        raise Refused(_running(site, connected))
    units = [_trash_unit(site, site.nodes[f], cut=request.cut) for f in folders if f in site.nodes]
    disks = [site.nodes[f].disk for f in folders if f in site.nodes]
    days = site.settings.trash_days
    return plan(
        site,
        request,
        f"delete {rules.leaves(len(macs))} of {root.name}",
        [*units, unlist_missing(root.name, macs), refresh(folders)],
        frees=sum(disk.allocated for disk in disks if disk),
        notes=(f"they come back with: sbctui undo, for {days} days",),
        impact="one" if len(macs) == 1 and not connected else "many",
        confirm="" if len(macs) == 1 and not connected else str(len(macs)),
    )


def _running(site: Site, names: list[str]) -> str:
    shown = ", ".join(site.nodes[n].config.hostname for n in names[:_SHOWN])
    more = " …" if len(names) > _SHOWN else ""
    return (
        f"boards are running from {rules.leaves(len(names))} ({shown}{more}); "
        "shut them down first, or say --cut to pull their disks away"
    )


def _trash_unit(site: Site, node: Node, *, cut: bool) -> Unit:
    return Unit(
        title=f"{node.name} to the trash",
        node=node.name,
        detail=node.config.hostname,
        actions=(
            WithdrawExport(export=node.config.export, cut=cut),
            to_trash(site, node.name),
        ),
    )


def attach(site: Site, request: ask.AttachLeaf) -> Plan:
    """List an orphan in a root's children again. Raises Refused."""
    leaf = rules.leaf(site, request.name)
    root = rules.root(site, request.root)
    rules.require(rules.can_attach(site, leaf.name))
    rules.require(rules.can_adopt(site, leaf.name, root.name))
    changes: dict[str, object] = {"parent": root.name}
    notes: tuple[str, ...] = ()
    if request.network:
        rules.require(rules.connected(site, leaf.name))
        addresses = _addresses(site, request.network)
        chosen = addresses.choose(leaf.config.alias, but=leaf.name)
        changes |= {"ip": chosen.ip, "ip_rule": chosen.rule}
        notes = (*chosen.notes, chosen.sentence(leaf.config.hostname))
    after = leaf.config.model_copy(update=changes)
    unit = Unit(
        title=f"attach {leaf.name} to {root.name}",
        node=leaf.name,
        actions=(
            UpdateConfig(name=leaf.name, before=leaf.config, after=after),
            SetChildren(root=root.name, add=(leaf.config.mac or "",)),
        ),
    )
    title = f"attach {leaf.name} to {root.name}"
    units = [unit, refresh([leaf.name])]
    return plan(site, request, title, units, notes=notes, impact="reversible")


def edit(site: Site, request: ask.EditNode) -> Plan:
    """Change alias, group, notes or a leaf's address. Raises Refused."""
    node = rules.node(site, request.name)
    changes: dict[str, object] = {
        key: value
        for key in ("alias", "group", "notes")
        if (value := getattr(request, key)) is not None
    }
    notes: tuple[str, ...] = ()
    if request.alias:
        if node.is_root:
            raise Refused(f"{node.name} is a root and is shown by its own name; notes are free")
        rules.require(rules.free_alias(site, request.alias, but=node.name))
        if "hostname" in node.config.personalised:
            notes = (f"inside its disk the host name stays {node.config.hostname}",)
    if request.group is not None:
        notes += regrouped(site, (node.name,), request.group)
    if request.ip is not None:
        if node.config.mac is None:
            raise Refused(f"{node.name} is not allocated, so it has no address")
        rules.require(rules.connected(site, node.name))
        chosen = Addresses(site).choose("", explicit=request.ip, but=node.name)
        changes |= {"ip": chosen.ip, "ip_rule": chosen.rule}
    after = node.config.model_copy(update=changes)
    units: list[Unit] = []
    if after != node.config:
        action = UpdateConfig(name=node.name, before=node.config, after=after)
        changed = ", ".join(f"{key} {value}" for key, value in changes.items())
        units = [
            Unit(title=f"edit {node.name}", node=node.name, detail=changed, actions=(action,)),
            refresh([node.name]),
        ]
    return plan(site, request, f"edit {node.name}", units, notes=notes, impact="reversible")
