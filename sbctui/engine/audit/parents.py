"""Checks of who lists whom: orphans, mis-parented roots, entries that lead nowhere. Pure.

A root's ``children`` map is the authority; a leaf's ``parent`` only says where it once was.
"""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import (
    allocated,
    changed,
    config_path,
    finding,
    fixed,
    trashable,
)
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.making import to_trash
from sbctui.engine.plan import Action, SetChildren, UpdateConfig, WithdrawExport
from sbctui.engine.rules import leaves


def base_stands(site: Site, node: Node) -> bool:
    """Whether the very disk that an overlay was made on is still there; True for a raw disk."""
    disk = node.config.disk
    if disk.base is None or disk.base in site.broken:
        return True
    base = site.nodes.get(disk.base)
    return base is not None and base.config.created == disk.base_made


def listers(site: Site, name: str) -> tuple[str, ...]:
    """Roots that list a folder, each once."""
    return tuple(dict.fromkeys(site.listed_by.get(name, ())))


def _lost(site: Site, mac: str) -> str | None:
    """The MAC's own leaf, when it is there and no root lists it."""
    name = dashed(mac)
    node = site.nodes.get(name)
    return name if node is not None and not node.is_root and name not in site.listed_by else None


def orphans(site: Site, drift: Drift) -> Iterator[Finding]:
    """Leaves that no root lists."""
    claimed = {mac for root in site.roots for mac in root.config.children}
    for leaf in site.leaves:
        hint = leaf.config.parent or ""
        explained = hint in site.broken or leaf.config.mac in claimed
        if leaf.name in site.listed_by or explained or not base_stands(site, leaf):
            continue
        yield _orphan(site, leaf, hint)


def _orphan(site: Site, leaf: Node, hint: str) -> Finding:
    name = leaf.config.hostname
    parent = site.nodes.get(hint)
    place = f"its own config says {hint}" if hint else "its own config names none"
    found = finding(
        "orphan",
        "orphan",
        leaf.name,
        f"{name} is an orphan: no root lists it",
        f"A leaf belongs to the root whose children map holds its MAC; {place}, "
        f"{_silent_parent(hint, parent)}.",
        proof=f"{config_path(leaf.name)}: parent is {hint or 'empty'}",
        bytes=allocated(leaf),
        since=changed(leaf),
        nodes=(leaf.name,),
    )
    mac = leaf.config.mac or ""
    base = leaf.config.disk.base
    fits = base is None or base == hint
    again = parent is not None and parent.is_root and parent.config.mac is None and fits
    if again:
        action = SetChildren(root=hint, add=(mac,))
        found = fixed(found, f"list {name} in {hint} again", action, node=leaf.name, safe=True)
    if site.sessions_of.get(leaf.config.export):
        reason = f"a board is running from {name}: shut it down, then look again"
        return found.model_copy(
            update={"untrashable": reason, "unfixable": "" if again else reason}
        )
    away = (WithdrawExport(export=leaf.config.export), to_trash(site, leaf.name))
    title = f"move {name} to the trash"
    return trashable(found, title, *away, node=leaf.name, fix=not again)


def _silent_parent(hint: str, parent: Node | None) -> str:
    if not hint:
        return "so there is nowhere to put it back"
    if parent is None:
        return "which is gone"
    if not parent.is_root:
        return "which is no root"
    if parent.config.mac is not None:
        return f"which is allocated to {parent.config.mac} and so can have no leaves"
    return "which does not list it"


def misparented(site: Site, drift: Drift) -> Iterator[Finding]:
    """Roots that stand in somebody's children."""
    for root in site.roots:
        parents = listers(site, root.name)
        if not parents:
            continue
        actions = [_unlist(site, site.nodes[p], root.name) for p in parents]
        keys = [k for p in parents for k in _keys(site.nodes[p], root.name)]
        found = finding(
            "mis-parented",
            "mis-parented",
            root.name,
            f"{root.name} is a root and stands in the children of {', '.join(parents)}",
            "Only leaves have a parent; as long as it is listed there it can be neither "
            "allocated, cloned nor given leaves.",
            proof=f"{config_path(parents[0])}: children has {keys[0]} as {root.name}",
            since=changed(site.nodes[parents[0]]),
            nodes=(root.name, *(lost for k in keys if (lost := _lost(site, k)))),
        )
        title = f"take {root.name} out of the children of {', '.join(parents)}"
        yield fixed(found, title, *actions, node=root.name, safe=True)


