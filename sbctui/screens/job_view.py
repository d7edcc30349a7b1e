"""A job as its events tell it so far; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.engine import Job
    from sbctui.engine.events import Event, Finished, Note, UnitFinished

_SAMPLES = 240


@dataclass(frozen=True, slots=True)
class JobView:
    """One job. ``samples`` are (epoch seconds, units done); ``history`` is its log.

    ``inside`` is how much of the running unit is done, from 0 to 1.
    """

    id: str
    title: str
    state: str
    started: float
    finished: float = 0.0
    total: int = 0
    done: int = 0
    failed: int = 0
    code: int = 0
    unit: str = ""
    inside: float = 0.0
    samples: tuple[tuple[float, float], ...] = ()
    history: tuple[fmt.Line, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.state == "running"

    @property
    def left(self) -> float | None:
        """Seconds still to go, None while unknown."""
        return fmt.eta(self.samples, self.total)


def view(job: Job) -> JobView:
    """A job before its events are read."""
    return JobView(
        id=job.id,
        title=clean(job.title),
        state=job.state,
        started=job.started,
        finished=job.finished,
        total=job.total,
        done=job.done,
        failed=job.failed,
        code=job.code,
    )


def fold(now: JobView, event: Event) -> JobView:
    """The view after one more event; every event is told again from the job's beginning."""
    match event.kind:
        case "started":
            begin = ((event.at, 0.0),)
            return replace(now, total=event.total, done=0, failed=0, samples=begin, history=())
        case "unit-started":
            return replace(now, unit=clean(event.title), inside=0.0)
        case "progress":
            part = min(1.0, event.done / event.total) if event.total else 0.0
            return replace(now, inside=part)
        case "note":
            return replace(now, history=(*now.history, _note(event)))
        case "unit-finished":
            return _unit(now, event)
        case "finished":
            return _finished(now, event)


def _note(event: Note) -> fmt.Line:
    tone = {"command": "dim", "warning": "warn"}.get(event.level, "")
    return ((("$ " if event.level == "command" else "") + clean(event.text), tone),)


def _unit(now: JobView, event: UnitFinished) -> JobView:
    text = f"{event.outcome:8}{clean(event.title)}"
    bad = event.outcome != "done"
    text += f": {clean(event.error)}" if event.error else ""
    step = now.done + now.failed + 1
    return replace(
        now,
        done=now.done + (event.outcome == "done"),
        failed=now.failed + (event.outcome == "failed"),
        inside=0.0,
        samples=(*now.samples[-_SAMPLES:], (event.at, float(step))),
        history=(*now.history, ((text, "bad" if bad else ""),)),
    )


def _finished(now: JobView, event: Finished) -> JobView:
    return replace(
        now,
        state="done" if event.code == 0 else "failed",
        code=event.code,
        finished=event.at,
        unit="",
        done=event.done,
        failed=event.failed,
    )


def outcome(job: JobView) -> str:
    """One word or two for how it ended."""
    if job.state == "interrupted":
        return "interrupted"
    if job.code == 7:
        return f"{job.failed} failed"
    if job.code == 130:
        return "stopped"
    return "ok" if job.code == 0 else "failed"


def line(job: JobView, width: int) -> fmt.Line:
    """The job in one line of ``width`` columns."""
    if not job.running:
        word = outcome(job)
        counts = f"{job.done}/{job.total}" if job.total else ""
        tail = f" {counts:>9} {fmt.duration(max(0.0, job.finished - job.started)):>7}"
        room = max(8, width - len(tail) - 12)
        tone = "good" if word == "ok" else "bad"
        return ((f"{word:<11} ", tone), (f"{fmt.cut(job.title, room):<{room}}", ""), (tail, "dim"))
    part = job.done + job.failed + job.inside
    percent = int(100 * part / job.total) if job.total else 0
    tail = f" {percent:3}% {job.done + job.failed}/{job.total} {fmt.duration(job.left)} left"
    length = 22 if width < 100 else 42
    room = max(8, width - len(tail) - length - 13)
    return (
        ("running     ", "key"),
        (f"{fmt.cut(job.title, room):<{room}} ", ""),
        (fmt.bar(part, job.total, length), "head"),
        (tail, ""),
    )
