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
from textual.timer import Timer
from textual.widgets import Input

from sbctui.actions import bindings
from sbctui.engine import rules
from sbctui.engine.model.requests import CreateLeaves, LeafSpec
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.bulk_run import Run
from sbctui.screens.bulk_text import Editor, Judged, as_line, judge, verdict_line
from sbctui.screens.fields import Entry, Field
from sbctui.screens.forms import groups
from sbctui.screens.help import keys_for
from sbctui.screens.modal import Reason
from sbctui.screens.networks import networks, other_network
from sbctui.widgets.bars import Bar
from sbctui.widgets.choice import Choice
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site

_PAUSE = 0.15
_EMPTY = (" paste MACs on the left, or type them;", " what becomes of each line stands here")


class BulkScreen(Sturdy, Acting, Screen[None]):
    """Paste, range, file or boards that ask → verdicts → plan → progress → retry."""

    CSS_PATH = "bulk.tcss"
    SCOPE = "bulk"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("bulk")]

    def __init__(self, site: Site, text: str, root: str, group: str) -> None:
        super().__init__()
        self._site, self._judged = site, Judged()
        self._failed: dict[str, str] = {}
        self._pause: Timer | None = None
        able = [r.name for r in site.roots if rules.can_create_leaves(site, r.name) is None]
        self.root = Entry(Field("root", "", value=root or (able[0] if able else ""), names=able))
        self.group = Entry(Field("group", "", value=group, names=groups(site)))
        names = networks(site)
        self.network = Choice(names, names[0], id="network") if names else None
        self.editor = Editor(
            text, id="editor", soft_wrap=False, show_line_numbers=True, compact=True
        )
        self.verdicts = Rows(id="verdicts", cursor=False)
        self.run = Run(id="progress")
        self.why = Reason("root")

    def compose(self) -> ComposeResult:
        """Title, root and group, text and verdicts, sums, progress, keys."""
        yield Bar(id="title", fill="─")
        with Horizontal(id="rootline"):
            yield Bar(id="label")
            yield self.root
            yield Bar(id="grouplabel")
            yield self.group
        if self.network is not None:
            with Horizontal(id="networkline"):
                yield Bar(id="networklabel")
                yield self.network
        yield self.why
        with Horizontal(id="both"):
            yield self.editor
            yield self.verdicts
        yield Bar(id="line")
        yield Bar(id="sums")
        yield Bar(id="ends")
        yield self.run
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Begin in the text, behind what was pasted."""
        self._say("label", (" Leaves of root:", "key"))
        self._say("grouplabel", (" Group for all:", "key"))
        if self.network is not None:
            self._say("networklabel", (" Network:", "key"))
        self.verdicts.can_focus = False
        self.editor.move_cursor(self.editor.document.end)
        self.editor.focus()
        self.watch(self.editor, "scroll_y", self._follow, init=False)
        self._keys()
        self._tell_line()
        self._judge_soon(0.0)

    def _say(self, bar: str, *spans: tuple[str, str]) -> None:
        self.query_one(f"#{bar}", Bar).show(spans)

    # ── judging ───────────────────────────────────────────────────────────────────────────

    def on_text_area_changed(self) -> None:
        """Judge a moment after the last key."""
        self._judge_soon(_PAUSE)

    def on_text_area_selection_changed(self) -> None:
        """Tell the whole verdict of the line one stands on."""
        self._tell_line()

    def on_input_changed(self) -> None:
        """Another root or group: the same lines may mean something else."""
        self._judge_soon(_PAUSE)

    def on_entry_listed(self, event: Entry.Listed) -> None:
        """Lines pasted into a field belong into the list."""
        if not self.editor.read_only:
            self.editor.add(event.text)
            self.editor.focus()

    def _tell_line(self) -> None:
        row = self.editor.cursor_location[0]
        verdicts = self._judged.verdicts
        told: Line = ()
        if row < len(verdicts) and verdicts[row].kind != "blank":
            told = ((f" line {row + 1}: ", "dim"), *self._verdict_line(str(row + 1), 0))
        self._say("line", *told)
        self._say("title", (" Bulk leaves ", "head"), (self.editor.hint, "dim"))

    def _verdict_line(self, key: str, width: int) -> Line:
        return verdict_line(self._judged.verdicts[int(key) - 1], self._failed)

    def _judge_soon(self, pause: float) -> None:
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(pause or 0.001, lambda: self.sbc.background(self._judge()))

    async def _judge(self) -> None:
        asked, site = self._asked(), self._site
        judged = await in_thread(lambda: judge(site, *asked))
        # with other nodes it is judged again; other facts must not make every answer old
        if asked == self._asked() and site.nodes is self._site.nodes and self.is_attached:
            self._judged = judged
            self._show_verdicts()
            self.call_after_refresh(self._follow)
            self._tell_line()
            self._sums()

    def _show_verdicts(self) -> None:
        if self.editor.text.strip():
            self.verdicts.show([str(v.line) for v in self._judged.verdicts], self._verdict_line)
        else:
            self.verdicts.show(_EMPTY, lambda line, width: ((line, "dim"),))

    def _asked(self) -> tuple[str, str, str, str]:
        return self.editor.text, self.root.value.strip(), self.group.value.strip(), self._network()

    def _network(self) -> str:
        chosen = {"network": self.network.value} if self.network is not None else {}
        return other_network(self._site, chosen)

    def on_choice_changed(self) -> None:
        """Another network gives other addresses."""
        self._judge_soon(_PAUSE)

    def _follow(self) -> None:
        self.verdicts.scroll_to(y=self.editor.scroll_offset.y, animate=False, force=True)

    def _sums(self) -> None:
        judged = self._judged
        wanted, bad, there = len(judged.wanted), judged.count("bad"), judged.count("there")
        self.why.say(judged.refused, "bad")
        self.why.display = bool(judged.refused)
        spans = [(f" {wanted} ok", "good" if wanted else "dim")]
        spans += [(f"  {bad} bad", "bad")] if bad else []
        spans += [(f"  {there} there", "dim")] if there else []
        self._say("sums", *spans, (judged.sums, ""))
        self._say("ends", (f" {judged.ends}", "bad" if judged.ends.startswith("!") else ""))
        self._keys()

    # ── acting ────────────────────────────────────────────────────────────────────────────

    def reason(self, action: str) -> str | None:
        """Why not now, or None."""
        runs = self.editor.read_only
        if action == "stop":
            return None if runs else "no job of this screen runs; ctrl+g shows the plan for one"
        if action == "leave":
            return None
        if runs:
            return "its job runs still; X stops it, esc leaves it running"
        if action == "start":
            none = "no line is right yet; ctrl+n goes to the next that is wrong"
            return self._judged.refused or (None if self._judged.wanted else none)
        if action == "next_fault" and not self._judged.count("bad"):
            return "no line is wrong"
        if action == "asking" and not self._asking():
            return "no unknown board asks that is not in the list; switch one on"
        return None

    def on_editor_ready(self) -> None:
        """Show the plan."""
        self.action_act("start")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in a field shows the plan too, when there is a list."""
        event.stop()
        if self._judged.wanted:
            self.action_act("start")
        else:
            self.editor.focus()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter on the finished job: what failed is in the editor, so show its plan."""
        if self.why_not("start") is None:
            self.do_start()

    def do_start(self) -> None:
        """Show the plan for the lines that are right."""
        wanted = self._judged.wanted
        root, network = self.root.value.strip(), self._network()
        request = CreateLeaves(root=root, leaves=wanted, network=network)

        def build(engine: Engine) -> CreateLeaves:
            return request

        self.sbc.offer(build, done=partial(self._started, wanted))

    def _started(self, wanted: Sequence[LeafSpec], job: str | None) -> None:
        if job is None or not self.is_attached:
            return
        self._failed = {}
        rest = [v.text for v in self._judged.verdicts if v.kind == "bad"]
        self.editor.load_text("".join(f"{row}\n" for row in rest))
        self.editor.read_only = True
        self.run.begin(job, wanted)
        self.run.focus()
        self._remember()
        self._keys()

    def on_changed(self, event: Changed) -> None:
        """Progress of our job; another site is judged anew."""
        site = event.world.site
        if site is not None and site.nodes is not self._site.nodes:
            self._judge_soon(_PAUSE)
        self._site = site or self._site
        self.run.follow(event.world)

    async def on_run_ended(self, event: Run.Ended) -> None:
        """What failed comes back, above what was wrong before."""
        self.editor.read_only = False
        engine = self.sbc.feeds.engine
        report = await in_thread(lambda: engine.report(event.job.id)) if engine else None
        if report is None or not self.is_attached:
            return
        self._failed, leaves = self.run.again(report)
        again = [as_line(leaf) for leaf in leaves]
        self.editor.load_text("".join(f"{r}\n" for r in (*again, *self.editor.text.splitlines())))
        self._judge_soon(0.0)
        if report.error and not report.changed:
            self.notify(clean(report.error), severity="error", timeout=20, markup=False)
        if again:
            self.editor.focus()
            self.editor.move_cursor(self.editor.document.end)

    def _keys(self) -> None:
        runs = self.editor.read_only
        ids = ("stop", "leave") if runs else ("start", "next_fault", "asking", "file", "leave")
        self._say("keys", *keys_for(self, ids))

    def do_next_fault(self) -> None:
        """Put the cursor on the next bad line."""
        row = self.editor.cursor_location[0]
        bad = [v.line - 1 for v in self._judged.verdicts if v.kind == "bad"]
        self.editor.focus()
        self.editor.move_cursor((next((b for b in bad if b > row), bad[0]), 0))

    def _asking(self) -> list[str]:
        return [s.mac for s in self._site.facts.seen if s.mac not in self.editor.text]

    def do_asking(self) -> None:
        """Add the boards that ask for an address and have no node."""
        self.editor.add("\n".join(self._asking()))

    def do_file(self) -> None:
        """Add the lines of a file."""
        from sbctui.screens.bulk_file import FileScreen

        self.sbc.push_screen(FileScreen(), self._add)

    def _add(self, text: str | None) -> None:
        if text:
            self.editor.add(text.replace("\r\n", "\n").replace("\r", "\n"))
            self.editor.focus()

    @property
    def job(self) -> str:
        """The job that is on this screen already; its end needs no other word."""
        return self.run.job

    def do_stop(self) -> None:
        """Ask the job to stop; what is done stays."""
        self.sbc.stop_job(self.run.job)

    def copyable(self) -> tuple[str, str]:
        """The list."""
        return self.editor.text, "the list"

    def _remember(self) -> None:
        chosen = {"root": self.root.value.strip(), "group": self.group.value.strip()}
        self.sbc.drafts["bulk"] = chosen

    def do_leave(self) -> None:
        """Back to where one came from; a running job goes on, and the text is kept."""
        self._remember()
        self.sbc.draft = self.editor.text
        self.dismiss(None)
