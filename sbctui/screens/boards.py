"""The wall: who asks and has no node, and how far every board's newest boot came."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import IgnoreBoards, UnignoreBoards
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens import boards_lines as lines
from sbctui.screens.acting import Acting
from sbctui.screens.boot_lines import LEGEND
from sbctui.screens.help import keys_for
from sbctui.screens.home_lines import asking, name_of
from sbctui.screens.home_show import overdue
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

_KEYS = (
    "list.open", "bulk", "ignore", "compare", "filter", "leave", "any.help", "sort", "ignored",
    "any.copy", "mark_all", "unmark",
)  # fmt: skip
_MARKABLE = ("ask:", "ignored:")


class BoardsScreen(Sturdy, Acting, Screen[None]):
    """Unknown boards first, then all boards: what has stopped or boots before what is well."""

    CSS_PATH = "boards.tcss"
    SCOPE = "boards"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("boards")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-h20"), (24, "-h24"), (36, "-h36")]
        self.world = world
        self.marks: set[str] = set()
        self.order = lines.ORDERS[0]
        self.with_ignored = False
        self._fresh = True
        self.pane = Pane(
            0,
            "Boards",
            id="wall",
            markable=lambda key: key.startswith(_MARKABLE),
            head=lines.head,
            marks=self.marks,
        )
        self.foot = Lines(id="story")

    def compose(self) -> ComposeResult:
        """The rows, the story of the one under the cursor, the keys."""
        yield self.pane
        with Vertical(id="foot"):
            title = Bar(id="foottitle", fill="─")
            title.show(((" What is known of it ", "head"),), ((LEGEND, "dim"),))
            yield title
            yield self.foot
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show it, and look anew."""
        self.foot.can_focus = False
        self.pane.rows.focus()
        self._show()
        self.sbc.feeds.hurry("site", "boots")

    def on_changed(self, event: Changed) -> None:
        """A board asked, or came a step further."""
        self.world = event.world
        self._show()

    def on_resize(self) -> None:
        """The keys that fit."""
        self.call_after_refresh(self._tell)

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        self._drop_marks()
        keys = lines.rows(self.world, self.order, self.pane.filter, with_ignored=self.with_ignored)
        draw = partial(lines.draw, self.world)
        self.pane.show(keys, draw, note=self._note(), said=self._said(), empty=self._empty())
        if keys and self._fresh:
            self._fresh = False
            self.pane.rows.move_to(keys[1])
        self._tell()

    def _drop_marks(self) -> None:
        """Marks of what asks no more are dropped, and that is said."""
        site = self.world.site
        if site is None or not self.marks:
            return
        there = {f"ask:{mac}" for mac in asking(site)}
        if self.with_ignored:
            there |= {f"ignored:{mac}" for mac in lines.ignored(site)}
        if gone := self.marks - there:
            self.marks -= gone
            self.notify(f"{fmt.plural(len(gone), 'mark')} dropped: no longer there", markup=False)

    def _note(self) -> Line:
        order = f" by {self.order} " if self.order != lines.ORDERS[0] else ""
        return ((order, "dim"), *overdue(self.world, "boots", "site"))

    def _said(self) -> Line:
        site = self.world.site
        if site is None:
            return ()
        hidden = len(lines.ignored(site)) if not self.with_ignored else 0
        said: Line = ((f" {hidden} ignored ", "dim"),) if hidden else ()
        if not site.facts.serving:
            said = (*said, (" services stopped ", "warn"))
        return said

    def _empty(self) -> list[Line]:
        site = self.world.site
        if site is None or self.world.boots is None:
            return [((" looking ...", "dim"),)]
        if self.pane.filter:
            return [((f" no board has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        if not site.facts.serving:
            text = " no boards yet, and nobody listens: sbctui services start begins to"
            return [((text, "dim"),)]
        return [
            ((" no boards yet", "dim"),),
            ((" What asks for an address appears here within two seconds;", "dim"),),
            ((" b then makes it a leaf of a root, i ignores it.", "dim"),),
        ]

    def _tell(self) -> None:
        """The story of the row under the cursor, and the keys that apply."""
        if self not in self.app.screen_stack:
            return
        self.foot.put(lines.story(self.world, self.pane.rows.cursor))
        self.query_one("#keys", Bar).show(keys_for(self, _KEYS))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell of the one under the cursor."""
        self._tell()
        self.foot.to_top()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """The keys depend on the marks."""
        self._tell()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: a board's last boots; all that a board which asks tells."""
        kind, mac = event.key.partition(":")[0], name_of(event.key)
        if kind == "boot":
            from sbctui.screens.boot_detail import BootScreen

            self.sbc.push_screen(BootScreen(self.world, mac))
        elif kind == "ask":
            self.sbc.show_row(f"seen:{mac}")

    # ── actions ───────────────────────────────────────────────────────────────────────────

    def chosen(self) -> list[str]:
        """Keys of the marked ones and the range, or of the one under the cursor."""
        rows = self.pane.rows
        marked = self.marks | rows.ranged()
        return sorted(marked) or [rows.cursor]

    def _of(self, kind: str) -> tuple[str, ...]:
        """MACs of those of one kind that are acted on."""
        return tuple(name_of(key) for key in self.chosen() if key.startswith(kind))

    def reason(self, action: str) -> str | None:
        """Why not now, or None."""
        site = self.world.site
        if site is None:
            return None if action == "leave" else "the site has not been read yet; wait a moment"
        if action == "bulk":
            return self._no_leaves()
        if action == "ignore":
            return self._not_ignored()
        if action == "ignored" and not self.with_ignored and not lines.ignored(site):
            return "no board is ignored; i on one that asks ignores it"
        if action == "mark_all" and not asking(site):
            return "no unknown board asks for an address"
        return "nothing is marked" if action == "unmark" and not self.marks else None

    def _no_leaves(self) -> str | None:
        from sbctui.screens.reasons import why_not

        if not self._of("ask:"):
            return "leaves are made of boards that ask and have no node: put the cursor on one"
        return why_not("bulk", self.world.site, ())

    def _not_ignored(self) -> str | None:
        asks, known = self._of("ask:"), self._of("ignored:")
        if asks and known:
            return "the marks hold boards that ask and ignored ones; U unmarks"
        if asks or known:
            return None
        return "only boards that ask and have no node can be ignored: put the cursor on one"

    def copyable(self) -> tuple[str, str]:
        """The marked ones' MACs, or all that is known of the one under the cursor."""
        return lines.copied(self.world, self.chosen()) if self.pane.rows.cursor else ("", "")

    def do_bulk(self) -> None:
        """Make them leaves: the bulk screen with their MACs."""
        macs = self._of("ask:")
        self.do_unmark()
        self.sbc.bulk((), "\n".join([*macs, ""]))

    def do_ignore(self) -> None:
        """Ignore them; those that are ignored are seen again."""
        asks, known = self._of("ask:"), self._of("ignored:")

        def build(engine: Engine) -> Request:
            return IgnoreBoards(macs=asks) if asks else UnignoreBoards(macs=known)

        self.sbc.offer(build, done=lambda job: self.do_unmark() if job else None)

    def do_ignored(self) -> None:
        """Show those that are ignored, or hide them."""
        self.with_ignored = not self.with_ignored
        self.marks -= {key for key in self.marks if key.startswith("ignored:")}
        self._show()

    def do_compare(self) -> None:
        """Boards registered, known to DHCP, seen."""
        from sbctui.screens.compare import ComparedScreen

        self.sbc.push_screen(ComparedScreen(self.world))

    def do_mark_all(self) -> None:
        """Mark all that ask and the filter shows."""
        self.pane.rows.mark([k for k in self.pane.rows.keys if k.startswith("ask:")], on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.pane.rows.mark(set(self.marks), on=False)

    def do_sort(self) -> None:
        """Take the next order."""
        self.order = lines.ORDERS[(lines.ORDERS.index(self.order) + 1) % len(lines.ORDERS)]
        self._show()

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_reload(self) -> None:
        """Look again."""
        self.sbc.do("reload", (), ())

    def do_leave(self) -> None:
        """Leave the range first, then the filter, then the screen."""
        if self.pane.rows.begun:
            self.pane.rows.end_range(mark=False)
        elif self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)
