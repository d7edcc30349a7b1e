"""One job's folder: what its files say. Read by anybody, at any time."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sbctui.engine import journal
from sbctui.engine.errors import NoSuchNode, PlanChanged, SbcError
from sbctui.engine.files import is_held
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean
from sbctui.engine.plan import Plan, Report, UnitResult

State = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its folder tells it. Times are epoch seconds; ``code`` as in ``Report``.

    ``total``, ``done`` and ``failed`` count the units that are what it is about. ``waits`` is
    who holds the site's lock for which it waits, empty when its process has not begun yet.
    ``resumed_by`` is the job that took over what it left undone; ``closed``: somebody decided
    to leave it at that.
    """

    id: str
    title: str
    verb: str
    state: State
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

    @property
    def over(self) -> bool:
        """Whether no process works on it any more."""
        return self.state not in ("waiting", "running")

    @property
    def left(self) -> bool:
        """Whether it was interrupted, and nobody has decided yet what becomes of the rest."""
        return self.state == "interrupted" and not self.resumed_by and not self.closed


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Origin(_File):
    """What of a job does not change; so that a list need not read plans."""

    title: str
    verb: str
    command: str
    total: int
    user: str = ""
    resumes: str = ""


class After(_File):
    """The job that took over, or empty: it was closed."""

    job: str = ""


def read_job(path: Path) -> Job:
    """The job of a folder. Raises NoSuchNode, OSError."""
    held = is_held(path / "run")  # asked first: a result is written before it is let go
    report, origin, after = read_report(path), _origin(path), _after(path)
    job = Job(
        id=path.name,
        title=origin.title,
        verb=origin.verb,
        state="interrupted",
        started=(path / "plan.json").stat().st_mtime,
        total=origin.total,
        command=origin.command,
        user=origin.user,
        pid=read_pid(path),
        resumes=origin.resumes,
        resumed_by=after.job if after else "",
        closed=after is not None and not after.job,
    )
    if report is None:
        return _standing(job, path / "events.jsonl", held=held)
    state: State = "failed" if report.code else "done"
    last = "events.jsonl" if report.interrupted else "result.json"
    return replace(
        job,
        state="interrupted" if report.interrupted else state,
        finished=(path / last).stat().st_mtime,
        total=sum(r.counts for r in report.results) or origin.total,
        done=report.counted("done"),
        failed=len(report.of("failed")),
        code=report.code,
    )


def read_plan(path: Path) -> Plan:
    """A job's plan. Raises NoSuchNode."""
    try:
        return Plan.model_validate_json((path / "plan.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        raise NoSuchNode(f"there is no job {shown(path.name)}; see: sbctui job list") from None


def read_report(path: Path) -> Report | None:
    """What became of a job; None while it runs or when it was killed."""
    try:
        return Report.model_validate_json((path / "result.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_pid(path: Path) -> int:
    """The process that works, or worked, on the job; 0 when it has not begun."""
    text = (path / "run").read_text("ascii", errors="replace").strip()
    return int(text) if text.isdecimal() else 0


def report_of_killed(path: Path) -> Report:
    """What became of a job without a result, as its journal tells."""
    plan = read_plan(path)
    told = {
        event.index: event
        for event, _ in journal.read(path / "events.jsonl")
        if event.kind == "unit-finished"
    }
    results = tuple(
        UnitResult(
            title=unit.title,
            node=unit.node,
            outcome=told[index].outcome if index in told else "skipped",
            error=told[index].error if index in told else "",
            counts=counts,
        )
        for index, (unit, counts) in enumerate(zip(plan.units, plan.counted, strict=True))
    )
    again = f"sbctui job resume {path.name}"
    return Report(
        title=plan.title,
        verb=plan.request.verb,
        results=results,
        code=130,
        job=path.name,
        error=f"interrupted; what it had finished stands; do the rest with: {again}",
        interrupted=True,
    )


def report_of_unrun(job: str, plan: Plan, error: SbcError) -> Report:
    """What became of a plan that was refused before anything was done."""
    return Report(
        title=plan.title,
        verb=plan.request.verb,
        results=(),
        code=error.code,
        job=job,
        error=str(error),
        changed=isinstance(error, PlanChanged),
    )


def _origin(path: Path) -> Origin:
    try:
        return Origin.model_validate_json((path / "origin.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return origin_of(read_plan(path))


def origin_of(plan: Plan, user: str = "", resumes: str = "") -> Origin:
    """What of a plan's job does not change."""
    return Origin(
        title=plan.title,
        verb=plan.request.verb,
        command=plan.command,
        total=sum(plan.counted),
        user=user,
        resumes=resumes,
    )


def _after(path: Path) -> After | None:
    try:
        return After.model_validate_json((path / "after.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _standing(job: Job, events: Path, *, held: bool) -> Job:
    """A job without a result: it runs, waits, has not begun, or was interrupted."""
    now = journal.standing(events)
    state: State = "running" if now.begun and not now.waits else "waiting"
    job = replace(job, state=state, waits=now.waits, done=now.done, failed=now.failed)
    if held:
        return job
    last = max(job.started, events.stat().st_mtime)
    return replace(job, state="interrupted", waits="", finished=last, code=130)


def this_user() -> str:
    """Who starts a job: by sudo, whoever used that."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    asked = os.environ.get("SUDO_USER", name) if os.geteuid() == 0 else name
    return clean(name if asked == name else f"{asked} as {name}")
