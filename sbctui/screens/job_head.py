"""What stands above a job's log, and how the log ends; no widgets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.joblog import Entry
from sbctui.screens.job_view import JobView, outcome, tone_of, waits_for

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.plan import Report

_LEFT_SHOWN = 8


def head(job: JobView, now: float, width: int) -> dict[str, Line]:
    """The rows by their name; one that has nothing to say is empty."""
    return {
        "what": ((f" {job.title}", "key"),),
        "state": _state(job, now),
        "progress": _progress(job, width),
        "command": ((f" $ {job.command}", "dim"),) if job.command else (),
    }


def _state(job: JobView, now: float) -> Line:
    word = job.state if job.running else outcome(job)
    tone = {"running": "key", "waiting": "warn"}.get(word) or tone_of(job)
    sign = "! " if tone in ("bad", "warn") else ""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.started))
    parts = [f"since {when}" if job.running else f"started {when}"]
    if job.running or job.finished:
        parts.append(f"{fmt.duration(job.took(now))}" if job.running else _took(job))
    if job.user:
        parts.append(f"by {job.user}")
    if job.pid:
        parts.append(f"pid {job.pid}")
    return ((f" {sign}{word}  ", tone), ("  ".join(parts), "dim"))


def _took(job: JobView) -> str:
    return f"took {fmt.duration(job.took(job.finished))}"


def _progress(job: JobView, width: int) -> Line:
    if job.state == "waiting":
        return ((f" waits {waits_for(job)}", "warn"),)
    if job.running:
        return _bar(job, width)
    if job.resumed_by:
        return ((f" the rest was taken over by {job.resumed_by}", ""),)
    counts = f" {job.done} of {job.total} done"
    counts += f", {job.failed} failed" if job.failed else ""
    if job.undone:
        return ((counts, ""), ("; something is left to do: resume it, or let it be", "warn"))
    if job.closed:
        return ((counts, ""), ("; it is left at that", "dim"))
    return ((counts, ""),) if job.total else ()


def _bar(job: JobView, width: int) -> Line:
    percent = int(100 * job.part / job.total) if job.total else 0
    tail = (
        f" {percent:3}% {job.done + job.failed}/{job.total}  {fmt.duration(job.left)} left"
        f"  {job.speed}"
    )
    unit = f"  {job.unit}" if width >= 100 else ""
    return ((f" {fmt.bar(job.part, job.total, 32)}", "head"), (tail, ""), (unit, "dim"))


def how_it_ended(engine: Engine, job: str) -> list[Entry]:
    """In a thread: how a job ended, why it has no report, what is left to do."""
    report = engine.report(job)
    made: list[Entry] = []
    if report is not None:
        made.append(Entry("end", tuple(_told(report.essential())), bad=report.code != 0))
    else:
        text = "! interrupted: its process has gone; what it had done stands"
        made.append(Entry("end", (text,), bad=True))
        if printed := engine.job_output(job):
            made.append(Entry("end", ("the last it printed:", *printed)))
    if report is None or report.code:
        made += _rest(engine, job)
    return made


def _told(report: Report) -> Iterator[str]:
    """Counts, why nothing was run, the first failures of many, and what else is to be known."""
    lines = fmt.report_lines(report)
    failed = [line for line in lines if line.startswith("  failed ")]
    skipped = [line for line in lines if line.startswith("  skipped ")]
    shown = failed[:_LEFT_SHOWN] if len(report.results) > 1 else []
    yield from (clean(x) for x in lines if x not in skipped and (x not in failed or x in shown))
    if len(failed) > len(shown) > 0:
        yield f"  and {len(failed) - len(shown)} more that failed"


def _rest(engine: Engine, job: str) -> Iterator[Entry]:
    from sbctui.engine.errors import SbcError

    try:
        plan = engine.plan(engine.rest(job))
    except (SbcError, OSError) as error:
        yield Entry("end", (clean(str(error)),))
        return
    units = [u for u, counts in zip(plan.units, plan.counted, strict=True) if counts]
    lines = [clean(f"  {unit.title}  {unit.detail}".rstrip()) for unit in units[:_LEFT_SHOWN]]
    if len(units) > len(lines):
        lines.append(f"  and {len(units) - len(lines)} more")
    if units:
        yield Entry("end", (f"left to do: {clean(plan.title)}", *lines))
