"""What keeps the world fresh: every source is asked in a thread of its own, once a second.

A source that hangs delays only itself and is shown as late. Running jobs are followed from
their journals, so those started before this program are found again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbctui.messages import World, in_thread

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job
    from sbctui.engine.model.site import Site
    from sbctui.screens.job_view import JobView

_LATE = 3.0
_AUDIT_EVERY = 30.0
_JOBS_SHOWN = 40
_LOG_KEPT = 500


@dataclass
class _Feed:
    """One source. ``due`` and ``began`` are monotonic seconds; ``began`` 0 when it rests."""

    name: str
    every: float
    fetch: Callable[[], object]
    due: float = 0.0
    began: float = 0.0


@dataclass
class Feeds:
    """The sources of one site. ``publish`` gets every new world, ``ended`` every ended job.

    ``crashed`` gets exceptions nobody expected. All three are called on the UI thread.
    ``refresh`` are the seconds between two looks at the site; it may be changed at any time.
    """

    path: Path
    publish: Callable[[World], None]
    ended: Callable[[JobView], None]
    crashed: Callable[[Exception], None]
    read_only: bool = False
    refresh: float = 1.0
    world: World = field(init=False)
    engine: Engine | None = None
    _feeds: list[_Feed] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _views: dict[str, JobView] = field(default_factory=dict)
    _followers: dict[str, threading.Thread] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _audited: int = -1

    def __post_init__(self) -> None:
        self.world = World(self.path)

    async def open(self) -> None:
        """Open the site. Raises what ``Engine`` raises; after it ``tick`` does the rest."""

        def make() -> Engine:
            from sbctui.engine.engine import Engine

            return Engine(self.path, read_only=self.read_only)

        engine = await in_thread(make)
        self.engine = engine
        self._feeds = [
            _Feed("site", 1.0, engine.site),
            _Feed("jobs", 1.0, self._jobs),
            _Feed("services", 2.0, lambda: engine.control.status()),
            _Feed("audit", _AUDIT_EVERY, lambda: engine.audit(self.world.site)),
        ]
        self.tick()

    def close(self) -> None:
        """Stop following; threads that hang are left behind, they hold nothing up."""
        self._stop.set()

    def hurry(self, *names: str) -> None:
        """Ask these sources again now (all when empty)."""
        for feed in self._feeds:
            if not names or feed.name in names:
                feed.due = 0.0
        self.tick()

    def tick(self) -> None:
        """Start what is due and tell of progress; called a few times a second."""
        now = time.monotonic()
        late = dict(self.world.late)
        for feed in self._feeds:
            if feed.began:
                if now - feed.began >= _LATE:
                    late[feed.name] = int(now - feed.began)
            elif feed.due <= now and (feed.name != "audit" or self.world.site):
                pace = 1.0 if feed.name == "audit" else self.refresh
                feed.began, feed.due = now, now + feed.every * pace
                task = asyncio.create_task(self._ask(feed))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        jobs = tuple(self._views.get(j.id, j) for j in self.world.jobs)
        self._tell(late=late, jobs=jobs)

    async def _ask(self, feed: _Feed) -> None:
        from sbctui.engine.errors import SbcError

        errors = {k: v for k, v in self.world.errors.items() if k != feed.name}
        changes: dict[str, Any] = {}
        try:
            changes = self._took(feed.name, await in_thread(feed.fetch))
        except (SbcError, OSError) as error:
            errors[feed.name] = str(error)
        except Exception as error:  # noqa: BLE001 - shown, saved, and the feed goes on
            errors[feed.name] = f"{type(error).__name__}: {error}"
            self.crashed(error)
        feed.began = 0.0
        late = {k: v for k, v in self.world.late.items() if k != feed.name}
        self._tell(errors=errors, late=late, **changes)

    def _took(self, name: str, result: Any) -> dict[str, Any]:
        if name == "site":
            self._look_again(result)
            return {"site": result}
        if name == "jobs":
            return {"jobs": result}
        return {"services": result} if name == "services" else {"findings": result}

    def _look_again(self, site: Site) -> None:
        """A site that was changed wants a new audit, once nothing works on it any more."""
        if site.generation != self._audited and not any(j.running for j in self.world.jobs):
            self._audited = site.generation
            for feed in self._feeds:
                if feed.name == "audit":
                    feed.due = 0.0

    def _tell(self, **changes: Any) -> None:
        new = {k: v for k, v in changes.items() if getattr(self.world, k) != v}
        if not new:
            return
        from sbctui.screens.news import news

        before, world = self.world, replace(self.world, **new)
        log = (*before.log, *news(before, world))
        first = before.log_first + max(0, len(log) - _LOG_KEPT)
        self.world = replace(world, log=log[-_LOG_KEPT:], log_first=first)
        was = {j.id for j in before.jobs if j.running}
        self.publish(self.world)
        for job in self.world.jobs:
            if job.id in was and not job.running:
                self.hurry("site", "services")
                self.ended(job)

    def _jobs(self) -> tuple[JobView, ...]:
        """In a thread: the newest jobs; every running one gets a follower."""
        from sbctui.screens.job_view import view

        assert self.engine is not None
        shown: list[JobView] = []
        for job in self.engine.jobs()[:_JOBS_SHOWN]:
            followed = self._views.get(job.id)
            if job.state == "running" and followed is None:
                self._follow(job)
            over = job.state != "running" and not self._follows(job.id)
            if followed is not None and (followed.running or followed.state != job.state) and over:
                followed = self._views[job.id] = _ended(followed, job)
            shown.append(followed or view(job))
        return tuple(shown)

    def _follow(self, job: Job) -> None:
        from sbctui.screens.job_view import fold, view

        engine = self.engine
        assert engine is not None
        self._views[job.id] = view(job)

        def follow() -> None:
            now = view(job)
            for event in engine.events(job.id, self._stop):
                now = fold(now, event)
                if now.running:  # how it ended is told by its report
                    self._views[job.id] = now

        thread = threading.Thread(target=follow, daemon=True, name=f"follow-{job.id}")
        self._followers[job.id] = thread
        thread.start()

    def _follows(self, job: str) -> bool:
        """Whether a job's journal is still being read."""
        return job in self._followers and self._followers[job].is_alive()


def _ended(followed: JobView, job: Job) -> JobView:
    """The job as its report tells it, with the log that was followed."""
    from sbctui.screens.job_view import view

    return replace(view(job), history=followed.history)
