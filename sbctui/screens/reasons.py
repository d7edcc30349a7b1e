"""What is possible now: for every action None, or the sentence that says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sbctui.engine import rules
from sbctui.engine.model.site import Site

Why = Callable[[Site, Sequence[str]], str | None]
"""Site and the names acted on → None, or the sentence."""


def _site(rule: Callable[[Site], str | None]) -> Why:
    return lambda site, names: rule(site)


def _one_root(rule: Callable[[Site, str], str | None]) -> Why:
    def why(site: Site, names: Sequence[str]) -> str | None:
        if not names:
            return "put the cursor on a root first"
        if len(names) > 1:
            return f"this takes one root and {len(names)} nodes are marked; U unmarks"
        if names[0] in site.broken:
            return f"{names[0]} is broken: {site.broken[names[0]].reason}; o shows the audit"
        return rule(site, names[0])

    return why


def _each(rule: Callable[[Site, str], str | None]) -> Why:
    def why(site: Site, names: Sequence[str]) -> str | None:
        if not names:
            return "put the cursor on a node first, or mark some with space"
        return next((reason for n in names if (reason := rule(site, n))), None)

    return why


def parent(site: Site, name: str) -> str:
    """The root that a node belongs to: itself, its lister, or its hint; empty when none."""
    if name in site.nodes and site.nodes[name].is_root:
        return name
    listed = site.listed_by.get(name, ())
    return listed[0] if listed else ""


def _bulk(site: Site, names: Sequence[str]) -> str | None:
    root = parent(site, names[0]) if names else ""
    if root:
        return rules.can_create_leaves(site, root)
    return None if site.roots else "there is no root to make leaves of; n creates one"


def _delete(site: Site, names: Sequence[str]) -> str | None:
    roots = [n for n in names if n in site.nodes and site.nodes[n].is_root]
    if roots and len(names) > 1:
        return "roots are deleted one at a time; U unmarks"
    parents = {parent(site, n) for n in names} - {""}
    if len(parents) > 1:
        listed = ", ".join(sorted(parents))
        return f"the marks span {len(parents)} roots ({listed}); delete one root's leaves at a time"
    lone = next((n for n in names if not parent(site, n)), None)
    if lone is not None:
        return f"{lone} belongs to no root; the audit (o) offers what can be done with it"
    return _each(rules.can_delete)(site, names)


def _edit(site: Site, names: Sequence[str]) -> str | None:
    if len(names) != 1 or names[0] not in site.nodes:
        return "put the cursor on one node first"
    return None if site.facts.writable else f"{site.path} can't be written"


_WHY: Mapping[str, Why] = {
    "create": _site(rules.can_create_root),
    "clone": _one_root(rules.can_clone),
    "bulk": _bulk,
    "allocate": _one_root(rules.can_allocate),
    "deallocate": _one_root(rules.can_deallocate),
    "edit": _edit,
    "resize": _one_root(rules.can_resize),
    "delete": _delete,
}


def why_not(action: str, site: Site | None, names: Sequence[str]) -> str | None:
    """Why an action of ``actions.ACTIONS`` is not possible now, or None."""
    if action not in _WHY:
        return None
    if site is None:
        return "the site has not been read yet"
    return _WHY[action](site, names)
