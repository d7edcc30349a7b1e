"""Jobs on disk: ``jobs/<id>/{plan.json, events.jsonl, result.json, run}``.

``run`` is flocked by the process that works on the job and holds its pid, so a job is running
exactly while that lock is held; without lock and result it was interrupted. Journals are
written by rename and not flushed: what a crash leaves is judged by the nodes, not by them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from sbctui.engine import commands
from sbctui.engine.errors import NoSuchNode
from sbctui.engine.events import Emit, Event, Finished
from sbctui.engine.files import Owner, is_held, make_dir, remove_tree
from sbctui.engine.model.addresses import shown
from sbctui.engine.plan import Plan, Report, SetChildren, Unit

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_KEPT = 300
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its folder tells it. Times are epoch seconds; ``code`` as in ``Report``."""

    id: str
    title: str
    verb: str
    state: Literal["running", "done", "failed", "interrupted"]
    started: float
    finished: float = 0.0
    total: int = 0
    done: int = 0
    failed: int = 0
    code: int = 0


class Jobs:
    """The jobs folder of one site."""

    def __init__(self, site: Path, owner: Owner = None) -> None:
        self.site = site
        self._owner = owner
        self.folder = site / "jobs"
        self._known: dict[str, Job] = {}

    def create(self, plan: Plan) -> str:
        """Write a new job's folder and plan; its id begins with the UTC time."""
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"
        job = f"{stamp}-{secrets.token_hex(2)}"
        path = self.folder / job
        make_dir(path, owner=self._owner)
        self._put(path / "plan.json", plan.model_dump_json(by_alias=True).encode())
        for name in ("run", "events.jsonl"):
            self._put(path / name, b"")
        return job

    def plan(self, job: str) -> Plan:
        """A job's plan. Raises NoSuchNode."""
        try:
            return Plan.model_validate_json((self._path(job) / "plan.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            raise NoSuchNode(f"there is no job {shown(job)}; see: sbctui job list") from None

    @contextmanager
    def running(self, job: str) -> Iterator[Emit]:
        """Hold the job as its worker; gives an ``Emit`` that appends to its journal."""
        path = self._path(job)
        with (
            open(path / "run", "r+b", buffering=0) as run,
            open(path / "events.jsonl", "ab", buffering=0) as journal,
        ):
            fcntl.flock(run, fcntl.LOCK_EX)
            # A full disk stops no work: the journal and the pid (for cancel) are conveniences.
            with suppress(OSError):
                run.write(f"{os.getpid()}\n".encode())

            def emit(event: Event) -> None:
                with suppress(OSError):
                    journal.write(event.model_dump_json().encode() + b"\n")

            yield emit

    def finish(self, job: str, report: Report) -> None:
        """Record what became of a job; on a full disk it will count as interrupted."""
        with suppress(OSError):
            self._put(self._path(job) / "result.json", report.model_dump_json().encode())

    def report(self, job: str) -> Report | None:
        """What became of a job; None while it runs or when it was interrupted."""
        try:
            return Report.model_validate_json((self._path(job) / "result.json").read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def list(self) -> tuple[Job, ...]:
        """All jobs, newest first; finished ones are read once."""
        try:
            ids = sorted(os.listdir(self.folder), reverse=True)
        except FileNotFoundError:
            return ()
        found: list[Job] = []
        for job in ids:
            if job in self._known:
                found.append(self._known[job])
                continue
            with suppress(NoSuchNode, OSError):
                read = self._read(job)
                if read.state in ("done", "failed"):
                    self._known[job] = read
                found.append(read)
        return tuple(found)

    def _read(self, job: str) -> Job:
        report = self.report(job)
        path = self.folder / job
        plan = self.plan(job)
        started = (path / "plan.json").stat().st_mtime
        if report is not None:
            counted = [
                result
                for unit, result in zip(plan.units, report.results, strict=False)
                if _is_work(unit)
            ]
            return Job(
                id=job,
                title=report.title,
                verb=report.verb,
                state="done" if report.code == 0 else "failed",
                started=started,
                finished=(path / "result.json").stat().st_mtime,
                total=len(counted),
                done=sum(result.outcome == "done" for result in counted),
                failed=len(report.of("failed")),
                code=report.code,
            )
        state: Literal["running", "interrupted"]
        state = "running" if is_held(path / "run") or _fresh(started) else "interrupted"
        return Job(
            job, plan.title, plan.request.verb, state, started, total=sum(map(_is_work, plan.units))
        )

    def interrupted(self) -> tuple[str, ...]:
        """Jobs that a crash or a kill left without a result."""
        return tuple(job.id for job in self.list() if job.state == "interrupted")

    def reserved(self, but: str = "") -> frozenset[str]:
        """MACs that running jobs have listed in a root and may not have made yet."""
        macs: set[str] = set()
        for job in self.list():
            if job.state == "running" and job.id != but:
                actions = (a for unit in self.plan(job.id).units for a in unit.actions)
                macs.update(mac for a in actions if isinstance(a, SetChildren) for mac in a.add)
        return frozenset(macs)

    def events(self, job: str, stop: threading.Event) -> Iterator[Event]:
        """A job's events from the first, then as they come, until it ends or ``stop``."""
        path = self._path(job)
        position = 0
        while True:
            over = self.report(job) is not None or not self._alive(job)
            with suppress(FileNotFoundError), open(path / "events.jsonl", "rb") as journal:
                journal.seek(position)
                for line in journal:
                    if not line.endswith(b"\n"):
                        break
                    position += len(line)
                    with suppress(ValidationError):
                        event = _EVENT.validate_json(line)
                        yield event
                        if isinstance(event, Finished):
                            return
            if over or stop.wait(_POLL):
                return

    def _alive(self, job: str) -> bool:
        path = self.folder / job
        return is_held(path / "run") or _fresh((path / "plan.json").stat().st_mtime)

    def cancel(self, job: str) -> None:
        """Ask the job's process to stop. Raises NoSuchNode when it is not running."""
        path = self._path(job)
        pid = (path / "run").read_text("ascii").strip()
        if not is_held(path / "run") or not pid:
            raise NoSuchNode(f"the job {job} is not running")
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGINT)

    def spawn(self, job: str) -> None:
        """Start the job's process in a session of its own."""
        argv = [sys.executable, "-m", "sbctui", "--site", str(self.site), "job", "run", job]
        log = self._path(job) / "output.log"
        commands.detach(commands.start(argv, log_file=log, env=_python()))

    def prune(self) -> None:
        """Forget all but the newest jobs, and those of which a power cut left no plan."""
        for place, job in enumerate(sorted(os.listdir(self.folder), reverse=True)):
            path = self.folder / job
            plan = path / "plan.json"
            lost = not (plan.exists() and plan.stat().st_size) and not _fresh(path.stat().st_mtime)
            if (place >= _KEPT or lost) and not is_held(path / "run"):
                remove_tree(path)

    def _put(self, path: Path, data: bytes) -> None:
        _put(path, data, self._owner)

    def _path(self, job: str) -> Path:
        path = self.folder / job
        if "/" in job or job.startswith(".") or not path.is_dir():
            raise NoSuchNode(f"there is no job {shown(job)}; see: sbctui job list")
        return path


def _is_work(unit: Unit) -> bool:
    """Whether a unit is what the job is about, and not only goes before or after it."""
    return unit.counts and not unit.always


def _fresh(started: float) -> bool:
    """A job just written whose process has not taken its lock yet."""
    return abs(time.time() - started) < 3.0


def _python() -> dict[str, str]:
    return {k: os.environ[k] for k in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE") if k in os.environ}


def _put(path: Path, data: bytes, owner: Owner) -> None:
    temp = path.with_name(f".{path.name}.tmp")
    try:
        temp.write_bytes(data)
        temp.chmod(0o640)
        if owner is not None:
            os.chown(temp, *owner)
        temp.replace(path)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
