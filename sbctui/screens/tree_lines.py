"""The home screen's tree as keys and lines; pure functions of one Site."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.home_lines import TONES, name_of, word, working, wrong
from sbctui.screens.totals import kept, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site


def tree(site: Site, opened: Collection[str], passed: Collection[str] | None) -> list[str]:
    """The tree's keys: what is wrong first, then the roots with the leaves of the open ones.

    ``passed`` are the nodes that a filter lets through (None = no filter); their roots stay.
    """
    keys: list[str] = []
    for group, members in (
        ("orphans", [f"leaf:{n.name}" for n in totals(site).orphans]),
        ("broken", [f"broken:{name}" for name in sorted(site.broken)]),
        ("strays", [f"stray:{s.path}" for s in site.strays if not working(site, s)]),
    ):
        members = [k for k in members if passed is None or name_of(k) in passed]
        if members:
            keys.append(f"group:{group}")
            if passed is not None or f"group:{group}" in opened:
                keys += members
    for root in site.roots:
        inside: Sequence[str] = totals(site).inside[root.name]
        if passed is not None:
            inside = [c for c in inside if c in passed]
            if not inside and root.name not in passed:
                continue
        keys.append(f"root:{root.name}")
        if passed is not None or f"root:{root.name}" in opened:
            keys += [f"leaf:{c}" for c in inside]
    return keys


def tree_line(site: Site, opened: Collection[str], key: str, width: int) -> Line:
    """One line of the tree."""
    kind, _, name = key.partition(":")
    if kind == "group":
        return _group_line(site, name, width, key in opened)
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
    state = word(site, name)
    if kind == "leaf":
        return _columns(f"  {clean(node.config.hostname)}", fmt.size(kept(node)), state, width)
    children = len(node.config.children)
    sign = ("v" if key in opened else ">") if children else "-"
    tail = str(children) if children and state != "mis-par" else state
    return _columns(f"{sign} {clean(name)}", fmt.size(kept(node)), tail, width)


def _group_line(site: Site, group: str, width: int, is_open: bool) -> Line:
    count, size = wrong(site)[group]
    sign = "v" if is_open else ">"
    return _columns(f"{sign} ! {group}", fmt.size(size), str(count), width, "bad")


def _columns(left: str, size: str, tail: str, width: int, tone: str = "") -> Line:
    last = 5 if width < 34 else 8
    middle = "" if width < 24 else f"{size:>5} "
    room = max(4, width - last - len(middle) - 1)
    return (
        (f"{fmt.cut(left, room):<{room}} ", tone),
        (middle, ""),
        (f"{tail:<{last}}"[:last], TONES.get(tail, "dim")),
    )
