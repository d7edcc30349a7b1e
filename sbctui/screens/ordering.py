"""In what order the node panes show their rows; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sbctui.screens.home_lines import heard, name_of, words
from sbctui.screens.totals import kept, once_per, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

TREE = ("name", "size", "state")
"""What the tree can be sorted by."""

_WORST = ("broken", "mis-par", "orphan", "down", "dhcp", "free", "up")
_RANK = {state: place for place, state in enumerate(_WORST)}
_LAST = (1, "")

Key = Callable[["Node"], Any]


@dataclass(frozen=True, slots=True)
class Order:
    """A column, and whether it is turned round; as text ``seen`` or ``-seen``."""

    column: str = "name"
    reverse: bool = False

    @classmethod
    def parse(cls, text: str, columns: Sequence[str]) -> Order:
        """The order a text names; by name when there is no such column."""
        column = text.removeprefix("-")
        return cls(column, text.startswith("-")) if column in columns else cls()

    def __str__(self) -> str:
        return ("-" if self.reverse else "") + self.column

    def after(self, columns: Sequence[str]) -> Order:
        """The next one: each column, then the same turned round."""
        if not self.reverse:
            return Order(self.column, reverse=True)
        at = columns.index(self.column) if self.column in columns else -1
        return Order(columns[(at + 1) % len(columns)])


def _text(value: str) -> tuple[int, str]:
    return (0, value) if value else _LAST


def _by_root(site: Site) -> Key:
    listed = site.listed_by
    return lambda node: _text(next(iter(listed.get(node.name, ())), ""))


def _by_state(site: Site) -> Key:
    word = words(site)
    return lambda node: _RANK.get(word(node.name), len(_WORST))


def _by_age(site: Site) -> Key:
    ages, never = heard(site), float("inf")
    return lambda node: ages.get(node.name, never)


_KEYS: Mapping[str, Callable[[Site], Key]] = {
    "mac": lambda _: lambda node: _text(node.config.mac or ""),
    "root": _by_root,
    "address": lambda _: lambda node: int(node.config.ip) if node.config.ip else 1 << 40,
    "state": _by_state,
    "size": lambda _: lambda node: -kept(node),
    "seen": _by_age,
    "group": lambda _: lambda node: _text(node.config.group),
    "notes": lambda _: lambda node: _text(node.config.notes),
    "kind": lambda _: lambda node: node.config.kind,
}
"""Column → what sorts it: trouble, the largest and the latest first; what is empty last."""
_LIVE = ("state", "seen")
"""Columns of which the nodes alone don't tell."""


def sort_names(site: Site, ranked: Sequence[str], order: Order) -> Sequence[str]:
    """Node names that stand by shown name, in an order."""
    return _sorted(site, ranked, order, str)


def sort_boards(site: Site, order: Order) -> Sequence[str]:
    """The keys of all nodes with a MAC, in an order."""
    return _boards((site, order))


def _asked(asked: tuple[Site, Order]) -> tuple[object, ...]:
    site, order = asked
    return site.nodes, order, site.facts if order.column in _LIVE else None


@once_per(_asked)
def _boards(asked: tuple[Site, Order]) -> Sequence[str]:
    site, order = asked
    return _sorted(site, totals(site).boards, order, name_of)


def _sorted(
    site: Site, named: Sequence[str], order: Order, name: Callable[[str], str]
) -> Sequence[str]:
    """Rows that stand by shown name, in another order; ``name`` gives a row's node."""
    if order.column == "name":
        return named[::-1] if order.reverse else named
    key, nodes = _KEYS[order.column](site), site.nodes
    return sorted(named, key=lambda n: key(nodes[name(n)]), reverse=order.reverse)
