"""A job as its events tell it so far; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.engine import Job
    from sbctui.engine.events import Event, Finished, Progress, UnitFinished

Samples = tuple[tuple[float, float], ...]
"""(epoch seconds, how much), oldest first."""

_SAMPLES = 240
_APART = 0.25
_TROUBLE = 100


@dataclass(frozen=True, slots=True)
class JobView:
    """One job. ``total``, ``done`` and ``failed`` count what it is about, as ``Job`` does.

    ``inside`` is how much of the running unit is done, from 0 to 1; ``samples`` are units and
    ``bytes`` the bytes worked on, with those before this unit in ``before``. ``trouble`` are
    its warnings and failures, the first hundred. ``told`` is the last thing the running unit said
    of itself, ``receivers`` what became of each of those to whom it sends. ``undone``: it was
    interrupted, and something is left that nobody took over.
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
    command: str = ""
    user: str = ""
    pid: int = 0
    waits: str = ""
    resumes: str = ""
    resumed_by: str = ""
    closed: bool = False
    undone: bool = False
    unit: str = ""
    inside: float = 0.0
    before: float = 0.0
    samples: Samples = ()
    bytes: Samples = ()
    trouble: tuple[fmt.Line, ...] = ()
    verb: str = ""
    told: str = ""
    receivers: tuple[tuple[str, str], ...] = ()

    @property
    def running(self) -> bool:
        """Whether a process works on it, or waits to."""
        return self.state in ("running", "waiting")

    @property
    def part(self) -> float:
        """How many units are done, with what is done of the running one."""
        return min(float(self.total), self.done + self.failed + self.inside)

    @property
    def left(self) -> float | None:
        """Seconds still to go, None while unknown."""
        return fmt.eta(self.samples, self.total)

    @property
    def speed(self) -> str:
        """Bytes a second when it works on bytes, else units a second; ``--`` while unknown."""
        if (moved := fmt.rate(self.bytes)) is not None:
            return f"{fmt.size(moved)}/s"
        units = fmt.rate(self.samples)
        return f"{units:.1f}/s" if units is not None else fmt.UNKNOWN

    def took(self, now: float) -> float:
        """Seconds it took, or has taken up to ``now``."""
        return max(0.0, (self.finished or now) - self.started)


def view(job: Job) -> JobView:
    """A job before its events are read."""
    return JobView(
        id=job.id,
        verb=job.verb,
        title=clean(job.title),
        state=job.state,
        started=job.started,
        finished=job.finished,
        total=job.total,
        done=job.done,
        failed=job.failed,
        code=job.code,
        command=clean(job.command),
        user=clean(job.user),
        pid=job.pid,
        waits=clean(job.waits),
        resumes=job.resumes,
        resumed_by=job.resumed_by,
        closed=job.closed,
    )


def fold(now: JobView, event: Event) -> JobView:
    """The view after one more event; every event is told again from the job's beginning."""
    match event.kind:
        case "started":
            begun = replace(now, state="running", waits="", total=event.total, done=0, failed=0)
            begun = replace(begun, told="", receivers=(), trouble=())
            return replace(begun, samples=((event.at, 0.0),), bytes=(), before=0.0)
        case "waiting":
            state = "waiting" if event.holder else "running"
            return replace(now, state=state, waits=clean(event.holder))
        case "unit-started":
            return replace(now, unit=clean(event.title), inside=0.0, told="")
        case "progress":
            return _progress(now, event)
        case "note":
            return _noted(now, event.level, clean(event.text))
        case "receiver":
            told = f"{clean(event.who)} {clean(event.state)}"
            return heard(replace(now, told=told), {event.who: event.state})
        case "output":
            return now
        case "unit-finished":
            return _unit(now, event)
        case "finished":
            return _finished(now, event)


def heard(now: JobView, told: Mapping[str, str]) -> JobView:
    """With what became of receivers."""
    said = {clean(who): clean(state) for who, state in told.items()}
    return replace(now, receivers=tuple((dict(now.receivers) | said).items()))


def _noted(now: JobView, level: str, text: str) -> JobView:
    if level == "warning":
        return _troubled(now, ((text, "warn"),))
    return now if level == "command" else replace(now, told=text)


