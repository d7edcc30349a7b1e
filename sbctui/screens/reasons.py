"""What is possible now: for every action None, or the sentence that says why not.

Every sentence names the thing and what would lift it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sbctui.engine import rules
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean

Why = Callable[[Site, Sequence[str], str], str | None]
"""Site, names of the nodes acted on, key of the row under the cursor → None, or the sentence."""
Rule = Callable[[Site, str], str | None]


def parent(site: Site, name: str) -> str:
    """The root that a node belongs to: itself or its lister; empty when none."""
    if name in site.nodes and site.nodes[name].is_root:
        return name
    listed = site.listed_by.get(name, ())
    return listed[0] if listed else ""


def shown(site: Site, name: str) -> str:
    """A node as people know it."""
    return site.nodes[name].config.hostname if name in site.nodes else clean(name)


def _no_node(site: Site, row: str, wanted: str) -> str:
    """Why nothing can be done with a row that is no node."""
    kind, _, name = row.partition(":")
    if kind == "broken" and name in site.broken:
        why = clean(site.broken[name].reason)
        return f"{clean(name)} is broken: {why}; o opens the audit, which can mend or trash it"
    if kind == "stray":
        return f"{clean(name)} is no node; o opens the audit, which can trash it"
    if kind == "seen":
        return f"{clean(name)} has no node yet; L makes a leaf for it, a on a root allocates one"
    if kind == "group":
        return f"this row is only the heading of the {clean(name)}; choose one under it"
    return f"there is {wanted} to choose first: put the cursor on it"


def _one(what: str, rule: Rule) -> Why:
    """A verb of one root; ``what`` is done to roots one at a time."""

    def why(site: Site, names: Sequence[str], row: str) -> str | None:
        if not names:
            return _no_node(site, row, "a root")
        if len(names) > 1:
            return f"roots are {what} one at a time and {len(names)} nodes are marked; U unmarks"
        (name,) = names
        if not site.nodes[name].is_root:
            root = parent(site, name) or "a root"
            return f"{shown(site, name)} is a leaf and this is for roots; put the cursor on {root}"
        return rule(site, name)

    return why


def _deallocate(site: Site, name: str) -> str | None:
    if site.nodes[name].config.mac is None:
        return f"{name} is not allocated, so there is nothing to take away; a allocates it"
    return rules.can_deallocate(site, name)


def _delete_all(site: Site, name: str) -> str | None:
    if not site.nodes[name].config.children:
        return f"{name} has no leaves to delete; b makes some, D deletes the root itself"
    return rules.can_delete_leaves(site, name)


def _create(site: Site, names: Sequence[str], row: str) -> str | None:
    return rules.can_create_root(site)


def _leaves(site: Site, names: Sequence[str], row: str) -> str | None:
    root = parent(site, names[0]) if names else ""
    if root:
        return rules.can_create_leaves(site, root)
    whys = [rules.can_create_leaves(site, r.name) for r in site.roots]
    if not whys:
        return "there is no root to make leaves of; n creates one"
    return whys[0] if all(whys) else None


def _delete(site: Site, names: Sequence[str], row: str) -> str | None:
    if not names:
        return _no_node(site, row, "a root or a leaf")
    roots = [n for n in names if site.nodes[n].is_root]
    if roots and len(names) > 1:
        return f"{roots[0]} is a root and {len(names)} nodes are marked; roots go alone: U unmarks"
    if roots:
        return rules.can_delete(site, roots[0])
    lone = next((n for n in names if not parent(site, n)), None)
    if lone is not None:
        return (
            f"{shown(site, lone)} belongs to no root; T attaches it, o opens the audit to trash it"
        )
    parents = {parent(site, n) for n in names}
    if len(parents) > 1:
        listed = ", ".join(sorted(parents))
        return f"the marks span {len(parents)} roots ({listed}); delete one root's leaves at a time"
    return rules.can_delete_leaves(site, parents.pop())


def _one_node(what: str, rule: Rule) -> Why:
    def why(site: Site, names: Sequence[str], row: str) -> str | None:
        if not names:
            return _no_node(site, row, "a root or a leaf")
        if len(names) > 1:
            return f"nodes are {what} one at a time and {len(names)} are marked; U unmarks"
        return rule(site, names[0])

    return why


def _writable(site: Site, name: str) -> str | None:
    return rules.can_create_root(site)


def _rename(site: Site, name: str) -> str | None:
    if site.nodes[name].is_root:
        return rules.can_rename(site, name)
    return _writable(site, name)


def _initramfs(site: Site, name: str) -> str | None:
    boot = site.nodes[name].config.boot
    if not boot.kernel and not boot.initramfs:
        return (
            f"{shown(site, name)} has no kernel, so no initramfs either; n with an OS image makes "
            "a root that has"
        )
    return rules.can_use_initramfs(site, name)


def _bootkit(site: Site, names: Sequence[str], row: str) -> str | None:
    return rules.can_build_bootkit(site)


def _attach(site: Site, names: Sequence[str], row: str) -> str | None:
    if not names:
        return _no_node(site, row, "an orphan")
    if len(names) > 1:
        return f"orphans are attached one at a time and {len(names)} nodes are marked; U unmarks"
    (name,) = names
    if site.nodes[name].is_root:
        return f"{name} is a root and this is for orphans: leaves that no root lists"
    listed = site.listed_by.get(name, ())
    if listed:
        return f"{shown(site, name)} is no orphan: {listed[0]} lists it; D there deletes it"
    whys = [rules.can_adopt(site, name, r.name) for r in site.roots]
    if all(whys):
        why = f"no root can take {shown(site, name)}"
        base = site.nodes[name].config.disk.base
        return (
            f"{why}: {next((w for w in whys if w and base and base in w), whys[0])}"
            if whys
            else (f"{why}: there is none; n creates one")
        )
    return rules.can_attach(site, name)


def _undo(site: Site, names: Sequence[str], row: str) -> str | None:
    return no_undo(site)


def no_undo(site: Site) -> str | None:
    """Why nothing that was deleted can be brought back, or None."""
    if not site.trash:
        return "there is nothing to undo: the trash is empty; what D deletes, z brings back"
    return rules.can_create_root(site)


def _export(site: Site, names: Sequence[str], row: str) -> str | None:
    if not names:
        return _no_node(site, row, "a root or a leaf")
    whys = [rules.can_export(site, n) for n in names]
    return next((why for why in whys if why), None)


def _import(site: Site, names: Sequence[str], row: str) -> str | None:
    return rules.can_import(site)


def _overlays(site: Site, names: Sequence[str], row: str) -> str | None:
    if not names:
        return _no_node(site, row, "a leaf")
    if len(names) > 1:
        return f"files are shown of one leaf at a time and {len(names)} are marked; U unmarks"
    if site.nodes[names[0]].is_root:
        return f"{names[0]} is a root, and files are laid over leaves; put the cursor on one"
    return None


_WHY: Mapping[str, Why] = {
    "create": _create,
    "clone": _one("cloned", rules.can_clone),
    "bulk": _leaves,
    "leaf": _leaves,
    "allocate": _one("allocated", rules.can_allocate),
    "deallocate": _one("deallocated", _deallocate),
    "edit": _one_node("edited", _writable),
    "rename": _one_node("renamed", _rename),
    "resize": _one("resized", rules.can_resize),
    "initramfs": _one_node("given another initramfs", _initramfs),
    "bootkit": _bootkit,
    "attach": _attach,
    "export": _export,
    "import": _import,
    "delete": _delete,
    "delete_all": _one("emptied", _delete_all),
    "undo": _undo,
    "overlays": _overlays,
}


def why_not(action: str, site: Site | None, names: Sequence[str], row: str = "") -> str | None:
    """Why an action of ``actions.HOME`` is not possible now, or None.

    ``names`` are the nodes acted on; ``row`` is the key under the cursor, which may be none.
    """
    if action not in _WHY:
        return None
    if site is None:
        return "the site has not been read yet; wait a moment"
    return _WHY[action](site, names, row)
