"""Jobs at work: under the site's lock, after what a crash left was mended, journaled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from sbctui.engine import recovery
from sbctui.engine.context import Context
from sbctui.engine.errors import NoSuchNode, SbcError, from_os
from sbctui.engine.events import Emit, Event, Finished, Note, Waiting, silent
from sbctui.engine.executor import execute
from sbctui.engine.files import Owner, is_held
from sbctui.engine.jobfolder import report_of_unrun
from sbctui.engine.jobs import Claim, Jobs
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.model.requests import PurgeTrash
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.plan import plan_for
from sbctui.engine.observer import Observer
from sbctui.engine.plan import Plan, Report
from sbctui.engine.planning import Planning
from sbctui.engine.services.port import Control


class Running:
    """Runs the plans of one site."""

    def __init__(
        self,
        path: Path,
        observer: Observer,
        planning: Planning,
        jobs: Jobs,
        control: Control,
        owner: Owner,
    ) -> None:
        self._path = path
        self._observer = observer
        self._planning = planning
        self._jobs = jobs
        self._control = control
        self._owner = owner
        self._lock = SiteLock(path)

    def run(
        self,
        claim: Claim,
        plan: Plan,
        emit: Emit,
        stop: threading.Event,
        *,
        wait: float | None = None,
    ) -> Report:
        """Run a claimed job's plan. ``wait``: seconds for the site's lock, the usual without.

        Raises Locked, PlanChanged, NotPermitted, and what the plan's actions raise.
        """
        if wait is not None:
            self._lock.wait = wait
        job = claim.job
        ending: list[Event] = []
        with self._jobs.running(claim, stop) as journal:

            def tee(event: Event) -> None:
                if isinstance(event, Finished):
                    ending.append(event)  # told when the result is there
                    return
                journal(event)
                emit(event)

            def over(report: Report, event: Event) -> None:
                self._jobs.finish(job, report)
                journal(event)
                emit(event)

            self._lock.told = lambda holder: tee(Waiting(holder=holder, at=time.time()))
            try:
                report = self._typed(job, plan, tee, stop)
            except SbcError as error:
                now = time.time()
                end = Finished(code=error.code, done=0, failed=0, skipped=0, at=now)
                over(report_of_unrun(job, plan, error), end)
                raise
            over(report, *ending)
            return report

    def recover(self) -> None:
        """Mend what a crash left, now. Raises Locked, NotPermitted."""
        self._lock.what = "recovery"
        with self._lock.held():
            self._recover("", silent)

    def recovered(self, site: Site) -> Site:
        """The site without what the recovery that comes before every change will drop."""
        made = [s for s in site.strays if s.kind == "staging"]
        if not made or not (self._jobs.unrecorded() or self._lock.needs_recovery()):
            return site
        dead = {s.path for s in made if not is_held(self._path / s.path)}
        return replace(site, strays=tuple(s for s in site.strays if s.path not in dead))

    def _typed(self, job: str, plan: Plan, emit: Emit, stop: threading.Event) -> Report:
        try:
            return self._locked(job, plan, emit, stop)
        except OSError as error:
            raise from_os(error, plan.title) from error

    def _locked(self, job: str, plan: Plan, emit: Emit, stop: threading.Event) -> Report:
        self._lock.what = plan.title

        def context() -> Context:
            return self._context(site, emit, stop)

        with ExitStack() as held:
            held.enter_context(self._lock.held(stop))
            self._recover(job, emit)
            site = self._observer.site(now=plan.made)
            plan = self._planning.again(site, plan)
            if not plan.hold:
                held.close()
            report = execute(plan, context, self._lock, emit, stop, held.close)
        return report.model_copy(update={"job": job})

    def _context(self, site: Site, emit: Emit, stop: threading.Event) -> Context:
        return Context(
            site=site,
            emit=emit,
            stop=stop,
            control=self._control,
            reload=self._observer.reload,
            changed=self._changed,
            owner=self._owner,
        )

    def _changed(self, name: str) -> None:
        self._lock.touch(name)
        self._observer.touch(name)

    def _recover(self, job: str, emit: Emit) -> None:
        """Under the lock: mend what a crash left, sweep what has expired."""
        left = self._jobs.unrecorded()
        if left or self._lock.after_crash:
            self._mend(job, left, emit)
            self._lock.unmended = False
            for name in left:
                self._jobs.bury(name)
        self._jobs.prune()
        for folder in recovery.expired(self._observer.reload()):
            if any(entry.folder == folder for entry in self._observer.reload().trash):
                self._purge(folder)  # else it went with its image

    def _mend(self, job: str, left: Iterable[str], emit: Emit) -> None:
        def say(text: str) -> None:
            emit(Note(level="info", text=text, at=time.time()))

        reserved = self._jobs.reserved(but=job)
        site = self._observer.site(full=True)
        recovery.recover(site, reserved, owner=self._owner, changed=self._changed, say=say)
        plans = self._plans(left)
        recovery.settle_exports(self._observer.reload(), plans, owner=self._owner, say=say)
        try:
            recovery.rederive(self._observer.reload(), self._control, self._owner)
        except SbcError as error:
            say(f"what the daemons read could not be derived again: {error}")

    def _plans(self, jobs: Iterable[str]) -> Iterator[Plan]:
        """Those that can be read; an older program's may be of another kind."""
        for job in jobs:
            with suppress(NoSuchNode, OSError):
                yield self._jobs.plan(job)

    def _purge(self, folder: str) -> None:
        never = threading.Event()
        plan = plan_for(PurgeTrash(folders=(folder,)), self._observer.reload())

        def context() -> Context:
            return self._context(self._observer.reload(), silent, never)

        execute(plan, context, self._lock, silent, never)
