"""The home screen's rows as keys and lines; pure functions of one Site.

A key is ``root:NAME``, ``leaf:NAME``, ``broken:NAME``, ``stray:PATH``, ``seen:MAC`` or
``group:WHAT``. Every string from outside is cleaned here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.totals import kept, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Seen, Site, Stray

STATES = {
    "unallocated": "free",
    "allocated": "alloc",
    "parent": "",
    "leaf": "",
    "orphan": "orphan",
    "mis-parented": "mis-par",
    "broken": "broken",
    "half-made": "half",
}
"""Short words for the derived states."""
TONES = {
    "up": "good",
    "dhcp": "warn",
    "orphan": "bad",
    "mis-par": "bad",
    "broken": "bad",
    "ask": "warn",
}
"""Tones of state words."""
_YOUNG = 10.0


def name_of(key: str) -> str:
    """What follows the kind in a key: a node's name, a path or a MAC."""
    return key.partition(":")[2]


def board(site: Site, node: Node) -> str:
    """What is known of a node's board: ``up`` (it has its disk open), ``dhcp``, ``off``."""
    if node.config.mac is None:
        return ""
    if site.sessions_of.get(node.config.export):
        return "up"
    return "dhcp" if _lease_left(site, node.config.mac) > 0 else "off"


def word(site: Site, name: str) -> str:
    """A node's state in one short word: what is wrong with it first, then its board."""
    state = STATES[site.state(name)]
    if name in site.broken or state in ("orphan", "mis-par", "free"):
        return state
    return board(site, site.nodes[name])


def _lease_left(site: Site, mac: str) -> float:
    return _leases(site).get(mac, 0.0)


def _leases(site: Site) -> Mapping[str, float]:
    """MAC → seconds its lease still runs."""
    return _lease_table(site.facts.leases, site.facts.now)


@lru_cache(2)
def _lease_table(leases: tuple[object, ...], now: float) -> Mapping[str, float]:
    table: dict[str, float] = {}
    for lease in leases:
        expires = getattr(lease, "expires", 0)
        table[str(getattr(lease, "mac", ""))] = expires - now if expires else 1.0
    return table


def seen(site: Site, node: Node) -> str:
    """When a board was last heard of: ``now`` while it has its disk open, an age, or ``-``."""
    mac = node.config.mac
    if mac is None:
        return "-"
    if site.sessions_of.get(node.config.export):
        return "now"
    left = _lease_left(site, mac)
    if not left:
        return "-"
    return calm_age(site.settings.network.lease_seconds - left)


def calm_age(seconds: float) -> str:
    """An age that does not tick every second."""
    return "<1m" if seconds < 60 else fmt.age(seconds)


def working(site: Site, stray: Stray) -> bool:
    """Whether a job is at work in a staging folder; one just made may not be held yet."""
    young = site.facts.now - stray.mtime < _YOUNG
    return stray.live or (stray.kind == "staging" and young)


# ── allocations ───────────────────────────────────────────────────────────────────────────


def allocations(site: Site, passed: Collection[str] | None) -> list[str]:
    """Unknown boards that ask, then every node with a MAC, by shown name."""
    asking = [f"seen:{s.mac}" for s in site.facts.seen]
    keys = [*asking, *totals(site).boards]
    return keys if passed is None else [k for k in keys if name_of(k) in passed]


def allocation_line(site: Site, key: str, width: int) -> Line:
    """One line of the allocations: MAC, name, (root, address, group,) state, size, seen."""
    kind, _, name = key.partition(":")
    wide = width >= 84
    if kind == "seen":
        asking = next((s for s in site.facts.seen if s.mac == name), None)
        ago = fmt.age(site.facts.now - asking.last) if asking else "-"
        note = _asked(asking) if wide and asking else ""
        return _allocation(clean(name), "(none)", ("", "", note), "ask", "-", ago, width)
    node = site.nodes.get(name)
    if node is None:
        return ((clean(name), "dim"),)
    config = node.config
    root = next(iter(site.listed_by.get(name, ())), "") if kind == "leaf" else "(itself)"
    more = (clean(root), str(config.ip or "-"), clean(" ".join((config.group, config.notes))))
    shown = clean(config.hostname)
    size = fmt.size(kept(node)) if node.disk else "none"
    state = word(site, name)
    return _allocation(str(config.mac), shown, more, state, size, seen(site, node), width)


def _asked(asking: Seen) -> str:
    times = "once" if asking.count == 1 else f"{asking.count} times"
    return clean(f"asked {times}, no node {asking.vendor_class}")


