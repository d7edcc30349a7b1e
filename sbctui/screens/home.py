"""Home: tree, allocations, disk, services and jobs, log, details, all live."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.messages import Restyled, World, in_thread
from sbctui.screens import home_lines as lines
from sbctui.screens.home_detail import DetailPane
from sbctui.screens.home_show import log_entry, overdue, show_disk, show_jobs, show_log
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

_MANY = 500
"""What can be done with so many marked nodes is asked only when they change, and in a thread."""


class HomeScreen(Sturdy, DetailPane):
    """The first screen, and the one below all others."""

    SCOPE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]

    def __init__(self, world: World) -> None:
        super().__init__(world)
        widths, heights = (60, 80, 100, 120, 150), (16, 18, 21, 24, 30, 36)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-thin"), *((w, f"-w{w}") for w in widths)]
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), *((h, f"-h{h}") for h in heights)]
        self._keys: Line = ()
        self._asked_keys: tuple[tuple[str, ...], tuple[str, int], object] = ((), ("", 0), None)
        self.disk = Pane(3, "Disk", id="disk", cursor=False)
        self.log_pane = Pane(5, "Log", id="log")

    def compose(self) -> ComposeResult:
        """Header, panes, status line, keys."""
        yield Bar(id="header")
        with Horizontal(id="upper"):
            with Vertical(id="left"):
                yield self.tree_pane
                yield self.detail
            with Vertical(id="right"):
                yield self.allocations
                yield self.disk
        with Horizontal(id="lower"):
            yield self.jobs
            yield self.log_pane
        yield Bar(id="status")
        yield Bar(id="footer")
        yield Bar(id="small")

    def on_mount(self) -> None:
        """Begin in the tree."""
        self.sort_as_set()
        self.tree_pane.rows.focus()
        self.refresh_all()

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def on_restyled(self, event: Restyled) -> None:
        """Other settings: columns and order may be others."""
        self.sort_as_set()
        self.refresh_all()

    def on_resize(self, event: events.Resize) -> None:
        """Say what is needed when the terminal is too small."""
        size = event.size
        small = f"sbctui needs 60x16, this terminal is {size.width}x{size.height}"
        self.query_one("#small", Bar).show(((small, "warn"),))
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        """Show what fits; keys go to the nodes when the pane they went to is shown no more."""
        if self.focused is None and self.acting.region:
            self.acting.rows.focus()
        self.refresh_all()

    def refresh_all(self) -> None:
        """Show the world in every pane."""
        world = self.world
        self._show_nodes()
        show_disk(self.disk, world, self.samples)
        show_jobs(self.jobs, world)
        show_log(self.log_pane, world)
        self.refresh_bars()

    def _show_nodes(self, *panes: Pane) -> None:
        site = self.world.site
        if site is not None:
            self.show_nodes(site, overdue(self.world, "site"), *panes)
            self.show_detail()
            return
        trouble = self.world.errors.get("site", "")
        said = wrapped([((clean(trouble), "bad"),)], max(20, self.allocations.size.width - 2))
        reading: Line = ((" reading ...", "dim"),)
        note = overdue(self.world, "site")
        self.tree_pane.show((), lambda key, _: (), note=note, empty=() if trouble else (reading,))
        self.allocations.show((), lambda key, _: (), empty=said if trouble else ())

    def refresh_bars(self) -> None:
        """Header, status line and, unless the cursor is on its way, footer."""
        from sbctui.screens.status import status

        self.query_one("#header", Bar).show(*self._header())
        told = status(self.live, max(20, self.size.width), self.sbc.keymap.first["home.audit"])
        self.query_one("#status", Bar).show(*told)
        if not self.moving:
            self.show_footer()

    def show_footer(self) -> None:
        """The keys that apply now."""
        self.query_one("#footer", Bar).show(self._footer())

    def _header(self) -> tuple[Line, Line]:
        site, width = self.live.site, max(20, self.size.width)
        if site is None:
            failed = "site" in self.live.errors
            first = " can't be read" if failed else f" reading {clean(str(self.live.path))} ..."
            return ((" sbctui ", "head"), (first, "")), ()
        at = self.acting.rows.cursor
        return lines.header(site, self.live.path.name, at, width, self.frozen)

    def _footer(self) -> Line:
        """The keys that apply now; while a filter is typed, its language."""
        if self.pane().typing:
            from sbctui.screens.filtering import HELP

            if problem := self.pane().problem:
                return ((f" ? {problem}", "bad"),)
            return ((f" {HELP}", "key"), ("  enter keeps, esc clears it", "dim"))
        from sbctui.screens.status import footer, kind

        site, names, width = self.live.site, self.targets(), max(20, self.size.width)
        at, first = kind(self.live, self.pane().rows.cursor), self.sbc.keymap.first
        ask = partial(footer, site, names, at, first, width, self.sbc.read_only)
        if site is None or len(names) < _MANY:
            self._keys = ask()
        elif (names, (at, width)) != self._asked_keys[:2] or site.nodes is not self._asked_keys[2]:
            self._asked_keys = (names, (at, width), site.nodes)
            self.sbc.background(self._many_keys(ask, names))
        return self._keys

    async def _many_keys(self, ask: Callable[[], Line], names: tuple[str, ...]) -> None:
        """What can be done with thousands of nodes is asked in a thread."""
        found = await in_thread(ask)
        if names is self._asked_keys[0]:
            self._keys = found
            self.show_footer()

    # ── what happens in the panes ─────────────────────────────────────────────────────────

    def pane(self) -> Pane:
        """The focused pane; the one of nodes that acts when none is."""
        focused = self.focused
        parent = focused.parent if focused else None
        return parent if isinstance(parent, Pane) else self.acting

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Header, and then footer and details, follow the cursor."""
        if event.rows.has_focus or event.rows is self.acting.rows:
            self.cursor_moved()
            self.refresh_bars()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """The keys depend on the marks."""
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The keys and the detail depend on the pane."""
        if self.pane() in self.orders:
            self.acting = self.pane()
        self.cursor_moved()
        self.refresh_bars()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through, as it is typed."""
        self._show_nodes(event.pane)
        self.refresh_bars()
        self.show_footer()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: a group unfolds, anything else shows all about it."""
        if event.key.startswith("group:"):
            self.action_fold(event.key not in self.opened)
        elif event.rows is not self.disk.rows:
            self.sbc.show_row(event.key)

    def on_paste(self, event: events.Paste) -> None:
        """A paste with lines in it is a list of boards, wherever it lands."""
        event.stop()
        if self.world.site is None:
            self.early = event.text
        else:
            self.sbc.bulk(self.targets(), event.text)

    # ── actions ───────────────────────────────────────────────────────────────────────────

    def action_pane(self, name: str) -> None:
        """Focus a pane, if it is shown at this size."""
        reason = self.reason(f"pane_{name}")
        if reason:
            self.notify(reason, markup=False)
        else:
            self.query_one(f"#{name}", Pane).rows.focus()

    def action_fold(self, unfold: bool) -> None:
        """Open or close the root or group under the tree's cursor, or the leaf's root."""
        rows = self.tree_pane.rows
        if not rows.has_focus:
            return
        key = rows.cursor
        if not unfold and key.startswith(("leaf:", "broken:", "stray:")):
            at = rows.position(key)
            above = (k for k in reversed(rows.keys[:at]) if k.startswith(("root:", "group:")))
            key = next(above, key)
            rows.move_to(key)
        (self.opened.add if unfold else self.opened.discard)(key)
        self._show_nodes(self.tree_pane)

    def reason(self, action: str) -> str | None:
        """Why an action is not possible on what is marked or under the cursor, or None."""
        from sbctui.screens.reasons import why_not

        if action.startswith("pane_"):
            pane = self.query_one(f"#{action[5:]}", Pane)
            return None if pane.region else f"{pane.id} is not shown at this size"
        if action in ("stop_job", "resume_job"):
            from sbctui.screens.job_acts import not_now

            return not_now(action.removesuffix("_job"), self.job())
        if action in ("sort", "keep_view") and self.pane() not in self.orders:
            return "only the panes 1 and 2 can be sorted"
        if action == "bulk" and self.asking() and self.live.site and self.live.site.roots:
            return None
        return why_not(action, self.live.site, self.targets())

    def action_act(self, action: str) -> None:
        """An action of the table, or the sentence that says why not."""
        reason = self.why_not(action)
        if reason:
            self.sbc.refuse(reason)
        elif hasattr(self, f"do_{action}"):
            getattr(self, f"do_{action}")()
        else:
            self.sbc.do(action, self.targets(), self.asking())

    def copyable(self) -> tuple[str, str]:
        """What the cursor of the focused pane stands on."""
        pane = self.pane()
        key = pane.rows.cursor
        if pane is self.log_pane and key:
            return log_entry(self.world, key).text, "the line"
        if pane in self.orders:
            return self.copied(self.world.site) if self.world.site else ("", "")
        return pane.rows.text(), "the pane" if pane is not self.jobs else "the line"

    def do_back(self) -> None:
        """Leave the range, then the filter, then the marks."""
        pane = self.pane()
        if pane.rows.begun:
            pane.rows.end_range(mark=False)
        elif pane.filter:
            pane.set_filter("")
        elif self.marks:
            self.do_unmark()

    def do_filter(self) -> None:
        """Type a filter for the pane."""
        self.acting.start_filter()
        self.show_footer()

    def do_sort(self) -> None:
        """Sort the pane by its next column."""
        super().do_sort()
        self._show_nodes(self.acting)
