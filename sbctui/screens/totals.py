"""Sums and orders over all nodes, made once per change of the nodes; pure.

Snapshots that differ in facts only share their nodes, so ten thousand of them are looked at
again only when one changed. The first look takes a tenth of a second for ten thousand: call
``prepare`` in a thread when ``prepared`` says no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

T = TypeVar("T")
_NUMBER = re.compile(r"(\d+)")
_MANY = 1000
"""From so many nodes on a look at all of them is worth a thread."""


def natural(name: str) -> tuple[str | int, ...]:
    """A key that sorts pi-9 before pi-10."""
    parts = _NUMBER.split(name)
    return tuple(int(p) if i % 2 else p for i, p in enumerate(parts))


def kept(node: Node) -> int:
    """Bytes a node's disk takes (shared ones counted), 0 when it is missing."""
    return node.disk.allocated if node.disk else 0


def once_per(
    of: Callable[[Site], tuple[object, ...]],
) -> Callable[[Callable[[Site], T]], Callable[[Site], T]]:
    """A memo for the two newest sites; ``of`` gives the objects that the result depends on."""

    def wrap(make: Callable[[Site], T]) -> Callable[[Site], T]:
        known: list[tuple[tuple[object, ...], T]] = []

        @wraps(make)
        def get(site: Site) -> T:
            source = of(site)
            for there, made in known:
                if all(a is b for a, b in zip(there, source, strict=True)):
                    return made
            made = make(site)
            known[:] = [(source, made), *known[:1]]
            return made

        return get

    return wrap


per_nodes = once_per(lambda site: (site.nodes,))
per_facts = once_per(lambda site: (site.facts,))
per_both = once_per(lambda site: (site.nodes, site.facts))


@dataclass(frozen=True)
class Totals:
    """``rank`` is every node's place by shown name; ``boards`` are the keys of all nodes with a
    MAC and ``inside`` a root's leaves, both in that order.

    Byte sums: ``roots``, ``leaves`` (held), ``sparse`` (the leaves' apparent sizes), and
    ``held``: root name → what its leaves hold.
    """

    orphans: tuple[Node, ...]
    rank: Mapping[str, int]
    boards: tuple[str, ...]
    inside: Mapping[str, tuple[str, ...]]
    held: Mapping[str, int]
    roots: int
    leaves: int
    sparse: int


@per_nodes
def totals(site: Site) -> Totals:
    """The totals of a snapshot."""
    named = [(natural(n.config.hostname), n.name) for n in site.nodes.values()]
    rank = {name: place for place, (_, name) in enumerate(sorted(named))}
    inside: dict[str, tuple[str, ...]] = {}
    for root in site.roots:
        there = [c for c in root.config.children.values() if c in site.nodes]
        inside[root.name] = tuple(sorted(there, key=rank.__getitem__))
    nodes = [site.nodes[name] for name in rank]
    _done[:] = [site.nodes, *_done[:1]]
    return Totals(
        orphans=tuple(n for n in site.leaves if n.name not in site.listed_by),
        rank=rank,
        boards=tuple(f"{n.config.kind}:{n.name}" for n in nodes if n.config.mac is not None),
        inside=inside,
        held={r: sum(kept(site.nodes[c]) for c in there) for r, there in inside.items()},
        roots=sum(map(kept, site.roots)),
        leaves=sum(map(kept, site.leaves)),
        sparse=sum(n.config.disk.size for n in site.leaves),
    )


_done: list[Mapping[str, Node]] = []


def prepared(site: Site | None) -> bool:
    """Whether the totals are at hand, or few enough nodes to make them at once."""
    return site is None or len(site.nodes) < _MANY or any(n is site.nodes for n in _done)


def prepare(site: Site) -> None:
    """Make what drawing this site will ask for."""
    totals(site)
