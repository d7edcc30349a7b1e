"""The allocations as columns that are fitted to the width; pure functions of one Site."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.screens import seen_lines
from sbctui.screens.home_lines import TONES, asking, seen, word
from sbctui.screens.ordering import Order, sort_boards
from sbctui.screens.totals import kept

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Seen, Site


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``least`` columns wide, and up to ``most`` where there is room."""

    title: str
    least: int
    most: int
    right: bool = False


MAC = Column("MAC", 17, 17)
COLUMNS: Mapping[str, Column] = {
    "name": Column("NAME", 9, 18),
    "state": Column("ST", 6, 7),
    "size": Column("SIZE", 5, 5, right=True),
    "seen": Column("SEEN", 4, 4, right=True),
    "root": Column("ROOT", 10, 16),
    "address": Column("ADDRESS", 13, 15),
    "group": Column("GROUP", 6, 14),
    "notes": Column("NOTES", 6, 60),
    "kind": Column("KIND", 4, 4),
}
_GAP = 1
_KIND = len("leaf:")
"""All kinds in this pane are of this length; asking each key would cost with thousands."""
_FOR_NODES = {"root", "address", "group", "notes", "kind"}
"""Columns in which a board without a node has nothing, or what it tells."""
_DIM = ("root", "address", "group", "notes", "kind")
Fitted = tuple[tuple[str, int], ...]
"""Column and its width, in order."""


@lru_cache(32)
def fitted(columns: tuple[str, ...], width: int) -> Fitted:
    """Those columns that fit behind the MAC, each with its width; the last are left out first."""
    room = width - MAC.least
    chosen: list[str] = []
    for name in columns:
        if COLUMNS[name].least + _GAP > room:
            break
        room -= COLUMNS[name].least + _GAP
        chosen.append(name)
    widths: list[tuple[str, int]] = []
    for name in chosen:
        more = min(room, COLUMNS[name].most - COLUMNS[name].least)
        widths.append((name, COLUMNS[name].least + more))
        room -= more
    return tuple(widths)


def left_out(columns: tuple[str, ...], width: int) -> int:
    """How many columns have no room."""
    return len(columns) - len(fitted(columns, width))


def boards(site: Site, order: Order, passed: Collection[str] | None) -> Sequence[str]:
    """Unknown boards that ask, then every node with a MAC, in an order."""
    unknown = [f"seen:{s.mac}" for s in site.facts.seen]
    keys = [*unknown, *sort_boards(site, order)]
    return keys if passed is None else [k for k in keys if k[_KIND:] in passed]


def head_line(columns: tuple[str, ...], order: Order, width: int) -> Line:
    """The column names; the one that sorts is marked."""
    spans: list[Span] = []
    for name, wide in (("mac", MAC.least), *fitted(columns, width)):
        column = COLUMNS.get(name, MAC)
        tone = "head" if name == order.column else "dim"
        gap = " " * _GAP if spans else ""
        spans.append((gap + _cell(column.title, wide, right=column.right), tone))
    return tuple(spans)


def board_line(site: Site, columns: tuple[str, ...], key: str, width: int) -> Line:
    """One line of the allocations."""
    kind, _, name = key.partition(":")
    node = site.nodes.get(name)
    unknown = asking(site).get(name) if kind == "seen" else None
    chosen = fitted(columns, width)
    if unknown is not None:
        chosen = _last_spans(chosen)
        mac, texts = unknown.mac, [_unknown(site, unknown, column) for column, _ in chosen]
    elif node is not None:
        mac, texts = node.config.mac or "", [_CELLS[column](site, node) for column, _ in chosen]
    else:
        return ((clean(name), "dim"),)
    spans: list[Span] = [(f"{clean(mac):<17}", "")]
    for (column, wide), text in zip(chosen, texts, strict=True):
        cell = " " * _GAP + _cell(text, wide, right=COLUMNS[column].right)
        spans.append((cell, _tone(column, text)))
    return tuple(spans)


def _last_spans(chosen: Fitted) -> Fitted:
    """The columns for a board that asks: what it tells takes those at the end it has nothing in."""
    named = [column for column, _ in chosen]
    first = next((i for i in range(len(named)) if set(named[i:]) <= _FOR_NODES), len(named))
    if first == len(named):
        return chosen
    room = sum(wide + _GAP for _, wide in chosen[first:]) - _GAP
    return (*chosen[:first], ("notes", room))


def _tone(column: str, text: str) -> str:
    if column == "state":
        return TONES.get(text, "dim")
    return "dim" if column in _DIM else ""


def _cell(text: str, width: int, *, right: bool) -> str:
    text = fmt.cut(text, width)
    return text.rjust(width) if right else text.ljust(width)


def _unknown(site: Site, unknown: Seen, column: str) -> str:
    cells = {
        "name": f"({seen_lines.short(unknown) or 'none'})",
        "state": "ask",
        "size": "-",
        "seen": fmt.age(site.facts.now - unknown.last),
        "notes": f"asked {seen_lines.times(unknown)}, {seen_lines.tells(unknown)}",
    }
    return cells.get(column, "")


def _root(site: Site, node: Node) -> str:
    listed = next(iter(site.listed_by.get(node.name, ())), "")
    return clean(listed) or ("(itself)" if node.is_root else "-")


_CELLS: Mapping[str, Callable[[Site, Node], str]] = {
    "name": lambda site, node: clean(node.config.hostname),
    "root": _root,
    "address": lambda site, node: str(node.config.ip or "-"),
    "state": lambda site, node: word(site, node.name),
    "size": lambda site, node: fmt.size(kept(node)) if node.disk else "none",
    "seen": seen,
    "group": lambda site, node: clean(node.config.group),
    "notes": lambda site, node: clean(node.config.notes),
    "kind": lambda site, node: node.config.kind,
}
