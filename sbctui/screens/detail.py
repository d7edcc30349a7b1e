"""Everything one would ask about a row of the home screen, as lines; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.home_lines import board, calm_age, name_of, seen
from sbctui.screens.totals import kept

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

RULES = {
    "explicit": "given by hand",
    "resolver": "from the system's resolver",
    "number": "from the name's number",
    "next": "the next free one",
}
"""The rules that choose an address, in words."""
STATE_WORDS = {
    "unallocated": "a root, not allocated",
    "allocated": "a root, allocated to one board",
    "parent": "a root with leaves",
    "leaf": "a leaf",
    "orphan": "an ORPHAN: a leaf that no root lists; the audit (o) has the fix",
    "mis-parented": "MIS-PARENTED: a root that stands in another's children; see the audit (o)",
    "broken": "BROKEN; see the audit (o)",
    "half-made": "half-made",
}
"""The derived states in words."""


def detail(site: Site, key: str) -> list[Line]:
    """The lines for a key of ``home_lines``; one line when it is gone."""
    kind, name = key.partition(":")[0], name_of(key)
    if name in site.broken and kind != "group":
        broken = site.broken[name]
        return [_head(name), _row("state", STATE_WORDS["broken"]), _row("why", broken.reason)]
    if name in site.nodes:
        return list(_node(site, site.nodes[name]))
    if kind == "seen":
        return list(_seen(site, name))
    if kind == "stray":
        return [_head(name), _row("what", "no node: reported, never deleted unasked")]
    if kind == "group":
        return [_head(name), _row("what", "enter opens; o shows each with its fix")]
    return [_head(name or "nothing"), _row("state", "gone")] if name else []


def _head(text: str) -> Line:
    return ((clean(text), "head"),)


def _row(label: str, text: str, tone: str = "") -> Line:
    return ((f"{label:<8} ", "dim"), (clean(text), tone))


def _node(site: Site, node: Node) -> Iterator[Line]:
    c = node.config
    state = site.state(c.name)
    yield _head(c.hostname if c.hostname == c.name else f"{c.hostname}  ({c.name})")
    bad = "bad" if state in ("orphan", "mis-parented") else ""
    yield _row("state", STATE_WORDS[state], bad)
    if c.kind == "leaf":
        listed = site.listed_by.get(c.name, ())
        yield _row("root", ", ".join(listed) or f"none (was {c.parent})")
    elif c.children:
        up = sum(1 for folder in c.children.values() if site.sessions_of.get(folder))
        yield _row("leaves", f"{len(c.children)}, {up} up")
    if c.mac:
        yield _row("MAC", c.mac)
        rule = f", {RULES[c.ip_rule]}" if c.ip_rule else ""
        yield _row("address", f"{c.ip}{rule}" if c.ip else "none: the site has no subnet")
        yield from _board(site, node)
    yield from _disk(site, node)
    for label, value in (("group", c.group), ("notes", c.notes)):
        if value:
            yield _row(label, value)
    made = f"{c.created:%Y-%m-%d %H:%M} UTC" + (f" from {c.cloned_from}" if c.cloned_from else "")
    yield _row("made", made)
    if c.personalised:
        yield _row("own", ", ".join(c.personalised))
    if c.boot.kernel:
        yield _row("boots", " ".join(filter(None, (c.boot.kernel, c.boot.initramfs, c.boot.arch))))
    yield _row("files", str(site.node_path(c.name)))


def _seen(site: Site, mac: str) -> Iterator[Line]:
    seen = next((s for s in site.facts.seen if s.mac == mac), None)
    yield _head(mac)
    yield _row("state", "an unknown board: it asks for an address and has no node", "warn")
    if seen is not None:
        first, last = (fmt.age(site.facts.now - t) for t in (seen.first, seen.last))
        yield _row("asked", f"{seen.count} times, first {first} ago, last {last} ago")
        if seen.vendor_class:
            yield _row("says", seen.vendor_class)
    yield _row("then", "b makes it a leaf, a on a root gives it that root")


def _board(site: Site, node: Node) -> Iterator[Line]:
    for session in site.sessions_of.get(node.config.export, ()):
        moved = f"{fmt.size(session.bytes_read)} read, {fmt.size(session.bytes_written)} written"
        since = calm_age(site.facts.now - session.since)
        yield _row("board", f"up {since} from {session.address}, {moved}", "good")
        return
    state = board(site, node)
    words = {"dhcp": "has an address, but not its disk", "off": "not connected"}
    heard = seen(site, node)
    ago = "" if heard == "-" else f", seen {heard} ago"
    yield _row("board", words.get(state, state) + ago, "warn" if state == "dhcp" else "")


def _disk(site: Site, node: Node) -> Iterator[Line]:
    spec = node.config.disk
    if node.disk is None:
        yield _row("disk", f"MISSING: {spec.file}", "bad")
        return
    base = f" on {spec.base}" if spec.base else ""
    how = f", {node.config.store}" if node.config.store else ""
    yield _row("disk", f"{spec.file}{base}{how}, {spec.filesystem or 'no file system'}")
    figures = f"{fmt.size(spec.size)}, of which it holds {fmt.size(kept(node))}"
    yield _row("", figures)
    if node.config.promise == "crash-consistent":
        yield _row("", "copied while in use: as after a power cut, repaired and checked", "warn")
