"""One job: how far it is, the commands it ran, every outcome and error, whole."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui.actions import bindings
from sbctui.format import Line
from sbctui.joblog import Entry, around, entry, errors, rows
from sbctui.messages import Changed, World, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for
from sbctui.screens.job_acts import not_now
from sbctui.screens.job_head import head, how_it_ended
from sbctui.screens.job_view import JobView, outcome
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine

_TAKE = 0.25
_KEYS = ("stop", "resume", "errors", "find", "any.copy", "close", "leave", "any.help")


class JobScreen(Sturdy, Acting, Screen[None]):
    """The log of a job, live while it runs; it stays at its end unless one goes up."""

    CSS_PATH = "job.tcss"
    SCOPE = "job"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("job")]

    def __init__(self, world: World, job: str) -> None:
        super().__init__()
        self.job = job
        self._world = world
        self._view = next(j for j in world.jobs if j.id == job)
        self._came: deque[Entry] = deque()
        self._entries: list[Entry] = []
        self._lines: dict[str, Line] = {}
        self._wide = 0
        self._bad = False
        self._stop = threading.Event()
        self._reading = True
        self._ended = False
        self.pane = Pane(0, "Log", id="log")

    def compose(self) -> ComposeResult:
        """Title, what it is and how far, log, keys."""
        title = Bar(id="title", fill="─")
        title.show(((f" Job {self.job} ", "head"),))
        yield title
        for row in ("what", "state", "progress", "command"):
            yield Bar(id=row)
        yield self.pane
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Its journal is read in a thread, from the beginning."""
        self.pane.rows.focus()
        self._head()
        engine = self.sbc.feeds.engine
        if engine is not None:
            reader = threading.Thread(target=self._read, args=(engine,), daemon=True)
            reader.start()
        self._timer = self.set_interval(_TAKE, self._take)

    def on_unmount(self) -> None:
        """Stop following."""
        self._stop.set()

    def _read(self, engine: Engine) -> None:
        from sbctui.engine.errors import SbcError

        with suppress(SbcError, OSError):
            for event in engine.events(self.job, self._stop):
                if (made := entry(event)) is not None:
                    self._came.append(made)
        self._reading = False

    def _take(self) -> None:
        """What the thread has read since; when that was all, how the job ended."""
        over = not self._reading
        self._add([self._came.popleft() for _ in range(len(self._came))])
        self._head()
        if over and not self._ended and not self._view.running:
            self._ended = True
            self._timer.stop()
            self.sbc.background(self._end())

    async def _end(self) -> None:
        engine = self.sbc.feeds.engine
        if engine is None:
            return
        made = await in_thread(lambda: how_it_ended(engine, self.job))
        if self.is_attached:
            self._add(made)
            self._head()

    def _add(self, entries: list[Entry]) -> None:
        """More of the log; who stands at its end stays there."""
        log = self.pane.rows
        width = log.size.width - log.margin_width
        if not width or (not entries and width == self._wide and self._lines):
            return
        follow = not log.keys or log.cursor == log.keys[-1]
        if width != self._wide:
            self._wide, self._lines = width, {}
            entries, self._entries = [*self._entries, *entries], []
        self._bad = self._bad or any(one.bad for one in entries)
        for one in entries:
            self._entries.append(one)
            number = len(self._entries) - 1
            for part, line in enumerate(rows(one, width)):
                self._lines[f"{number}.{part}"] = line
        nothing: Line = (("nothing yet" if self._reading else "it said nothing", "dim"),)
        self.pane.show(list(self._lines), lambda key, _: self._lines[key], empty=[nothing])
        if follow and self._lines:
            log.move_to(log.keys[-1])

    def on_resize(self) -> None:
        """The log wraps anew."""
        self.call_after_refresh(lambda: self._add([]))
        self._head()

    def on_changed(self, event: Changed) -> None:
        """It went on, or was resumed."""
        self._world = event.world
        now = next((j for j in event.world.jobs if j.id == self.job), None)
        if now is None or now == self._view:
            return
        heir = now.resumed_by if not self._view.resumed_by else ""
        self._view = now
        self._head()
        if heir and any(j.id == heir for j in event.world.jobs):
            self.app.switch_screen(JobScreen(event.world, heir))

    def _head(self) -> None:
        if not self.is_attached:
            return
        shown = head(self._view, time.time(), self.size.width)
        for row, line in shown.items():
            bar = self.query_one(f"#{row}", Bar)
            bar.display = bool(line)
            bar.show(line)
        self.query_one("#keys", Bar).show(keys_for(self, _KEYS))

    # ── what can be done ──────────────────────────────────────────────────────────────────

    def reason(self, action: str) -> str | None:
        """Why something is not possible with this job now."""
        job = self._view
        if action in ("stop", "resume"):
            return not_now(action, job)
        if action == "close" and not job.undone:
            return "only an interrupted job that left something undone can be let be"
        if action == "errors" and not self.pane.filter and not self._bad:
            return "there is no error"
        return None

    def do_stop(self) -> None:
        """Ask it to stop."""
        self.sbc.stop_job(self.job)

    def do_resume(self) -> None:
        """Show the plan for what it left undone."""
        self.sbc.resume_job(self.job)

    def do_close(self) -> None:
        """Leave it at what it has done."""
        self.sbc.close_job(self.job)

    def do_errors(self) -> None:
        """To the next line found; with nothing sought, to the next error."""
        word = self.pane.filter.lower()
        self._go(
            lambda one: word in one.text.lower() if word else one.bad,
            f"{word!r} is not there" if word else "there is no error",
        )

    def do_find(self) -> None:
        """Take the next keys as the word to find."""
        self.pane.set_filter("", typing=True)

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Go to the first line with the word that is being typed."""
        word = event.text.lower()
        if word:
            self._go(lambda one: word in one.text.lower(), "", here=True)

    def _go(self, wanted: Callable[[Entry], bool], missing: str, *, here: bool = False) -> None:
        log = self.pane.rows
        at = int(log.cursor.partition(".")[0] or 0) if log.cursor else 0
        count = len(self._entries)
        order = [*range(at if here else at + 1, count), *range(at if here else at + 1)]
        found = next((i for i in order if wanted(self._entries[i])), None)
        if found is not None:
            log.move_to(f"{found}.0")
        elif missing:
            self.notify(missing, markup=False)

    def copyable(self) -> tuple[str, str]:
        """The line under the cursor; at the log's end all errors with their commands."""
        log = self.pane.rows
        if log.cursor and log.cursor != log.keys[-1]:
            return around(self._entries, int(log.cursor.partition(".")[0])), "the line"
        if wrong := errors(self._entries):
            return wrong, "the errors with their commands"
        return self._view.command, "the command line"

    def do_leave(self) -> None:
        """Leave what is sought, then the screen; the job goes on."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)


def ending(job: JobView) -> tuple[str, str]:
    """What a toast says of a job that has ended: sentence and severity."""
    word = outcome(job)
    if word == "ok":
        return f"{job.title}: done", "information"
    if word == "interrupted":
        return f"{job.title}: its process has gone; what it had done stands", "error"
    if word == "stopped":
        return f"{job.title}: stopped; {job.done} of {job.total} done stays", "error"
    if word.endswith("failed") and job.total:
        return f"{job.title}: {job.done} done, {job.failed} failed", "error"
    return f"{job.title}: {word}", "error"
