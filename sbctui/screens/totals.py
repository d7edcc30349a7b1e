"""Sums and orders over all nodes, made once per change of the nodes; pure.

Snapshots that differ in facts only share their nodes, so ten thousand of them are looked at
again only when one changed. The first look takes a tenth of a second for ten thousand: call
``prepare`` in a thread when ``prepared`` says no.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

S = TypeVar("S")
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
    of: Callable[[S], tuple[object, ...]],
) -> Callable[[Callable[[S], T]], Callable[[S], T]]:
    """A memo for the two newest sites or worlds; ``of`` gives what the result depends on."""

    def wrap(make: Callable[[S], T]) -> Callable[[S], T]:
        known: list[tuple[tuple[object, ...], T]] = []

        @wraps(make)
        def get(source: S) -> T:
            parts = of(source)
            for there, made in known:
                if all(a is b for a, b in zip(there, parts, strict=True)):
                    return made
            made = make(source)
            known[:] = [(parts, made), *known[:1]]
            return made

        return get

    return wrap


def _nodes(site: Site) -> tuple[object, ...]:
    return (site.nodes,)


def _facts(site: Site) -> tuple[object, ...]:
    return (site.facts,)


def _both(site: Site) -> tuple[object, ...]:
    return site.nodes, site.facts


def per_nodes(make: Callable[[Site], T]) -> Callable[[Site], T]:
    """Made once for the same nodes."""
    return once_per(_nodes)(make)


def per_facts(make: Callable[[Site], T]) -> Callable[[Site], T]:
    """Made once for the same facts."""
    return once_per(_facts)(make)


def per_both(make: Callable[[Site], T]) -> Callable[[Site], T]:
    """Made once for the same nodes with the same facts."""
    return once_per(_both)(make)


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


@per_nodes
def states(site: Site) -> Mapping[str, str]:
    """The derived state of every node that can be read."""
    return {name: site.state(name).value for name in site.nodes}


_done: list[Mapping[str, Node]] = []


def prepared(site: Site | None) -> bool:
    """Whether the totals are at hand, or few enough nodes to make them at once."""
    return site is None or len(site.nodes) < _MANY or any(n is site.nodes for n in _done)


def prepare(site: Site) -> None:
    """Make what drawing this site, and asking what can be done with it, will ask for.

    Ten thousand nodes are a hundred thousand objects that stay: Python's collector is told once
    to leave them alone, or going through them would hold up a key for a tenth of a second.
    """
    totals(site)
    states(site)
    _ = site.standing_on, site.by_mac
    if not gc.get_freeze_count():
        gc.freeze()
