"""What the home screen's panes say of nodes and of the whole; pure functions of one Site.

A key is ``root:NAME``, ``leaf:NAME``, ``broken:NAME``, ``stray:PATH``, ``seen:MAC`` or
``group:WHAT``. Every string from outside is cleaned here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.totals import kept, per_both, per_facts, states, totals

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


def shown_name(site: Site, key: str) -> str:
    """What a key's row is called on the screen."""
    node = site.nodes.get(name_of(key))
    return clean(node.config.hostname if node else name_of(key))


@per_both
def alive(site: Site) -> Mapping[str, str]:
    """Nodes whose boards are heard of: ``up`` (it has its disk open) or ``dhcp``."""
    told: dict[str, str] = {}
    for mac, left in _leases(site).items():
        if left > 0:
            told.update(dict.fromkeys(site.by_mac.get(mac, ()), "dhcp"))
    for export in site.sessions_of:
        told.update(dict.fromkeys(site.by_mac.get(export.replace("-", ":"), ()), "up"))
    return told


def board(site: Site, node: Node) -> str:
    """What is known of a node's board: ``up``, ``dhcp``, ``down``; nothing without a MAC."""
    return alive(site).get(node.name) or ("down" if node.config.mac else "")


def word(site: Site, name: str) -> str:
    """A node's state in one short word: what is wrong with it first, then its board."""
    return words(site)(name)


def words(site: Site) -> Callable[[str], str]:
    """``word`` for many nodes of one site."""
    known, told, nodes = states(site), alive(site), site.nodes

    def word(name: str) -> str:
        state = STATES[known[name]]
        if state in ("orphan", "mis-par", "free"):
            return state
        return told.get(name) or ("down" if nodes[name].config.mac else "")

    return word


@per_both
def up_in(site: Site) -> Mapping[str, int]:
    """Root name → how many boards have it or a leaf of it open."""
    counts: dict[str, int] = {}
    for name, state in alive(site).items():
        if state == "up":
            for root in site.listed_by.get(name, (name,)):
                counts[root] = counts.get(root, 0) + 1
    return counts


@per_facts
def _leases(site: Site) -> Mapping[str, float]:
    now = site.facts.now
    return {x.mac: x.expires - now if x.expires else 1.0 for x in site.facts.leases}


@per_facts
def asking(site: Site) -> Mapping[str, Seen]:
    """MAC → the unknown board that asks with it."""
    return {s.mac: s for s in site.facts.seen}


@per_both
def heard(site: Site) -> Mapping[str, float]:
    """Nodes whose boards were ever heard of → seconds since; 0 while it has its disk open."""
    whole, told = site.settings.network.lease_seconds, dict[str, float]()
    for mac, left in _leases(site).items():
        if left:
            told.update(dict.fromkeys(site.by_mac.get(mac, ()), whole - left))
    for export in site.sessions_of:
        told.update(dict.fromkeys(site.by_mac.get(export.replace("-", ":"), ()), 0.0))
    return told


def seen(site: Site, node: Node) -> str:
    """When a board was last heard of: ``now`` while it has its disk open, an age, or ``-``."""
    ago = heard(site).get(node.name)
    if not ago:
        return "-" if ago is None else "now"
    return calm_age(ago)


def calm_age(seconds: float) -> str:
    """An age that does not tick every second."""
    return "<1m" if seconds < 60 else fmt.age(seconds)


def working(site: Site, stray: Stray) -> bool:
    """Whether a job is at work in a staging folder; one just made may not be held yet."""
    young = site.facts.now - stray.mtime < _YOUNG
    return stray.live or (stray.kind == "staging" and young)


def wrong(site: Site, but: Collection[str] = ()) -> dict[str, tuple[int, int]]:
    """What is wrong at a glance: kind → count and bytes, only kinds that occur.

    ``but`` are nodes and paths that somebody keeps as they are.
    """
    lost = [n for n in totals(site).orphans if n.name not in but]
    broken = [b for b in site.broken.values() if b.name not in but]
    strays = [s for s in site.strays if s.path not in but and not working(site, s)]
    counts = {
        "orphans": (len(lost), sum(map(kept, lost))),
        "broken": (len(broken), sum(b.allocated for b in broken)),
        "strays": (len(strays), sum(s.allocated for s in strays)),
    }
    return {k: v for k, v in counts.items() if v[0]}


# ── the top line ──────────────────────────────────────────────────────────────────────────


def header(site: Site, path: str, at: str, width: int, frozen: str = "") -> tuple[Line, Line]:
    """The top line: where one is and counts left, the disk right.

    ``at`` is the key under the cursor, ``frozen`` the time since which the panes stand still.
    """
    facts = site.facts
    full = 100 * (facts.total_bytes - facts.free_bytes) // max(1, facts.total_bytes)
    space = f" {fmt.size(facts.free_bytes)} free  "
    may = ("RW ", "") if facts.writable and not facts.read_only else ("RO ", "warn")
    right = (f" disk {full}%" if width >= 72 else "") + space
    counts = f"  {_counts(site, short=width < 72)}"
    stand = f"  FROZEN since {frozen}, p goes on" if frozen else ""
    counts = "" if frozen else counts
    title = " sbctui, looking only " if facts.read_only else " sbctui "
    room = width - len(title) - 1 - len(counts) - len(stand) - len(right) - 3
    where = _crumbs([path, *trail(site, at)], max(4, room))
    left = ((title, "head"), (f" {where}", "key"), (counts, ""), (stand, "warn"))
    return left, ((right, ""), may)


def _counts(site: Site, *, short: bool) -> str:
    counted = [f"{fmt.plural(len(site.leaves), 'leaf')} {len(site.sessions_of)} up"]
    return " ".join(counted if short else [fmt.plural(len(site.roots), "root"), *counted])


def trail(site: Site, key: str) -> list[str]:
    """Where a row stands below the site: its root or group, and its shown name."""
    kind, _, name = key.partition(":")
    if not name or kind not in ("root", "leaf", "broken", "stray", "seen", "group"):
        return []
    own = shown_name(site, key)
    above = {"broken": "broken", "stray": "strays", "seen": "asking"}.get(kind, "")
    if kind == "leaf":
        above = next(iter(site.listed_by.get(name, ())), "orphans")
    return [clean(above), own] if above else [own]


def _crumbs(parts: list[str], room: int) -> str:
    """As much of the way down as fits, the end first; ``..`` for what is left out above."""
    whole = " > ".join(clean(p) for p in parts)
    for first in range(len(parts)):
        text = " > ".join(([".."] if first else []) + [clean(p) for p in parts[first:]])
        if len(text) <= room:
            return text
    return fmt.cut(whole.rpartition(" > ")[2], room)