def allocation_head(width: int) -> Line:
    """The column names over the allocations."""
    titles = ("ROOT", "ADDRESS", "GROUP, NOTES")
    return tuple(
        (t, "dim") for t, _ in _allocation("MAC", "NAME", titles, "ST", "SIZE", "SEEN", width)
    )


def _allocation(
    mac: str,
    name: str,
    more: tuple[str, str, str],
    state: str,
    size: str,
    ago: str,
    width: int,
) -> Line:
    root, ip, note = more
    tail = "" if width < 42 else f" {size:>5} {ago:>4}"
    fixed = 17 + 1 + 1 + 6 + len(tail)
    if width >= 84:
        spare = width - fixed - 16 - 1 - 14
        room, last = max(10, min(20, spare // 2)), max(0, spare - max(10, min(20, spare // 2)))
        middle = f" {fmt.cut(root, 13):<14}{ip:<16}"
    else:
        room, last, middle = max(6, width - fixed), 0, ""
    return (
        (f"{fmt.cut(mac, 17):<17} {fmt.cut(name, room):<{room}}", ""),
        (middle, "dim"),
        (f" {state:<6}", TONES.get(state, "dim")),
        (tail, ""),
        (f"  {fmt.cut(note.strip(), last)}" if last else "", "dim"),
    )


# ── counts and disk ───────────────────────────────────────────────────────────────────────


def wrong(site: Site) -> dict[str, tuple[int, int]]:
    """What is wrong at a glance: kind → count and bytes, only kinds that occur."""
    lost = totals(site).orphans
    strays = [s for s in site.strays if not working(site, s)]
    counts = {
        "orphans": (len(lost), sum(map(kept, lost))),
        "broken": (len(site.broken), sum(b.allocated for b in site.broken.values())),
        "strays": (len(strays), sum(s.allocated for s in strays)),
    }
    return {k: v for k, v in counts.items() if v[0]}


def header(site: Site, path: str, width: int) -> tuple[Line, Line]:
    """The top line: name and counts left, the disk right."""
    up = len(site.sessions_of)
    facts = site.facts
    roots = fmt.plural(len(site.roots), "root")
    counts = f"{roots} {fmt.plural(len(site.leaves), 'leaf')} {up} up"
    full = 100 * (facts.total_bytes - facts.free_bytes) // max(1, facts.total_bytes)
    right = f" disk {full}%  {fmt.size(facts.free_bytes)} free  {'RW' if facts.writable else 'RO'} "
    room = max(4, width - len(counts) - len(right) - 14)
    name = fmt.cut(clean(path), room)
    return ((" sbctui ", "head"), (f" {name}  ", "key"), (counts, "")), ((right, ""),)


def disk_lines(site: Site, width: int) -> list[Line]:
    """The disk pane: the file system, then what the roots and their leaves hold."""
    facts = site.facts
    used = facts.total_bytes - facts.free_bytes
    where = f"{facts.filesystem or '?'}, {facts.store} "
    tail = f" {100 * used // max(1, facts.total_bytes)}% of {fmt.size(facts.total_bytes)}"
    length = max(8, min(40, width - len(where) - len(tail) - 1))
    first: Line = (
        (where, ""),
        (fmt.bar(used, facts.total_bytes, length), "head"),
        (tail, "bad" if facts.free_bytes * 20 < facts.total_bytes else ""),
    )
    return [first, *_held(site, width)]


def _held(site: Site, width: int) -> Iterable[Line]:
    lost = wrong(site).get("orphans", (0, 0))[1]
    trash = sum(t.allocated for t in site.trash)
    sums = totals(site)
    parts = [
        f"roots {fmt.size(sums.roots)}",
        f"leaves {fmt.size(sums.leaves)} of {fmt.size(sums.sparse)}",
        *([f"orphans {fmt.size(lost)}"] if lost else []),
        *([f"trash {fmt.size(trash)}"] if site.trash else []),
    ]
    yield (("  ".join(parts), ""),)
    room = max(8, min(24, width - 28))
    for root in sorted(site.roots, key=kept, reverse=True):
        own = f"{fmt.size(kept(root)):>5} of {fmt.size(root.config.disk.size):<5}"
        held = f" + {fmt.size(sums.held[root.name])} leaves" if sums.inside[root.name] else ""
        yield ((f"{fmt.cut(clean(root.name), room):<{room}} {own}", ""), (held, "dim"))
