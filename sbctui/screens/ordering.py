"""In what order the node panes show their rows; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sbctui.screens.home_lines import heard, name_of, word
from sbctui.screens.totals import kept, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

TREE = ("name", "size", "state")
"""What the tree can be sorted by."""

_WORST = ("broken", "mis-par", "orphan", "down", "dhcp", "free", "up")
_RANK = {state: place for place, state in enumerate(_WORST)}
_LAST = (1, "")

Key = Callable[["Site", "Node"], Any]


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


def _heard(site: Site, node: Node) -> float:
    ago = heard(site, node)
    return float("inf") if ago is None else ago


_KEYS: Mapping[str, Key] = {
    "mac": lambda site, node: _text(node.config.mac or ""),
    "root": lambda site, node: _text(next(iter(site.listed_by.get(node.name, ())), "")),
    "address": lambda site, node: int(node.config.ip) if node.config.ip else 1 << 40,
    "state": lambda site, node: _RANK.get(word(site, node.name), len(_WORST)),
    "size": lambda site, node: -kept(node),
    "seen": _heard,
    "group": lambda site, node: _text(node.config.group),
    "notes": lambda site, node: _text(node.config.notes),
    "kind": lambda site, node: node.config.kind,
}
"""Column → what sorts it: trouble, the largest and the latest first; what is empty last."""


def sort_names(site: Site, names: Iterable[str], order: Order) -> list[str]:
    """Node names in an order; what is equal stands by shown name."""
    rank = totals(site).rank
    named = sorted((n for n in names if n in rank), key=rank.__getitem__)
    return list(_sorted(site, named, order, str))


def sort_boards(site: Site, order: Order) -> Sequence[str]:
    """The keys of all nodes with a MAC, in an order."""
    return _sorted(site, totals(site).boards, order, name_of)


def _sorted(
    site: Site, named: Sequence[str], order: Order, name: Callable[[str], str]
) -> Sequence[str]:
    """Rows that stand by shown name, in another order; ``name`` gives a row's node."""
    if order.column == "name":
        return named[::-1] if order.reverse else named
    key = _KEYS[order.column]
    return sorted(named, key=lambda n: key(site, site.nodes[name(n)]), reverse=order.reverse)
