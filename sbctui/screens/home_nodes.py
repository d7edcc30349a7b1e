"""The two panes of nodes and what they share: filter, order, marks, and what is acted on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.screen import Screen

from sbctui import format as fmt
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens import columns
from sbctui.screens.acting import Acting
from sbctui.screens.home_lines import asking, name_of, shown_name
from sbctui.screens.ordering import TREE, Order
from sbctui.screens.totals import totals
from sbctui.screens.tree_lines import tree, tree_line
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site

_NODES = ("root:", "leaf:")
_MARKABLE = (*_NODES, "seen:")
_NAMED = 3


def _can_be_marked(key: str) -> bool:
    return key.startswith(_MARKABLE)


def _stands(site: Site, key: str) -> bool:
    """Whether what a key names still exists, shown or not."""
    return name_of(key) in (asking(site) if key.startswith("seen:") else site.nodes)


class NodePanes(Acting, Screen[None]):
    """Tree and allocations of ``world``. Marks, like the cursor, follow what they stand on."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.opened: set[str] = set()
        self.marks: set[str] = set()
        self._marked_in: Site | None = None
        self._dropped = 0
        self._asked: tuple[object, object, tuple[str, ...]] = ((), None, ())
        self.tree_pane = Pane(1, "Tree", id="tree", markable=_can_be_marked, marks=self.marks)
        self.allocations = Pane(
            2, "Allocations", id="allocations",
            head=self._head, markable=_can_be_marked, marks=self.marks,
        )  # fmt: skip
        self.orders = {self.tree_pane: Order(), self.allocations: Order()}
        self.acting = self.tree_pane

    @property
    def columns(self) -> tuple[str, ...]:
        """The allocations' columns behind the MAC."""
        return self.sbc.prefs.columns

    def sort_as_set(self) -> None:
        """Take the order of the settings."""
        for pane in self.orders:
            self.orders[pane] = Order.parse(self.sbc.prefs.sort, self._sortable(pane))

    def _sortable(self, pane: Pane) -> Sequence[str]:
        return TREE if pane is self.tree_pane else ("mac", *self.columns)

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def show_nodes(self, site: Site, note: Line, *panes: Pane) -> None:
        """Show these panes, or both; ``note`` says in the titles that the site does not answer."""
        self._drop_marks(site)
        for pane in panes or self.orders:
            show = self._show_tree if pane is self.tree_pane else self._show_boards
            show(site, note)

    def _show_tree(self, site: Site, note: Line) -> None:
        pane = self.tree_pane
        passed = self._passing(site, pane)
        keys = tree(site, self.opened, passed, self.orders[pane])
        draw = partial(tree_line, site, None if passed is not None else self.opened)
        there = len(site.nodes) + len(site.broken) + len(site.strays)
        found = sum(1 for key in keys if name_of(key) in passed) if passed is not None else there
        told = self._told(pane, f"{found}/{there} ")
        empty = self._empty(pane, "no roots yet: n creates the first")
        pane.show(keys, draw, note=(*told, *note), empty=empty)

    def _show_boards(self, site: Site, note: Line) -> None:
        pane = self.allocations
        passed = self._passing(site, pane)
        keys = columns.boards(site, self.orders[pane], passed)
        draw = partial(columns.board_line, site, self.columns)
        there = len(totals(site).boards) + len(site.facts.seen)
        told = self._told(pane, f"{len(keys)}/{there} ")
        missing = columns.left_out(self.columns, pane.size.width - pane.rows.margin_width)
        said: Line = ((f" +{fmt.plural(missing, 'column')} ", "dim"),) if missing else ()
        first = (
            "b makes leaves of a root, a allocates one" if site.roots else "n creates a root first"
        )
        empty = self._empty(pane, f"no boards yet: {first}")
        pane.show(keys, draw, note=(*told, *note), said=said, empty=empty)

    def _head(self, width: int) -> Line:
        return columns.head_line(self.columns, self.orders[self.allocations], width)

    def _told(self, pane: Pane, count: str) -> Line:
        """For the title: how many the filter lets through, and the order."""
        order = self.orders[pane]
        sort: Line = ((f" sort:{order} ", "dim"),) if order != Order() else ()
        return ((count, "warn"), *sort) if pane.filter else sort

    def _empty(self, pane: Pane, otherwise: str) -> Sequence[Line]:
        if pane.filter:
            leave = "esc clears the filter" if not pane.typing else "backspace, or esc to see all"
            return [((" nothing matches", "warn"),), ((f" {leave}", "dim"),)]
        return [((f" {otherwise}", "dim"),)]

    def _passing(self, site: Site, pane: Pane) -> Collection[str] | None:
        if not pane.filter:
            return None
        from sbctui.screens.filtering import parse, passing

        pane.problem = parse(pane.filter).problem
        return passing(site, pane.filter)

    # ── marks, and what is acted on ───────────────────────────────────────────────────────

    def _drop_marks(self, site: Site) -> None:
        """Marks of what has gone are dropped, and that is said."""
        before, self._marked_in = self._marked_in, site
        if before is None or not self.marks:
            return
        if before.nodes is site.nodes and before.facts.seen == site.facts.seen:
            return
        gone = {key for key in self.marks if not _stands(site, key)}
        if gone:
            self.marks -= gone
            self._dropped += 1
            names = [shown_name(before, key) for key in sorted(gone)[:_NAMED]]
            more = [f"and {len(gone) - _NAMED} more"] if len(gone) > _NAMED else []
            text = f"{fmt.plural(len(gone), 'mark')} dropped, no longer there: "
            self.notify(text + ", ".join([*names, *more]), markup=False)

    def chosen(self) -> Iterable[str]:
        """The keys that are acted on: marks and range, else the one under the cursor."""
        rows = self.acting.rows
        return self.marks | rows.ranged() or (rows.cursor,)

    def targets(self) -> tuple[str, ...]:
        """Names of the nodes that are acted on, as they are shown; those that still exist."""
        site, rows = self.sbc.feeds.world.site, self.acting.rows
        if site is None:
            return ()
        at = rows.cursor if rows.begun or not self.marks else ""
        span = (rows.begun, rows.keys) if rows.begun else ()
        asked = (self._dropped, *(pane.rows.changes for pane in self.orders), span, at)
        if asked != self._asked[0] or site.nodes is not self._asked[1]:
            rank = totals(site).rank
            names = {name_of(key) for key in self.chosen() if key.startswith(_NODES)}
            found = tuple(sorted(names & rank.keys(), key=rank.__getitem__))
            self._asked = asked, site.nodes, found
        return self._asked[2]

    def asking(self) -> tuple[str, ...]:
        """MACs of unknown boards that are acted on."""
        return tuple(sorted(name_of(key) for key in self.chosen() if key.startswith("seen:")))

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """Both panes show the same marks."""
        for pane in self.orders:
            if pane.rows is not event.rows:
                pane.rows.repaint()
            pane.title()

    def do_mark_all(self) -> None:
        """Mark all that the filter shows."""
        rows = self.acting.rows
        rows.mark(rows.keys, on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.acting.rows.mark(list(self.marks), on=False)

    def do_invert(self) -> None:
        """Turn all marks over."""
        rows = self.acting.rows
        rows.mark(rows.keys)

    def copied(self, site: Site) -> tuple[str, str]:
        """Name, MAC and address of what is acted on, a line each, and what to call that."""
        from sbctui.screens.detail import address

        keys = [k for k in self.acting.rows.keys if k in self.marks] or list(self.chosen())
        lines = [line for key in keys if (line := address(site, key))]
        return "\n".join(lines), lines[0] if len(lines) == 1 else f"{len(lines)} nodes"

    # ── order ─────────────────────────────────────────────────────────────────────────────

    def do_sort(self) -> None:
        """Sort the focused pane by its next column."""
        self.orders[self.acting] = self.orders[self.acting].after(self._sortable(self.acting))

    def do_keep_view(self) -> None:
        """Keep the focused pane's order for the next start."""
        order = str(self.orders[self.acting])
        self.sbc.choose(sort=order)
        self.notify(f"kept for the next start: sort {order}", timeout=3, markup=False)
