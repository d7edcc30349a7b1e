"""Every disagreement: what, why, how one knows, how large, since when, and its fix."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.screen import Screen

from sbctui import findings as words
from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import FixFindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens import audit_lines as lines
from sbctui.screens.findings_acts import OnFindings
from sbctui.screens.foresee import Foresight
from sbctui.screens.help import keys_for
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding

_KEYS = (
    "fix", "fix_safe", "trash", "keep", "filter", "leave", "mark_safe", "report", "sort",
    "any.help", "reload", "unmark",
)  # fmt: skip


class AuditScreen(Sturdy, OnFindings, Screen[None]):
    """The findings in groups, and the story of the one under the cursor."""

    CSS_PATH = "audit.tcss"
    SCOPE = "audit"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("audit")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-flat"), (20, "-h20"), (24, "-h24"), (36, "-h36")]
        self.world = world
        self.marks: set[str] = set()
        self.order = lines.ORDERS[0]
        self._opened, self._fresh, self._placed = time.time(), True, ""
        self._found: dict[str, Finding] = {}
        self.pane = Pane(
            0,
            "Audit",
            id="findings",
            markable=lambda key: key in self._found,
            head=lines.head,
            marks=self.marks,
        )
        self.about = Lines(id="about")

    def compose(self) -> ComposeResult:
        """Findings, the chosen one's story below or beside them, keys."""
        with Container(id="parts"):
            yield self.pane
            with Vertical(id="side"):
                title = Bar(id="abouttitle", fill="─")
                title.show(((" Why, and what can be done ", "head"),), ((" enter: all ", "dim"),))
                yield title
                yield self.about
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Look anew; what is known already is shown meanwhile."""
        self.foresight = Foresight(self.sbc, self._tell)
        self.about.can_focus = False
        self.pane.rows.focus()
        self.sbc.feeds.hurry("audit")
        self._show()

    def on_changed(self, event: Changed) -> None:
        """Other findings, or another state of the look for them."""
        before, self.world = self.world, event.world
        if _seen(before) != _seen(self.world):
            self._show()

    def on_resize(self) -> None:
        """A wide screen has room for more of the story."""
        self.call_after_refresh(self._tell)

    # ── showing ───────────────────────────────────────────────────────────────────────────

    def _show(self) -> None:
        found = self.world.findings or ()
        self._found = {lines.finding_key(f): f for f in found}
        self._drop_marks()
        shown = [f for f in found if lines.passes(f, self.pane.filter)]
        now = self.world.audited

        def draw(key: str, width: int) -> Line:
            one = self._found.get(key)
            return lines.row(one, width, now) if one else lines.heading(key[6:], shown)

        rows = self.pane.rows
        untouched = self._fresh and rows.cursor == self._placed
        on_heading = rows.cursor.startswith("group:")
        keys = lines.rows(shown, self.order)
        self.pane.show(keys, draw, note=self._note(shown), said=self._said(), empty=self._empty())
        if keys and untouched:
            rows.move_to(keys[1])
            rows.to_top()
            self._placed = rows.cursor
        elif keys and not on_heading and rows.cursor not in self._found:
            rows.move_to(keys[rows.position(rows.cursor) + 1])
        self._fresh = self._fresh and self.world.audited < self._opened
        self._tell()

    def _drop_marks(self) -> None:
        gone = self.marks - self._found.keys()
        if gone:
            self.marks -= gone
            self.notify(f"{fmt.plural(len(gone), 'mark')} dropped: no longer there", markup=False)

    def _note(self, shown: list[Finding]) -> Line:
        if self.world.findings is None:
            return ()
        counted = words.counts(self.world.findings)
        some = f"{len(shown)} of " if self.pane.filter else ""
        order = f", by {self.order}" if self.order != lines.ORDERS[0] else ""
        return ((f" {some}{counted}{order} ", ""),)

    def _said(self) -> Line:
        running = [job for job in self.world.jobs if job.running]
        if running:
            done = sum(job.done + job.failed for job in running)
            total = sum(job.total for job in running)
            return ((f" {fmt.plural(len(running), 'job')} {done}/{total} ", "key"),)
        late = self.world.late.get("audit")
        if late:
            return ((f" no answer for {late} s ", "bad"),)
        if "audit" in self.world.errors:
            return ((" the last look failed ", "bad"),)
        if not self.world.audited:
            return ()
        return (
            (f" looked {time.strftime('%H:%M:%S', time.localtime(self.world.audited))} ", "dim"),
        )

    def _empty(self) -> list[Line]:
        """What stands there when no finding does."""
        world = self.world
        if world.findings is None or world.site is None:
            if "audit" in world.errors:
                return [((f" the look failed: {clean(world.errors['audit'])}", "bad"),)]
            late = world.late.get("audit")
            return [((f" looking ...{f' for {late} s' if late else ''}", "dim"),)]
        if self.pane.filter:
            return [((f" no finding has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        looked = words.checked(world.site, world.services)
        return [((f" {words.NOTHING}; looked at:", "good"),), *(((f"   {t}", ""),) for t in looked)]

    def _tell(self) -> None:
        """The chosen finding's story, and the keys that apply to it."""
        if self not in self.app.screen_stack:
            return
        finding = self._found.get(self.pane.rows.cursor)
        told: list[Line] = []
        if finding is not None:
            steps = self.foresight.steps(self.world, finding)
            if self.has_class("-wide"):
                told = lines.whole(finding, steps, self.keys(), self.world)
            else:
                told = lines.brief(finding, steps, self.keys())
        self.about.put(told)
        self.query_one("#keys", Bar).show(keys_for(self, _KEYS))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell of the one under the cursor."""
        self._tell()
        self.about.to_top()

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """The keys depend on the marks."""
        self._tell()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: everything about the finding."""
        if event.key in self._found:
            from sbctui.screens.evidence import EvidenceScreen

            self.sbc.push_screen(EvidenceScreen(self.world, self._found[event.key].id))

    # ── actions ───────────────────────────────────────────────────────────────────────────

    def chosen(self) -> list[Finding]:
        """The marked ones, or the one under the cursor."""
        keys = [k for k in self._found if k in self.marks] or [self.pane.rows.cursor]
        return [self._found[k] for k in keys if k in self._found]

    def begun(self) -> None:
        """What was marked is being worked on."""
        self.do_unmark()

    def _safe(self) -> list[Finding]:
        """What is safe to fix, is not kept, and the filter shows."""
        return [
            f for f in self._found.values()
            if f.safe and f.kept is None and lines.passes(f, self.pane.filter)
        ]  # fmt: skip

    def reason(self, action: str) -> str | None:
        """Why an action is not possible now, or None."""
        if action in ("fix_safe", "mark_safe") and not self._safe():
            return "there is nothing that can be fixed without losing anything"
        if action == "report" and self.world.findings is None:
            return "the first look is not over yet"
        if action == "unmark" and not self.marks:
            return "nothing is marked"
        return super().reason(action)

    def copyable(self) -> tuple[str, str]:
        """The finding under the cursor."""
        finding = self._found.get(self.pane.rows.cursor)
        if finding is None:
            return "", ""
        told = [f"{label}: {text}" for label, text in words.story(finding, self.world.audited)]
        return "\n".join((finding.title, *told, words.command(finding))).strip(), "the finding"

    def do_fix_safe(self) -> None:
        """Show the plan that fixes what is safe to fix."""
        self.offer(FixFindings(findings=tuple(f.id for f in self._safe())))

    def do_mark_safe(self) -> None:
        """Mark every fix that loses nothing and hurts no running board."""
        self.pane.rows.mark(map(lines.finding_key, self._safe()), on=True)

    def do_mark_all(self) -> None:
        """Mark all that can be fixed and the filter shows."""
        shown = (self._found.get(key) for key in self.pane.rows.keys)
        self.pane.rows.mark([lines.finding_key(f) for f in shown if f and f.fix], on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.pane.rows.mark(set(self.marks), on=False)

    def do_sort(self) -> None:
        """Take the next order."""
        self.order = lines.ORDERS[(lines.ORDERS.index(self.order) + 1) % len(lines.ORDERS)]
        self._show()

    def do_report(self) -> None:
        """Ask where a report of all findings goes."""
        from sbctui.screens.report import open_report

        open_report(self.sbc, self.world)

    def do_reload(self) -> None:
        """Look again."""
        self.sbc.do("reload", (), ())

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_leave(self) -> None:
        """Leave the range first, then the filter, then the screen."""
        if self.pane.rows.begun:
            self.pane.rows.end_range(mark=False)
        elif self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)


def _seen(world: World) -> tuple[object, ...]:
    """What of a world the screen shows."""
    running = tuple((j.id, j.done, j.failed) for j in world.jobs if j.running)
    return (
        world.findings,
        world.audited,
        world.late.get("audit"),
        world.errors.get("audit"),
        running,
    )
