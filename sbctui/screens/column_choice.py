"""Which columns the allocations have, and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.format import Line
from sbctui.prefs import COLUMNS
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from collections.abc import Sequence

_MEANS = {
    "name": "alias, else the root's name",
    "root": "the root a leaf is made of",
    "address": "the address DHCP gives it",
    "state": "up, down, asks, broken",
    "size": "what its disk takes",
    "seen": "how long ago it was heard of",
    "group": "the group it is in",
    "notes": "what somebody wrote of it",
    "kind": "root or leaf",
}


class ColumnChoice(Sturdy, Acting, Screen[None]):
    """All columns, those shown first and marked; every change acts at once."""

    SCOPE = "columns"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("columns")]

    def __init__(self, usual: Sequence[str]) -> None:
        super().__init__()
        self._usual = usual
        self._order: list[str] = []
        self.pane = Pane(0, "Columns of the allocations", id="columns", markable=_any)

    def compose(self) -> ComposeResult:
        """The columns and the keys."""
        yield self.pane
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show what is chosen."""
        self.pane.rows.focus()
        self._take(self.sbc.prefs.columns)
        keys = ("leave", "list.mark", "earlier", "later", "reset", "any.help")
        self.query_one("#keys", Bar).show(keys_for(self, keys))

    def _take(self, chosen: Sequence[str]) -> None:
        self._order = [*chosen, *(c for c in COLUMNS if c not in chosen)]
        self.pane.rows.marks = set(chosen)
        self._show()

    def _show(self) -> None:
        self.pane.show(list(self._order), self._line)

    def _line(self, name: str, width: int) -> Line:
        tone = "key" if name in self.pane.rows.marks else "dim"
        return (f"{name:<10}", tone), (_MEANS[name], "dim")

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """A column was taken in or out."""
        if not self.pane.rows.marks:
            self._take(self.sbc.prefs.columns)
            self.sbc.refuse("one column at least stays")
            return
        self._keep()

    def _keep(self) -> None:
        chosen = tuple(c for c in self._order if c in self.pane.rows.marks)
        if chosen != self.sbc.prefs.columns:
            self.sbc.choose(columns=chosen)
        self._show()

    def action_shift(self, step: int) -> None:
        """Move the column under the cursor; the cursor goes with it."""
        name = self.pane.rows.cursor
        at = self._order.index(name)
        to = max(0, min(at + step, len(self._order) - 1))
        self._order.insert(to, self._order.pop(at))
        self._keep()
        self.pane.rows.move_to(name)

    def do_reset(self) -> None:
        """As without settings."""
        self._take(self._usual)
        self._keep()

    def copyable(self) -> tuple[str, str]:
        """The columns shown, in order."""
        return " ".join(self.sbc.prefs.columns), fmt.plural(len(self.sbc.prefs.columns), "column")

    def do_leave(self) -> None:
        """Back to the settings."""
        self.dismiss(None)


def _any(key: str) -> bool:
    return True
