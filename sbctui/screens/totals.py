"""Sums and orders over all nodes, made once per change of the nodes; pure.

Snapshots that differ in facts only share their nodes, so ten thousand of them are looked at
again only when one changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

_NUMBER = re.compile(r"(\d+)")


def natural(name: str) -> tuple[str | int, ...]:
    """A key that sorts pi-9 before pi-10."""
    parts = _NUMBER.split(name)
    return tuple(int(p) if i % 2 else p for i, p in enumerate(parts))


def kept(node: Node) -> int:
    """Bytes a node's disk takes (shared ones counted), 0 when it is missing."""
    return node.disk.allocated if node.disk else 0


@dataclass(frozen=True)
class Totals:
    """``boards`` are keys of all nodes with a MAC, ``inside`` a root's leaves, both in order.

    Byte sums: ``roots``, ``leaves`` (held), ``sparse`` (the leaves' apparent sizes), and
    ``held``: root name → what its leaves hold.
    """

    orphans: tuple[Node, ...]
    boards: tuple[str, ...]
    inside: dict[str, tuple[str, ...]]
    held: dict[str, int]
    roots: int
    leaves: int
    sparse: int


_last: tuple[Site, Totals] | None = None


def totals(site: Site) -> Totals:
    """The totals of a snapshot; the last ones again while the nodes are the same."""
    global _last
    if _last is None or _last[0].nodes is not site.nodes:
        _last = (site, _make(site))
    return _last[1]


def _make(site: Site) -> Totals:
    names = {n.name: natural(n.config.hostname) for n in site.nodes.values()}
    boards = [n for n in site.nodes.values() if n.config.mac is not None]
    boards.sort(key=lambda n: (names[n.name], n.name))
    inside: dict[str, tuple[str, ...]] = {}
    for root in site.roots:
        there = [c for c in root.config.children.values() if c in site.nodes]
        inside[root.name] = tuple(sorted(there, key=names.__getitem__))
    return Totals(
        orphans=tuple(n for n in site.leaves if n.name not in site.listed_by),
        boards=tuple(f"{n.config.kind}:{n.name}" for n in boards),
        inside=inside,
        held={r: sum(kept(site.nodes[c]) for c in there) for r, there in inside.items()},
        roots=sum(map(kept, site.roots)),
        leaves=sum(map(kept, site.leaves)),
        sparse=sum(n.config.disk.size for n in site.leaves),
    )
