"""Jobs on disk: ``jobs/<id>/{plan.json, origin.json, events.jsonl, result.json, run}``.

``run`` is flocked from the moment the job is there until its process ends, and holds that
process's number: whoever makes the job takes the flock and hands it to the process that works.
So a job runs exactly while the flock is held; without it and without a result it was
interrupted. ``stop`` asks it to stop, ``after.json`` says what became of the rest. What a crash
leaves is judged by the nodes, not by these files.
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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from sbctui.engine import commands, journal
from sbctui.engine.errors import Locked, NoSuchNode, NotPermitted
from sbctui.engine.events import Emit, Event, Finished
from sbctui.engine.files import Owner, is_held, make_dir, remove_tree
from sbctui.engine.jobfolder import (
    After,
    Job,
    origin_of,
    read_job,
    read_pid,
    read_plan,
    read_report,
    report_of_killed,
    this_user,
)
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean
from sbctui.engine.plan import Plan, Report, SetChildren

_KEPT = 300
_POLL = 0.1
_TRIES = 20
_OUTPUT = 4096
_SETTLED = 10**9
"""Nanoseconds after which a folder's time tells every later change."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A job and the flocked descriptor of its ``run`` file: the right to work on it."""

    job: str
    fd: int


class Jobs:
    """The jobs folder of one site."""

    def __init__(self, site: Path, owner: Owner = None) -> None:
        self.site = site
        self._owner = owner
        self.folder = site / "jobs"
        self._known: dict[str, tuple[int, Job]] = {}

    def create(self, plan: Plan, resumes: str = "") -> Claim:
        """Write a new job's folder and claim it; its id begins with the UTC time."""
        now = datetime.now(UTC)
        stamp = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z"
        job = f"{stamp}-{secrets.token_hex(2)}"
        path = self.folder / job
        make_dir(path, owner=self._owner)
        origin = origin_of(plan, this_user(), resumes)
        claim = Claim(job, self._held_file(path / "run"))
        try:
            self._put(path / "events.jsonl", b"")
            self._put(path / "origin.json", origin.model_dump_json().encode())
            self._put(path / "plan.json", plan.model_dump_json(by_alias=True).encode())
            if resumes:
                self.settle(resumes, job)
        except BaseException:
            os.close(claim.fd)
            raise
        return claim

    def _held_file(self, path: Path) -> int:
        """An empty file that is flocked before anybody can see it; its descriptor."""
        temp = path.with_name(f".{path.name}.tmp")
        fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(fd, 0o640)
            if self._owner is not None:
                os.fchown(fd, *self._owner)
            temp.rename(path)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def claim(self, job: str, fd: int = -1) -> Claim:
        """Claim a job, or take over a claim that was handed down as ``fd``. Raises Locked."""
        path = self._path(job) / "run"
        if fd >= 0 and os.path.samestat(os.fstat(fd), path.stat()):
            os.set_inheritable(fd, False)
            return Claim(job, fd)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        for _ in range(_TRIES):  # others look at it for a moment only
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return Claim(job, fd)
            time.sleep(0.01)
        os.close(fd)
        raise Locked(f"the job {job} is being worked on already")

    def settle(self, job: str, by: str = "") -> None:
        """Record that another job took over the rest of this one, or that nobody will."""
        self._put(self._path(job) / "after.json", After(job=by).model_dump_json().encode())

    def plan(self, job: str) -> Plan:
        """A job's plan. Raises NoSuchNode."""
        return read_plan(self._path(job))

    @contextmanager
    def running(self, claim: Claim, stop: threading.Event) -> Iterator[Emit]:
        """Work on a claimed job; gives an ``Emit`` that appends to its journal."""
        path = self._path(claim.job)
        try:
            with open(path / "events.jsonl", "ab", buffering=0) as file:
                # A full disk stops no work: the process's number (for cancel) is a convenience.
                with suppress(OSError):
                    os.pwrite(claim.fd, f"{os.getpid()}\n".encode(), 0)
                if (path / "stop").exists():
                    stop.set()
                yield journal.Writer(file).write
        finally:
            os.close(claim.fd)

    def finish(self, job: str, report: Report) -> None:
        """Record what became of a job; on a full disk it will count as interrupted."""
        with suppress(OSError):
            self._put(self._path(job) / "result.json", report.model_dump_json().encode())

    def report(self, job: str) -> Report | None:
        """What became of a job; None while it runs or when it was interrupted."""
        return read_report(self._path(job))

    def read(self, job: str) -> Job:
        """One job. Raises NoSuchNode."""
        return read_job(self._path(job))

    def list(self) -> tuple[Job, ...]:
        """All jobs, newest first; those that are over are read once, and when they change."""
        try:
            ids = sorted(os.listdir(self.folder), reverse=True)
        except FileNotFoundError:
            return ()
        found: dict[str, Job] = {}
        for job in ids:
            with suppress(NoSuchNode, OSError, ValidationError):
                found[job] = self._looked(job)
        return tuple(_with_heir(one, found) for one in found.values())

    def _looked(self, job: str) -> Job:
        known = self._known.get(job)
        if known is not None and known[1].state == "done":
            return known[1]
        written = (self.folder / job).stat().st_mtime_ns
        if known is not None and known[0] == written:
            return known[1]
        read = read_job(self.folder / job)
        if read.over and time.time_ns() - written > _SETTLED:
            self._known[job] = written, read
        return read

    def unrecorded(self) -> tuple[str, ...]:
        """Jobs that a crash or a kill left without a result."""
        left = (job.id for job in self.list() if job.state == "interrupted")
        return tuple(job for job in left if self.report(job) is None)

    def bury(self, job: str) -> None:
        """Record what became of a job that was killed."""
        self.finish(job, report_of_killed(self._path(job)))

    def reserved(self, but: str = "") -> frozenset[str]:
        """MACs that running jobs have listed in a root and may not have made yet."""
        macs: set[str] = set()
        for job in self.list():
            if not job.over and job.id != but:
                actions = (a for unit in self.plan(job.id).units for a in unit.actions)
                macs.update(mac for a in actions if isinstance(a, SetChildren) for mac in a.add)
        return frozenset(macs)

    def events(self, job: str, stop: threading.Event) -> Iterator[Event]:
        """A job's events from the first, then as they come, until it ends or ``stop``."""
        path = self._path(job)
        position = 0
        while True:
            over = not is_held(path / "run")
            for event, behind in journal.read(path / "events.jsonl", position):
                position = behind
                yield event
                if isinstance(event, Finished):
                    return
            if over or stop.wait(_POLL):
                return

    def output(self, job: str) -> tuple[str, ...]:
        """The last lines that the job's own process printed, cleaned; none when all is well."""
        with suppress(FileNotFoundError):
            data = (self._path(job) / "output.log").read_bytes()[-_OUTPUT:]
            return tuple(clean(line) for line in data.decode(errors="replace").splitlines())
        return ()

    def cancel(self, job: str) -> None:
        """Ask the job's process to stop. Raises NoSuchNode when it is not running, NotPermitted."""
        path = self._path(job)
        if not is_held(path / "run"):
            raise NoSuchNode(f"the job {job} is not running")
        with suppress(OSError):
            (path / "stop").touch()
        pid = read_pid(path)
        try:
            if pid:
                os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        except PermissionError:
            raise NotPermitted(
                f"the job {job} is another user's; stop it as that user or with sudo"
            ) from None

    def spawn(self, claim: Claim) -> None:
        """Start the job's process in a session of its own and hand it the claim."""
        work = ["job", "run", claim.job, "--held", str(claim.fd)]
        argv = [sys.executable, "-m", "sbctui", "--site", str(self.site), *work]
        log = self._path(claim.job) / "output.log"
        try:
            process = commands.start(argv, log_file=log, env=_python(), pass_fds=(claim.fd,))
        finally:
            os.close(claim.fd)
        commands.detach(process)

    def prune(self) -> None:
        """Forget all but the newest jobs, and those of which a power cut left no plan."""
        for place, job in enumerate(sorted(os.listdir(self.folder), reverse=True)):
            path = self.folder / job
            plan = path / "plan.json"
            lost = not (plan.exists() and plan.stat().st_size) and not _young(path)
            if (place >= _KEPT or lost) and not is_held(path / "run"):
                remove_tree(path)

    def _put(self, path: Path, data: bytes) -> None:
        _put(path, data, self._owner)

    def _path(self, job: str) -> Path:
        path = self.folder / job
        if "/" in job or job.startswith(".") or not path.is_dir():
            raise NoSuchNode(f"there is no job {shown(job)}; see: sbctui job list")
        return path


def _with_heir(job: Job, jobs: dict[str, Job]) -> Job:
    """A job whose heir was refused before it did anything still has nobody who took over."""
    heir = jobs.get(job.resumed_by)
    if heir is None or heir.state != "failed" or heir.done or heir.failed or heir.code == 130:
        return job
    return replace(job, resumed_by="")


def _young(path: Path) -> bool:
    """A job whose maker may still be at it."""
    return abs(time.time() - path.stat().st_mtime) < 3.0


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