def _progress(now: JobView, event: Progress) -> JobView:
    inside = min(1.0, event.done / event.total) if event.total else 0.0
    then = replace(now, inside=inside)
    before = now.samples if now.part else ()  # waiting for the first byte tells no speed
    then = replace(then, samples=_sampled(before, event.at, then.part))
    if event.done >= event.total and not now.inside:
        return then  # a copy by reference: no bytes were moved
    return replace(then, bytes=_sampled(now.bytes, event.at, now.before + event.done))


def _sampled(samples: Samples, at: float, value: float) -> Samples:
    """With one sample more; those closer together than a quarter of a second become one."""
    if not at:
        return samples
    close = len(samples) > 1 and at - samples[-2][0] < _APART
    return (*samples[-_SAMPLES : -1 if close else None], (at, value))


def _unit(now: JobView, event: UnitFinished) -> JobView:
    then = replace(
        now,
        done=event.done,
        failed=event.failed,
        inside=0.0,
        before=now.bytes[-1][1] if now.bytes else 0.0,
        samples=_sampled(now.samples, event.at, float(event.done + event.failed)),
    )
    if event.outcome != "failed":
        return then
    return _troubled(then, ((f"failed  {clean(event.title)}: {clean(event.error)}", "bad"),))


def _troubled(now: JobView, line: fmt.Line) -> JobView:
    if len(now.trouble) > _TROUBLE:
        return now
    more: fmt.Line = (("and more like it: the job has them all", "warn"),)
    last = more if len(now.trouble) == _TROUBLE else line
    return replace(now, trouble=(*now.trouble, last))


def _finished(now: JobView, event: Finished) -> JobView:
    return replace(
        now,
        state="done" if event.code == 0 else "failed",
        code=event.code,
        finished=event.at,
        unit="",
        waits="",
        done=event.done,
        failed=event.failed,
    )


def outcome(job: JobView) -> str:
    """One word or two for how it ended."""
    if job.state == "interrupted":
        return "resumed" if job.resumed_by else "interrupted"
    if job.code == 7:
        return f"{job.failed} failed"
    if job.code == 130:
        return "stopped"
    return "ok" if job.code == 0 else "failed"


def tone_of(job: JobView) -> str:
    """The tone of its outcome."""
    word = outcome(job)
    if word in ("resumed", "stopped") or job.closed:
        return "warn" if word == "stopped" else ""
    return "good" if word == "ok" else "bad"


def line(job: JobView, width: int) -> fmt.Line:
    """The job in one line of ``width`` columns."""
    if not job.running:
        word = outcome(job)
        counts = f"{job.done}/{job.total}" if job.total else ""
        took = fmt.duration(job.took(job.finished)) if job.finished else ""
        tail = f" {counts:>9} {took:>7}"
        room = max(8, width - len(tail) - 12)
        return (
            (f"{word:<11} ", tone_of(job)),
            (f"{fmt.cut(job.title, room):<{room}}", ""),
            (tail, "dim"),
        )
    if job.state == "waiting":
        return _waiting(job, width)
    return _running(job, width)


def _telling(job: JobView, width: int) -> fmt.Line:
    """One that has nothing to count yet, or never has, as who offers an image: what it says."""
    room = max(16, width - 12)
    title = fmt.cut(job.title, max(8, room - len(job.told) - 2, room // 2))
    told = fmt.cut(job.told, max(8, room - len(title) - 2))
    return (("running     ", "key"), (f"{title}  ", ""), (told, "dim"))


def waits_for(job: JobView) -> str:
    """What a waiting job waits for, in words."""
    return f"for {job.waits}" if job.waits else "for its process to begin"


def _waiting(job: JobView, width: int) -> fmt.Line:
    room = max(8, width - 12)
    title = fmt.cut(job.title, max(8, room // 2))
    return (
        ("waiting     ", "warn"),
        (f"{title}  ", ""),
        (fmt.cut(waits_for(job), max(8, room - len(title) - 2)), "dim"),
    )


def _running(job: JobView, width: int) -> fmt.Line:
    if job.told and not job.part:
        return _telling(job, width)
    percent = int(100 * job.part / job.total) if job.total else 0
    tail = f" {percent:3}% {job.done + job.failed}/{job.total} {fmt.duration(job.left)} left"
    if width >= 100:
        tail += f" {job.speed:>8}"
    length = 22 if width < 100 else 42
    room = max(8, width - len(tail) - length - 13)
    return (
        ("running     ", "key"),
        (f"{fmt.cut(job.title, room):<{room}} ", ""),
        (fmt.bar(job.part, job.total, length), "head"),
        (tail, ""),
    )
