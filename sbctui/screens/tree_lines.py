"""The home screen's tree as keys and lines; pure functions of one Site."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.home_lines import TONES, name_of, up_in, word, working, wrong
from sbctui.screens.ordering import Order, sort_names
from sbctui.screens.totals import kept, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site


def tree(
    site: Site, opened: Collection[str], passed: Collection[str] | None, order: Order
) -> list[str]:
    """The tree's keys: what is wrong first, then the roots with the leaves of the open ones.

    ``passed`` are the nodes that a filter lets through (None = no filter); their roots stay.
    """
    keys: list[str] = []
    for group, members in _groups(site).items():
        members = [k for k in members if passed is None or name_of(k) in passed]
        if members:
            keys.append(f"group:{group}")
            if passed is not None or f"group:{group}" in opened:
                keys += members
    by_name = totals(site)
    roots = sorted((r.name for r in site.roots), key=by_name.rank.__getitem__)
    for root in sort_names(site, roots, order):
        inside: Sequence[str] = by_name.inside[root]
        if passed is not None:
            inside = [c for c in inside if c in passed]
            if not inside and root not in passed:
                continue
        keys.append(f"root:{root}")
        if passed is not None or f"root:{root}" in opened:
            keys += [f"leaf:{c}" for c in sort_names(site, inside, order)]
    return keys


def _groups(site: Site) -> dict[str, list[str]]:
    return {
        "orphans": [f"leaf:{n.name}" for n in totals(site).orphans],
        "broken": [f"broken:{name}" for name in sorted(site.broken)],
        "strays": [f"stray:{s.path}" for s in site.strays if not working(site, s)],
    }


def tree_line(site: Site, opened: Collection[str] | None, key: str, width: int) -> Line:
    """One line of the tree; ``opened`` None while a filter shows all as open."""
    kind, _, name = key.partition(":")
    if kind == "group":
        return _group_line(site, name, width, opened is None or key in opened)
    if kind == "stray":
        stray = next((s for s in site.strays if s.path == name), None)
        return _columns(f"  {clean(name)}", fmt.size(stray.allocated if stray else 0), "", width)
    if kind == "broken":
        broken = site.broken.get(name)
        size = fmt.size(broken.allocated) if broken else ""
        return _columns(f"  {clean(name)}", size, "broken", width)
    node = site.nodes.get(name)
    if node is None:
        return ((clean(name), "dim"),)
    if kind == "leaf":
        shown = f"  {clean(node.config.hostname)}"
        return _columns(shown, fmt.size(kept(node)), word(site, name), width)
    return _root_line(site, node, width, opened is None or key in opened)


def _root_line(site: Site, root: Node, width: int, is_open: bool) -> Line:
    """A root: how many leaves, and while the services run how many of them are up."""
    state, leaves = word(site, root.name), len(totals(site).inside[root.name])
    sign = ("v" if is_open else ">") if leaves else "-"
    tail = state
    if leaves and state != "mis-par":
        up = f"{up_in(site).get(root.name, 0)}/{leaves}"
        wide = f"{up} up"
        tail = next((t for t in (wide, up) if len(t) <= _last(width)), str(leaves))
        tail = tail if site.facts.serving else str(leaves)
    return _columns(f"{sign} {clean(root.name)}", fmt.size(kept(root)), tail, width)


def _group_line(site: Site, group: str, width: int, is_open: bool) -> Line:
    count, size = wrong(site)[group]
    sign = "v" if is_open else ">"
    return _columns(f"{sign} ! {group}", fmt.size(size), str(count), width, "bad")


def _last(width: int) -> int:
    return 6 if width < 34 else 9


def _columns(left: str, size: str, tail: str, width: int, tone: str = "") -> Line:
    last = _last(width)
    middle = "" if width < 24 else f"{size:>5} "
    room = max(4, width - last - len(middle) - 1)
    return (
        (f"{fmt.cut(left, room):<{room}} ", tone),
        (middle, ""),
        (f"{fmt.cut(tail, last):<{last}}", TONES.get(tail, "dim")),
    )