def _keys(parent: Node, folder: str) -> tuple[str, ...]:
    return tuple(mac for mac, name in parent.config.children.items() if name == folder)


def _unlist(site: Site, parent: Node, folder: str) -> SetChildren:
    """Drop a folder from a root's children; a key whose own leaf is lost gets that leaf back."""
    keys = _keys(parent, folder)
    back = tuple(mac for mac in keys if _lost(site, mac))
    return SetChildren(root=parent.name, add=back, drop=tuple(k for k in keys if k not in back))


def entries(site: Site, drift: Drift) -> Iterator[Finding]:
    """Entries of children maps that lead nowhere, or to another board's leaf."""
    making = any(s.kind == "staging" and s.live for s in site.strays)
    for root in site.roots:
        for mac, folder in root.config.children.items():
            own = folder == dashed(mac)
            if own and (folder in site.nodes or folder in site.broken):
                continue
            if folder not in site.nodes:
                yield _leads_nowhere(site, root, mac, folder, making=making)
            elif not site.nodes[folder].is_root and len(listers(site, folder)) == 1:
                yield _wrong_key(site, root, mac, site.nodes[folder])


def _leads_nowhere(site: Site, root: Node, mac: str, folder: str, *, making: bool) -> Finding:
    found = finding(
        "child-missing",
        "missing",
        f"{root.name}/{mac}",
        f"{root.name} lists {mac}, and its folder is not there",
        f"The children of {root.name} say that {mac} is the leaf nodes/{folder}; there is no such "
        "folder, so the board can't boot and its MAC is taken for nothing.",
        proof=f"{config_path(root.name)}: children has {mac} as {folder}",
        since=changed(root),
        nodes=(folder, dashed(mac)),
    )
    if _lost(site, mac):
        action = SetChildren(root=root.name, add=(mac,))
        return fixed(found, f"let {mac} stand for its own leaf", action, node=root.name, safe=True)
    if making:
        reason = "a job is making nodes now and may be about to make this one: look again after it"
        return found.model_copy(update={"unfixable": reason})
    action = SetChildren(root=root.name, drop=(mac,))
    title = f"take {mac} out of the children of {root.name}"
    return fixed(found, title, action, node=root.name, safe=True)


def _wrong_key(site: Site, root: Node, mac: str, leaf: Node) -> Finding:
    found = finding(
        "child-key",
        "conflict",
        f"{root.name}/{mac}",
        f"{root.name} lists {leaf.config.hostname} under another board's MAC, {mac}",
        f"A child's key is its leaf's own MAC, which is {leaf.config.mac}.",
        proof=f"{config_path(root.name)}: children has {mac} as {leaf.name}",
        since=changed(root),
        nodes=(leaf.name, dashed(mac)),
    )
    own = leaf.config.mac or ""
    add = () if own in root.config.children else (own,)
    back = (mac,) if _lost(site, mac) else ()
    action = SetChildren(root=root.name, add=(*add, *back), drop=() if back else (mac,))
    title = f"list {leaf.config.hostname} under {own}"
    return fixed(found, title, action, node=leaf.name, safe=True)


def two_parents(site: Site, drift: Drift) -> Iterator[Finding]:
    """Leaves that more than one root lists, and leaves whose own word differs from the list."""
    for leaf in site.leaves:
        parents = listers(site, leaf.name)
        if len(parents) > 1:
            yield _keep_one(site, leaf, parents)
        elif parents and _misplaced(leaf, parents[0]):
            yield _other_base(site, leaf, parents[0])
        elif parents and leaf.config.parent != parents[0]:
            yield _other_hint(leaf, parents[0])


