"""Home: tree, allocations, disk, services and jobs, log, all live."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.messages import Changed, World
from sbctui.screens import home_lines as lines
from sbctui.screens.acting import Acting
from sbctui.screens.home_show import show_jobs, show_lines, show_log, stands
from sbctui.screens.tree_lines import tree, tree_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site

_FEW = 24
"""With so few leaves all roots begin open."""


class HomeScreen(Sturdy, Acting, Screen[None]):
    """The first screen, and the one below all others."""

    SCOPE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.opened: set[str] = set()
        self._fresh = True
        self._narrow: dict[str, frozenset[str] | None] = {}
        mark = self._can_be_marked
        self.tree_pane = Pane(1, "Tree", id="tree", markable=mark)
        self.allocations = Pane(
            2, "Allocations", id="allocations", markable=mark, head=lines.allocation_head
        )
        self.disk = Pane(3, "Disk", id="disk", cursor=False)
        self.jobs = Pane(4, "Services and jobs", id="jobs")
        self.log_pane = Pane(5, "Log", id="log")
        self.detail = Pane(0, "Detail", id="detail", cursor=False)

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
        self.detail.rows.can_focus = False
        self.tree_pane.rows.focus()
        self.refresh_all()

    def on_changed(self, event: Changed) -> None:
        """Another world: repaint what differs."""
        before, self.world = self.world, event.world
        if self._fresh and self.world.site is not None:
            self._fresh = False
            self._open_few(self.world.site)
            self.tree_pane.rows.cursor = next((f"root:{r.name}" for r in self.world.site.roots), "")
        if before.site is not self.world.site:
            self._narrow.clear()
        self.refresh_all()

    def _open_few(self, site: Site) -> None:
        if len(site.leaves) <= _FEW:
            self.opened |= {f"root:{r.name}" for r in site.roots}

    def on_resize(self, event: events.Resize) -> None:
        """Say what is needed when the terminal is too small."""
        size = event.size
        small = f"sbctui needs 60x16, this terminal is {size.width}x{size.height}"
        self.query_one("#small", Bar).show(((small, "warn"),))
        self.call_after_refresh(self.refresh_all)

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def refresh_all(self) -> None:
        """Show the world in every pane."""
        site = self.world.site
        if site is not None:
            self._show_nodes(site)
            disk = lines.disk_lines(site, max(20, self.disk.size.width))
            show_lines(self.disk, disk, self._late("site"))
        show_jobs(self.jobs, self.world, self._late("services") or self._late("jobs"))
        show_log(self.log_pane, self.world)
        self.refresh_bars()

    def _show_nodes(self, site: Site) -> None:
        note = self._late("site")
        exists = partial(stands, site)
        keys = tree(site, self.opened, self._passing(self.tree_pane))
        draw = partial(tree_line, site, self.opened)
        gone = self.tree_pane.show(keys, draw, stands=exists, note=note)
        rows = lines.allocations(site, self._passing(self.allocations))
        line = partial(lines.allocation_line, site)
        self.allocations.show(rows, line, stands=exists, note=note)
        if gone:
            self.notify(f"{fmt.plural(gone, 'mark')} dropped: no longer there", markup=False)
        self._show_detail()

    def _show_detail(self) -> None:
        if self.detail.display and self.world.site is not None:
            from sbctui.screens.detail import detail

            width = max(20, self.detail.size.width - 1)
            show_lines(self.detail, wrapped(detail(self.world.site, self._focused().cursor), width))

    def refresh_bars(self) -> None:
        """Header, status line and footer."""
        world, width = self.world, max(20, self.size.width)
        if world.site is None:
            trouble = world.errors.get("site", "")
            if trouble:
                lines_of = wrapped([((clean(trouble), "bad"),)], self.allocations.size.width - 2)
                show_lines(self.allocations, lines_of)
            first = " can't be read" if trouble else f" reading {clean(str(world.path))} ..."
            self.query_one("#header", Bar).show(((" sbctui ", "head"), (first, "")))
        else:
            self.query_one("#header", Bar).show(*lines.header(world.site, world.path.name, width))
        from sbctui.screens.status import footer, status

        self.query_one("#status", Bar).show(*status(world))
        self.query_one("#footer", Bar).show(footer(world.site, self.targets(), width))

    def _late(self, source: str) -> Line:
        seconds = self.world.late.get(source)
        return ((f" no answer for {seconds} s ", "bad"),) if seconds else ()

    def _passing(self, pane: Pane) -> Collection[str] | None:
        if not pane.filter or self.world.site is None:
            return None
        if pane.filter not in self._narrow:
            from sbctui.screens.filtering import passing

            self._narrow[pane.filter] = passing(self.world.site, pane.filter)
        return self._narrow[pane.filter]

    # ── cursor, marks, what is acted on ───────────────────────────────────────────────────

    def _can_be_marked(self, key: str) -> bool:
        return key.partition(":")[0] in ("root", "leaf", "seen")

    def _focused(self) -> Rows:
        """The node pane that acts: the allocations while focused, else the tree."""
        rows = self.allocations.rows
        return rows if rows.has_focus else self.tree_pane.rows

    def targets(self) -> tuple[str, ...]:
        """Names of the nodes acted on: the marked ones, else the one under the cursor."""
        rows = self._focused()
        site = self.world.site
        keys: Sequence[str] = sorted(rows.marks) or [rows.cursor]
        known = (lines.name_of(k) for k in keys if k.partition(":")[0] in ("root", "leaf"))
        return tuple(n for n in known if site is not None and n in site.nodes)

    def asking(self) -> tuple[str, ...]:
        """MACs of unknown boards that are marked or under the cursor."""
        rows = self._focused()
        keys = rows.marks or {rows.cursor}
        return tuple(sorted(lines.name_of(k) for k in keys if k.startswith("seen:")))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Footer and detail follow the cursor."""
        self.refresh_bars()
        self._show_detail()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """Both node panes show the same marks."""
        for pane in (self.tree_pane, self.allocations):
            if pane.rows is not event.rows and event.rows in (
                self.tree_pane.rows,
                self.allocations.rows,
            ):
                pane.rows.marks = set(event.rows.marks)
                pane.rows.refresh()
                pane.title()
        self.refresh_bars()

    def on_descendant_focus(self) -> None:
        """The footer depends on the pane."""
        self.refresh_bars()
        self._show_detail()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through, as it is typed."""
        self.refresh_all()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: a group unfolds, anything else shows all about it."""
        if event.key.startswith("group:"):
            self.action_fold(event.key not in self.opened)
        else:
            self.sbc.show_row(event.key)

    def on_paste(self, event: events.Paste) -> None:
        """A paste with lines in it is a list of boards, wherever it lands."""
        event.stop()
        self.sbc.bulk(self.targets(), event.text)

    # ── actions ───────────────────────────────────────────────────────────────────────────

    def action_pane(self, name: str) -> None:
        """Focus a pane, if it is shown at this size."""
        pane = self.query_one(f"#{name}", Pane)
        if pane.rows.focusable and pane.region:
            pane.rows.focus()
        else:
            self.notify(f"{pane.id} is not shown at this size", markup=False)

    def action_fold(self, unfold: bool) -> None:
        """Open or close the root or group under the tree's cursor, or the leaf's root."""
        rows, site = self.tree_pane.rows, self.world.site
        if site is None or not rows.has_focus:
            return
        key = rows.cursor
        if not unfold and key.startswith(("leaf:", "broken:", "stray:")):
            at = rows.position(key)
            above = (k for k in reversed(rows.keys[:at]) if k.startswith(("root:", "group:")))
            key = next(above, key)
            rows.move_to(key)
        (self.opened.add if unfold else self.opened.discard)(key)
        self._show_nodes(site)

    def do_back(self) -> None:
        """Leave the filter, then the marks."""
        pane = self._pane()
        if pane.filter:
            pane.set_filter("")
        elif self._focused().marks:
            self._focused().mark(self._focused().marks, on=False)

    def _pane(self) -> Pane:
        focused = self.focused
        parent = focused.parent if focused else None
        return parent if isinstance(parent, Pane) else self.tree_pane

    def do_stop_job(self) -> None:
        """Stop the job under the cursor of pane 4."""
        key = self.jobs.rows.cursor
        if self.jobs.rows.has_focus and key.startswith("job:"):
            self.sbc.stop_job(lines.name_of(key))

    def reason(self, action: str) -> str | None:
        """Why an action is not possible on what is marked or under the cursor, or None."""
        from sbctui.screens.reasons import why_not

        if action == "bulk" and self.asking() and self.world.site and self.world.site.roots:
            return None
        return why_not(action, self.world.site, self.targets())

    def action_act(self, action: str) -> None:
        """An action of the table, or the sentence that says why not."""
        reason = self.why_not(action)
        if reason:
            self.sbc.refuse(reason)
        elif hasattr(self, f"do_{action}"):
            getattr(self, f"do_{action}")()
        else:
            self.sbc.do(action, self.targets(), self.asking())

    def do_filter(self) -> None:
        """Type a filter for the pane."""
        pane = self._pane()
        able = pane in (self.tree_pane, self.allocations)
        (pane if able else self.tree_pane).start_filter()

    def do_mark_all(self) -> None:
        """Mark all that the filter shows."""
        rows = self._focused()
        rows.mark(rows.keys, on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        rows = self._focused()
        rows.mark(rows.marks, on=False)

    def do_invert(self) -> None:
        """Turn all marks over."""
        rows = self._focused()
        rows.mark(rows.keys)
