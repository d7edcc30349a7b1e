"""One job: how far it is, the commands it ran, every outcome and error, whole."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.job_view import JobView, fold, line, outcome
from sbctui.screens.modal import Lines, keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine


class JobScreen(Sturdy, Acting, Screen[None]):
    """The log of a job, live while it runs."""

    CSS_PATH = "job.tcss"
    SCOPE = "job"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("job")]

    def __init__(self, world: World, job: str) -> None:
        super().__init__()
        self.job = job
        self._view = next(j for j in world.jobs if j.id == job)
        self._ending: list[Line] = []
        self.text = Lines(id="text")

    def compose(self) -> ComposeResult:
        """Title, progress, log, keys."""
        title = Bar(id="title", fill="─")
        title.show(((f" Job {self.job} ", "head"),))
        yield title
        yield Bar(id="progress")
        yield self.text
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """A job that is over is read from its journal."""
        self.text.focus()
        self._show()
        if not self._view.running:
            self.sbc.background(self._read())

    async def _read(self) -> None:
        engine = self.sbc.feeds.engine
        if engine is None:
            return
        self._view = await in_thread(lambda: _whole(engine, self._view))
        report = await in_thread(lambda: engine.report(self.job))
        if report is not None:
            told = fmt.report_lines(report)
            self._ending = [((clean(t), "bad" if report.code else "good"),) for t in told]
        if self.is_attached:
            self._show()

    def on_changed(self, event: Changed) -> None:
        """More of it."""
        now = next((j for j in event.world.jobs if j.id == self.job), None)
        if now is None or not self._view.running or now == self._view:
            return
        self._view = now
        self._show()
        self.text.action_end(1)
        if not now.running:
            self.sbc.background(self._read())

    def _show(self) -> None:
        view = self._view
        self.query_one("#progress", Bar).show(line(view, max(40, self.app.size.width)))
        self.text.put([*view.history, *self._ending] or [(("nothing yet", "dim"),)])
        keys = [("X", "stop it; what is done stays")] if view.running else []
        if view.state == "interrupted":
            keys = [("", "interrupted: what it had finished stands; ask for the rest again")]
        self.query_one("#keys", Bar).show(keys_line(*keys, ("j k", "scroll"), ("esc", "back")))

    def do_stop(self) -> None:
        """Ask it to stop."""
        if self._view.running:
            self.sbc.stop_job(self.job)

    def do_leave(self) -> None:
        """Back; the job goes on."""
        self.dismiss(None)


def _whole(engine: Engine, view: JobView) -> JobView:
    """The job with its log read from the beginning; how it ended is known already."""
    stop = threading.Event()
    stop.set()
    return replace(view, history=reduce(fold, engine.events(view.id, stop), view).history)


def ending(job: JobView) -> tuple[str, str]:
    """What a toast says of a job that has ended: sentence and severity."""
    word = outcome(job)
    if word == "ok":
        return f"{job.title}: done", "information"
    if word.endswith("failed") and job.total:
        return f"{job.title}: {job.done} done, {job.failed} failed", "error"
    return f"{job.title}: {word}", "error"
