"""Plans for the trash: restore (which is undo) and purge."""

from __future__ import annotations

from collections.abc import Iterable

from sbctui.engine import rules
from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.repository import OWN
from sbctui.engine.model.site import Site, Trashed
from sbctui.engine.model.text import clean
from sbctui.engine.model.trashed import gathered, image_of, told
from sbctui.engine.nodes.making import plan, refresh, relisted, with_it
from sbctui.engine.plan import (
    DropMissingChildren,
    Plan,
    PurgeFolder,
    RestoreNode,
    RestoreStray,
    SetChildren,
    Unit,
)
from sbctui.engine.repository.overlay_places import taken


def _entries(site: Site, folders: Iterable[str]) -> list[Trashed]:
    """The entries, an image's with the files that went beside it."""
    known = {entry.folder: (entry,) for entry in site.trash} | dict(gathered(site.trash))
    for folder in folders:
        if folder not in known:
            raise NoSuchNode(f"{shown(folder)} is not in the trash; see: sbctui trash list")
    all_ = {entry.folder: entry for folder in folders for entry in known[folder]}
    return list(all_.values())


def restore(site: Site, request: ask.RestoreTrash) -> Plan:
    """Bring deleted nodes back, roots before their leaves. Raises Refused, NoSuchNode."""
    entries = _entries(site, request.folders)
    if not entries:
        raise Refused("nothing is named; see: sbctui trash list")
    entries.sort(key=lambda e: (e.config is not None and e.config.kind == "leaf", e.folder))
    back = {e.name for e in entries}
    if len(back) < len(entries):
        raise Refused("two of these have the same name; restore one of them")
    for entry in entries:
        rules.require(_why_not(site, entry, back))
    whole = gathered(entries)
    units = [_restore_unit(*whole[e.folder]) for e in entries if e.folder in whole]
    names = sorted(told(all_[0]) for all_ in whole.values())
    title = f"restore {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
    nodes = [e.name for e in entries if not e.origin]
    after = [*_settle(entries), refresh(nodes)] if nodes else relisted(site)
    return plan(site, request, title, [*units, *after], impact="reversible")


def _why_not(site: Site, entry: Trashed, back: set[str]) -> str | None:
    if entry.origin:
        return _why_no_stray(site, entry.origin)
    if reason := rules.free_name(site, entry.name):
        return f"{entry.folder} can't come back: {reason}"
    if place := taken(site, entry.overlays):
        return f"{entry.folder} can't come back: {clean(place)} is there already; move it away"
    config = entry.config
    if config is None:
        return f"the config.json of {entry.folder} can't be read, so it can't come back as a node"
    if config.kind == "root":
        return None
    parent = config.parent or ""
    if parent not in site.nodes and parent not in back:
        return f"{entry.name} can't come back: its root {parent} is gone; restore that first"
    reasons = [
        config.mac and config.mac in site.by_mac and rules.free_mac(site, config.mac),
        config.ip and rules.free_ip(site, config.ip),
        config.alias and rules.free_alias(site, config.alias),
        _other_base(site, entry, back),
    ]
    found = [reason for reason in reasons if reason]
    return f"{entry.name} can't come back: {found[0]}" if found else None


def _why_no_stray(site: Site, path: str) -> str | None:
    taken = {f"nodes/{name}" for name in (*site.nodes, *site.broken)}
    if path in taken or any(stray.path == path for stray in site.strays):
        return f"{clean(path)} can't come back: there is something in its place"
    return None


def _other_base(site: Site, entry: Trashed, back: set[str]) -> str | None:
    disk = entry.config.disk if entry.config else None
    if disk is None or disk.base is None or disk.base in back:
        return None
    base = site.nodes.get(disk.base)
    if base is not None and base.config.created == disk.base_made:
        return None
    return f"its disk stands on an older {disk.base} that is gone"


def _restore_unit(entry: Trashed, *beside: Trashed) -> Unit:
    if entry.origin:
        back = tuple(RestoreStray(folder=e.folder, path=e.origin) for e in (entry, *beside))
        return Unit(title=f"restore {told(entry)}", detail=with_it(beside), actions=back)
    config = entry.config
    listed: tuple[SetChildren, ...] = ()
    if config is not None and config.kind == "leaf" and config.parent and config.mac:
        listed = (SetChildren(root=config.parent, add=(config.mac,)),)
    return Unit(
        title=f"restore {entry.name}",
        node=entry.name,
        actions=(
            *listed,
            RestoreNode(folder=entry.folder, name=entry.name, overlays=entry.overlays),
        ),
    )


def _settle(entries: list[Trashed]) -> list[Unit]:
    macs: dict[str, list[str]] = {}
    for entry in entries:
        if entry.config is not None and entry.config.parent and entry.config.mac:
            macs.setdefault(entry.config.parent, []).append(entry.config.mac)
    return [
        Unit(
            title=f"settle the children of {root}",
            node=root,
            actions=(DropMissingChildren(root=root, macs=tuple(listed)),),
            always=True,
        )
        for root, listed in macs.items()
    ]


def purge(site: Site, request: ask.PurgeTrash) -> Plan:
    """Delete trash folders for good, leaves first. Raises Refused, NoSuchNode."""
    entries = _entries(site, request.folders)
    entries.sort(key=lambda e: (e.config is None or e.config.kind == "root", e.folder))
    going = {e.folder for e in entries}
    for entry in entries:
        rules.require(_needed(site, entry, going))
    units = [
        Unit(title=f"purge {e.folder}", node=clean(e.name), actions=(PurgeFolder(folder=e.folder),))
        for e in entries
    ]
    heads = [all_[0] for all_ in gathered(entries).values()]
    count = len(heads)
    title = f"purge {count} {'entry' if count == 1 else 'entries'} of the trash for good"
    frees = sum(e.allocated for e in entries)
    confirm = _shown(heads[0]) if count == 1 else "purge"
    return plan(
        site, request, title, units, frees=frees, impact="purge", confirm=confirm, hold=False
    )


def _shown(entry: Trashed) -> str:
    if image := image_of(entry):
        return image.rpartition("/")[2].removeprefix(f"{OWN}:")
    return entry.config.hostname if entry.config else entry.name


def _needed(site: Site, entry: Trashed, going: set[str]) -> str | None:
    """Why a trashed root must stay: an overlay elsewhere in the trash stands on it."""
    if entry.config is None or entry.config.kind != "root":
        return None
    for other in site.trash:
        disk = other.config.disk if other.config else None
        on_it = disk and disk.base == entry.name and disk.base_made == entry.config.created
        if on_it and other.folder not in going:
            return f"{other.folder} in the trash stands on the disk of {entry.name}: purge it too"
    return None