def _keep_one(site: Site, leaf: Node, parents: tuple[str, ...]) -> Finding:
    config = leaf.config
    likely = (config.disk.base, config.parent, config.cloned_from, parents[0])
    keep = next(name for name in likely if name in parents)
    others = [name for name in parents if name != keep]
    actions: list[Action] = [_unlist(site, site.nodes[name], leaf.name) for name in others]
    mac = config.mac or ""
    if mac not in site.nodes[keep].config.children:
        wrong = _keys(site.nodes[keep], leaf.name)
        actions.append(SetChildren(root=keep, add=(mac,), drop=wrong))
    found = finding(
        "two-parents",
        "conflict",
        leaf.name,
        f"{config.hostname} is listed by {len(parents)} roots: {', '.join(parents)}",
        f"A leaf has one root. Its own config says {config.parent or 'none'}.",
        proof=f"{config_path(others[0])}: children has {leaf.name}",
        since=changed(site.nodes[others[0]]),
        nodes=(leaf.name,),
    )
    title = f"keep it in {keep}, take it out of {', '.join(others)}"
    return fixed(found, title, *actions, node=leaf.name, safe=True)


def _misplaced(leaf: Node, parent: str) -> bool:
    return leaf.config.disk.base is not None and leaf.config.disk.base != parent


def _other_base(site: Site, leaf: Node, parent: str) -> Finding:
    base = leaf.config.disk.base or ""
    found = finding(
        "other-base",
        "conflict",
        leaf.name,
        f"{leaf.config.hostname} is listed by {parent}, and its disk stands on {base}",
        f"An overlay belongs to the root whose disk it needs, or {base} could be changed under it.",
        proof=f"{config_path(parent)}: children has {leaf.name}",
        since=changed(site.nodes[parent]),
        nodes=(leaf.name,),
    )
    home = site.nodes.get(base)
    if home is None or not home.is_root or home.config.mac is not None:
        reason = f"{base} can take no leaves now: put it back, or deallocate it, then look again"
        return found.model_copy(update={"unfixable": reason})
    actions: list[Action] = [
        _unlist(site, site.nodes[parent], leaf.name),
        SetChildren(root=base, add=(leaf.config.mac or "",)),
    ]
    if leaf.config.parent != base:
        actions.append(_rehint(leaf, base))
    return fixed(found, f"list it in {base}", *actions, node=leaf.name, safe=True)


def _rehint(leaf: Node, parent: str) -> UpdateConfig:
    after = leaf.config.model_copy(update={"parent": parent})
    return UpdateConfig(name=leaf.name, before=leaf.config, after=after)


def _other_hint(leaf: Node, parent: str) -> Finding:
    found = finding(
        "parent-hint",
        "conflict",
        leaf.name,
        f"{leaf.config.hostname} calls {leaf.config.parent or 'nobody'} its parent, "
        f"and {parent} lists it",
        "The list decides. The leaf's own word is needed only to put it back when it is an "
        "orphan, and then it would go to the wrong place.",
        proof=f"{config_path(leaf.name)}: parent is {leaf.config.parent or 'empty'}",
        since=changed(leaf),
        nodes=(leaf.name,),
    )
    return fixed(
        found, f"note {parent} as its parent", _rehint(leaf, parent), node=leaf.name, safe=True
    )


def allocated_parents(site: Site, drift: Drift) -> Iterator[Finding]:
    """Roots that are allocated and have leaves: the board would change what the leaves copy."""
    for root in site.roots:
        if root.config.mac is None or not root.config.children:
            continue
        count = leaves(len(root.config.children))
        yield finding(
            "allocated-parent",
            "conflict",
            root.name,
            f"{root.name} is allocated to {root.config.mac} and has {count}",
            "A root with leaves can't be allocated: what its board writes changes the disk that "
            "its leaves were made from.",
            proof=f"{config_path(root.name)}: mac is {root.config.mac}, and children is not empty",
            since=changed(root),
            nodes=(root.name,),
            unfixable=f"which of the two is meant only you know: sbctui root deallocate "
            f"{root.name}, or sbctui leaf delete {root.name} --all",
        )
