"""Many leaves at once: a text on the left, a verdict per line on the right.

Lines are judged 150 ms after the last key, in a thread, against one snapshot. Bad lines hold
up only themselves; what failed comes back into the editor, ready to retry.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.suggester import SuggestFromList
from textual.timer import Timer
from textual.widgets import Input

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine import rules
from sbctui.engine.model.requests import CreateLeaves, LeafSpec
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.bulk import LineVerdict, parse_bulk
from sbctui.format import Line
from sbctui.messages import Changed, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.bulk_text import Editor, as_line, bytes_needed, failures, refusal
from sbctui.screens.job_view import JobView, line, outcome
from sbctui.screens.modal import Reason, keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site

_PAUSE = 0.15


class BulkScreen(Sturdy, Acting, Screen[None]):
    """Paste, range or boards that ask → verdicts → plan → progress → retry."""

    CSS_PATH = "bulk.tcss"
    SCOPE = "bulk"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("bulk")]

    def __init__(self, site: Site, root: str, text: str) -> None:
        super().__init__()
        self._site = site
        self._verdicts: tuple[LineVerdict, ...] = ()
        self._failed: dict[str, str] = {}
        self.job = ""
        self._specs: dict[str, LeafSpec] = {}
        self._pause: Timer | None = None
        names = [r.name for r in site.roots if rules.can_create_leaves(site, r.name) is None]
        self.root = Input(
            root or (names[0] if names else ""),
            id="root",
            select_on_focus=False,
            suggester=SuggestFromList(names),
        )
        self.editor = Editor(
            text, id="editor", soft_wrap=False, show_line_numbers=True, compact=True
        )
        self.verdicts = Rows(id="verdicts", cursor=False)
        self.progress = Rows(id="progress")

    def compose(self) -> ComposeResult:
        """Title and root, text and verdicts, sums, progress, keys."""
        yield Bar(id="title", fill="─")
        with Horizontal(id="rootline"):
            label = Bar(id="label")
            label.show(((" Leaves of root:", "key"),))
            yield label
            yield self.root
        self.why = Reason("root")
        yield self.why
        with Horizontal(id="both"):
            yield self.editor
            yield self.verdicts
        yield Bar(id="line")
        yield Bar(id="sums")
        yield self.progress
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Begin in the text, behind what was pasted."""
        how = " MAC[,alias[,group]] a line, or dc:a6:32:00:00:[01-28] "
        self.query_one("#title", Bar).show(((" Bulk leaves ", "head"), (how, "dim")))
        self.verdicts.can_focus = False
        self.progress.display = False
        self.editor.move_cursor(self.editor.document.end)
        self.editor.focus()
        self.watch(self.editor, "scroll_y", self._follow, init=False)
        self._keys()
        self._judge_soon(0.0)

    # ── judging ───────────────────────────────────────────────────────────────────────────

    def on_text_area_changed(self) -> None:
        """Judge a moment after the last key."""
        self._judge_soon(_PAUSE)

    def on_text_area_selection_changed(self) -> None:
        """Tell the whole verdict of the line one stands on."""
        self._tell_line()

    def _tell_line(self) -> None:
        row = self.editor.cursor_location[0]
        verdict = self._verdicts[row] if row < len(self._verdicts) else None
        told: Line = ()
        if verdict is not None and verdict.kind != "blank":
            told = ((f" line {row + 1}: ", "dim"), *self._verdict_line(str(row + 1), 0))
        self.query_one("#line", Bar).show(told)

    def on_input_changed(self) -> None:
        """Another root: the same lines may mean something else."""
        self._judge_soon(_PAUSE)

    def _judge_soon(self, pause: float) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(pause or 0.001, self._start_judging)

    def _start_judging(self) -> None:
        self.sbc.background(self._judge())

    async def _judge(self) -> None:
        text, root, site = self.editor.text, self.root.value.strip(), self._site
        verdicts = await in_thread(lambda: parse_bulk(text, site, root))
        if text == self.editor.text and self.is_attached:
            self._verdicts = verdicts
            self.verdicts.show([str(v.line) for v in verdicts], self._verdict_line)
            self.call_after_refresh(self._follow)
            self._tell_line()
            self._sums()

    def _verdict_line(self, key: str, width: int) -> Line:
        verdict = self._verdicts[int(key) - 1]
        failures = (self._failed.get(leaf.mac) for leaf in verdict.leaves)
        failure = next((f for f in failures if f), "")
        if failure:
            return (("retry ", "warn"), (clean(failure), ""))
        tone = {"ok": "good", "bad": "bad"}.get(verdict.kind, "dim")
        sign = {"ok": "ok    ", "bad": "! bad ", "there": "there "}.get(verdict.kind, "")
        return ((sign, tone), (clean(verdict.message), "" if verdict.kind == "ok" else tone))

    def _follow(self) -> None:
        self.verdicts.scroll_to(y=self.editor.scroll_offset.y, animate=False, force=True)

    def _wanted(self) -> tuple[LeafSpec, ...]:
        return tuple(leaf for v in self._verdicts if v.kind == "ok" for leaf in v.leaves)

    def _refusal(self) -> str:
        return refusal(self._site, self.root.value.strip())

    def _sums(self) -> None:
        refused, wanted = self._refusal(), self._wanted()
        self.why.say(refused, "bad")
        bad = sum(1 for v in self._verdicts if v.kind == "bad")
        there = sum(1 for v in self._verdicts if v.kind == "there")
        spans = [(f" {len(wanted)} ok", "good" if wanted else "dim")]
        spans += [(f"  {bad} bad", "bad")] if bad else []
        spans += [(f"  {there} there", "dim")] if there else []
        if not refused:
            spans.append((bytes_needed(self._site, self.root.value.strip(), len(wanted)), ""))
        self.query_one("#sums", Bar).show(tuple(spans))

    # ── acting ────────────────────────────────────────────────────────────────────────────

    def on_editor_ready(self) -> None:
        """Show the plan."""
        self._offer()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the root's field shows the plan too, when there is a list."""
        event.stop()
        if self._wanted():
            self._offer()
        else:
            self.editor.focus()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter on the finished job: what failed is in the editor, so show its plan."""
        if not self.editor.read_only and self._wanted():
            self._offer()

    def _offer(self) -> None:
        wanted, refused = self._wanted(), self._refusal()
        if refused or not wanted:
            reason = refused or "no line is ok yet; ctrl+n goes to the next fault"
            self.notify(reason, title="not possible", severity="warning", markup=False)
            return
        request = CreateLeaves(root=self.root.value.strip(), leaves=wanted)

        def build(engine: Engine) -> CreateLeaves:
            return request

        self.sbc.offer(build, done=partial(self._started, wanted))

    def _started(self, wanted: Sequence[LeafSpec], job: str | None) -> None:
        if job is None:
            return
        self.job, self._specs = job, {leaf.mac: leaf for leaf in wanted}
        self._failed = {}
        rest = [v.text for v in self._verdicts if v.kind == "bad"]
        self.editor.load_text("".join(f"{row}\n" for row in rest))
        self.editor.read_only = True
        self.progress.display = True
        self.progress.focus()
        self._keys()

    def on_changed(self, event: Changed) -> None:
        """Progress of our job; another site is judged anew."""
        site = event.world.site
        if site is not None and site.nodes is not self._site.nodes:
            self._judge_soon(_PAUSE)
        self._site = site or self._site
        job = next((j for j in event.world.jobs if j.id == self.job), None)
        if job is None:
            return
        self._show_job(job)
        if not job.running and self.editor.read_only:
            self.editor.read_only = False
            self._keys()
            self.sbc.background(self._result(job))

    def _show_job(self, job: JobView) -> None:
        now = f"  {job.unit}" if job.unit else f"  {fmt.plural(job.failed, 'line')} to retry above"
        shown: dict[str, Line] = {"job": ((" ", ""),)}
        if job.running or job.failed:
            shown["unit"] = ((now, "dim"),)

        def draw(key: str, width: int) -> Line:
            return line(job, width) if key == "job" else shown[key]

        self.progress.show(list(shown), draw)

    async def _result(self, job: JobView) -> None:
        engine = self.sbc.feeds.engine
        report = await in_thread(lambda: engine.report(job.id)) if engine else None
        if report is None or not self.is_attached:
            return
        self._failed = dict(failures(report, self._specs))
        again = [as_line(self._specs[mac]) for mac in self._failed]
        lines = [*again, *self.editor.text.splitlines()]
        self.editor.load_text("".join(f"{row}\n" for row in lines))
        self._judge_soon(0.0)
        if report.error:
            self.notify(clean(report.error), severity="error", timeout=20, markup=False)
        if outcome(job) != "ok" and again:
            self.editor.focus()
            self.editor.move_cursor(self.editor.document.end)

    def _keys(self) -> None:
        if self.editor.read_only:
            keys = [("X", "stop the job"), ("esc", "leave it running")]
        else:
            keys = [("enter", "(empty line) plan"), ("^n", "next fault"),
                    ("^o", "boards asking"), ("tab", "root"), ("esc", "back")]  # fmt: skip
        self.query_one("#keys", Bar).show(keys_line(*keys))

    def do_next_fault(self) -> None:
        """Put the cursor on the next bad line."""
        row = self.editor.cursor_location[0]
        bad = [v.line - 1 for v in self._verdicts if v.kind == "bad"]
        if bad:
            self.editor.focus()
            self.editor.move_cursor((next((b for b in bad if b > row), bad[0]), 0))

    def do_asking(self) -> None:
        """Add the boards that ask for an address and have no node."""
        macs = [s.mac for s in self._site.facts.seen if s.mac not in self.editor.text]
        if not macs:
            self.notify("no unknown board is asking", markup=False)
        elif not self.editor.read_only:
            end = self.editor.document.end
            lead = "\n" if self.editor.document.get_line(end[0]).strip() else ""
            self.editor.insert(lead + "\n".join(macs) + "\n", end)
            self.editor.move_cursor(self.editor.document.end)

    def do_stop(self) -> None:
        """Ask the job to stop; what is done stays."""
        if self.editor.read_only and self.job:
            self.sbc.stop_job(self.job)

    def do_leave(self) -> None:
        """Back to where one came from; a running job goes on."""
        self.sbc.draft = "" if self.job else self.editor.text
        self.dismiss(None)
