"""What keeps the world fresh: every source is asked in a thread of its own, once a second.

A source that hangs delays only itself and is shown as late. Running jobs are followed from
their journals, so those started before this program are found again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbctui.messages import World, in_thread

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job
    from sbctui.engine.model.shelf import Shelf
    from sbctui.engine.model.site import Site
    from sbctui.screens.job_view import JobView

_LATE = 3.0
_AUDIT_EVERY = 30.0
_SHELF_EVERY = 10.0
_SHELVES, _SHELF = "repositories", "repo:"
"""The source of their names, and the beginning of the name of each one's own."""
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
    _over: dict[str, tuple[Job, JobView]] = field(default_factory=dict)
    _undone: dict[str, tuple[int, bool]] = field(default_factory=dict)
    _followers: dict[str, threading.Thread] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _audited: int = -1
    _shelving: int = 0

    def __post_init__(self) -> None:
        self.world = World(self.path)

    async def open(self) -> None:
        """Open the site, and tell when it does not answer. Raises what ``Engine`` raises.

        After it ``tick`` does the rest.
        """

        def make() -> Engine:
            from sbctui.engine.engine import Engine

            return Engine(self.path, read_only=self.read_only)

        opening, began = asyncio.create_task(in_thread(make)), time.monotonic()
        while not (await asyncio.wait({opening}, timeout=1.0))[0]:
            seconds = int(time.monotonic() - began)
            self._tell(late={"site": seconds} if seconds >= _LATE else {})
        self._tell(late={})
        self.engine = engine = opening.result()
        self._feeds = [
            _Feed("site", 1.0, engine.site),
            _Feed("jobs", 1.0, self._jobs),
            _Feed("services", 2.0, lambda: engine.control.status()),
            _Feed("boots", 2.0, engine.boots),
            _Feed("audit", _AUDIT_EVERY, engine.audit),
            _Feed(_SHELVES, _SHELF_EVERY, engine.repository_names),
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
        if self._ends():
            self._soon("jobs")
        for feed in self._feeds:
            if feed.began:
                if now - feed.began >= _LATE:
                    late[feed.name] = int(now - feed.began)
            elif feed.due <= now and self._wanted(feed.name):
                feed.began, feed.due = now, now + feed.every * self._pace(feed.name)
                task = asyncio.create_task(self._ask(feed))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        jobs = tuple(self._views.get(j.id, j) for j in self.world.jobs)
        self._tell(late=late, jobs=jobs)

    def _ends(self) -> bool:
        """Whether a journal has come to its end, and its job is still shown at work."""
        running = [self._followers.get(j.id) for j in self.world.jobs if j.running]
        return any(one is not None and not one.is_alive() for one in running)

    def _soon(self, name: str) -> None:
        for feed in self._feeds:
            if feed.name == name:
                feed.due = 0.0

    def _wanted(self, name: str) -> bool:
        """An audit wants a site, and repositories are looked at while somebody sees them."""
        if name.startswith((_SHELVES, _SHELF)):
            return self._shelving > 0
        return name != "audit" or self.world.site is not None

    def shelve(self, *, on: bool) -> None:
        """Begin to look at the repositories, or look no more; each ``on`` wants its end."""
        self._shelving += 1 if on else -1
        if on:
            self.hurry_shelves()

    def hurry_shelves(self) -> None:
        """Look at all repositories again now."""
        self.hurry(*(f.name for f in self._feeds if f.name.startswith((_SHELVES, _SHELF))))

    def _pace(self, name: str) -> float:
        """An audit has its own time, and a job that is killed is to be seen at once."""
        return {"audit": 1.0, "jobs": min(1.0, self.refresh)}.get(name, self.refresh)

    async def _ask(self, feed: _Feed) -> None:
        from sbctui.engine.errors import NoSuchNode, SbcError

        errors = {k: v for k, v in self.world.errors.items() if k != feed.name}
        changes: dict[str, Any] = {}
        try:
            changes = self._took(feed.name, await in_thread(feed.fetch, f"feed-{feed.name}"))
        except (SbcError, OSError) as error:
            if not isinstance(error, NoSuchNode):  # a repository that was forgotten meanwhile
                errors[feed.name] = str(error)
        except Exception as error:  # noqa: BLE001 - shown, saved, and the feed goes on
            errors[feed.name] = f"{type(error).__name__}: {error}"
            self.crashed(error)
        feed.began = 0.0
        late = {k: v for k, v in self.world.late.items() if k != feed.name}
        asked = {f.name for f in self._feeds}
        if feed.name in asked:
            errors = {k: v for k, v in errors.items() if k in asked}
            self._tell(errors=errors, late=late, **changes)

    def _took(self, name: str, result: Any) -> dict[str, Any]:
        if name == "site":
            self._look_again(result)
            return {"site": result}
        if name in ("jobs", "boots"):
            return {name: result}
        if name == _SHELVES:
            return {"shelves": self._named(result)}
        if name.startswith(_SHELF):
            known = self.world.shelves or ()
            return {"shelves": tuple(result if s.name == result.name else s for s in known)}
        if name == "audit":
            return {"findings": result, "audited": time.time()}
        return {"services": result}

    def _named(self, names: tuple[str, ...]) -> tuple[Shelf, ...]:
        """A source for each repository that is new; those that are gone have none any more."""
        from sbctui.engine.model.shelf import Shelf

        engine, wanted = self.engine, [_SHELF + name for name in names]
        assert engine is not None
        self._feeds = [f for f in self._feeds if not f.name.startswith(_SHELF) or f.name in wanted]
        there = {f.name for f in self._feeds}
        self._feeds += [
            _Feed(_SHELF + name, _SHELF_EVERY, partial(engine.shelf, name))
            for name in names
            if _SHELF + name not in there
        ]
        known = {s.name: s for s in self.world.shelves or ()}
        return tuple(known.get(name) or Shelf(name) for name in names)

    def _look_again(self, site: Site) -> None:
        """A site that was changed wants a new audit, once nothing works on it any more."""
        if site.generation != self._audited and not any(j.running for j in self.world.jobs):
            self._audited = site.generation
            self._soon("audit")

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
                self.hurry_shelves()
                self.ended(job)

    def _jobs(self) -> tuple[JobView, ...]:
        """In a thread: the newest jobs; every running one gets a follower."""
        assert self.engine is not None
        jobs = self.engine.jobs()[:_JOBS_SHOWN]
        shown = tuple([self._shown(job) for job in jobs])
        self._forget({job.id for job in jobs})
        quiet = all(job.over for job in jobs)
        return tuple([self._judged(view) if quiet else view for view in shown])

    def _shown(self, job: Job) -> JobView:
        if not job.over and job.id not in self._followers:
            self._follow(job)
        if not job.over or self._follows(job.id):
            return self._views[job.id]
        known = self._over.get(job.id)
        if known is not None and known[0] == job:
            return known[1]
        before = self._views.get(job.id) or (known and known[1])
        now = self._ended(job, before)
        self._over[job.id] = job, now
        self._views.pop(job.id, None)
        return now

    def _ended(self, job: Job, before: JobView | None) -> JobView:
        """The job as its report tells it, with what was seen while it ran, or is read now."""
        from sbctui.engine.model.distribution import TRANSFERS
        from sbctui.screens.job_view import heard, view

        assert self.engine is not None
        now = replace(view(job), trouble=before.trouble if before else ())
        if job.verb not in TRANSFERS:
            return now
        return heard(now, self.engine.receivers(job.id))

    def _follows(self, job: str) -> bool:
        """Whether a job's journal is still being read."""
        return job in self._followers and self._followers[job].is_alive()

    def _judged(self, view: JobView) -> JobView:
        """An interrupted job with its ``undone``, which is asked again when the site changes."""
        assert self.engine is not None
        if view.state != "interrupted" or view.closed or view.resumed_by:
            return view
        generation = self.world.site.generation if self.world.site else -1
        known = self._undone.get(view.id)
        if known is None or known[0] != generation:
            known = self._undone[view.id] = generation, self.engine.undone(view.id)
        return replace(view, undone=known[1])

    def _forget(self, shown: set[str]) -> None:
        """Jobs that have gone from the list need not be remembered."""
        for memory in (self._views, self._over, self._undone, self._followers):
            for job in [name for name in memory if name not in shown]:
                del memory[job]

    def _follow(self, job: Job) -> None:
        from sbctui.engine.errors import SbcError
        from sbctui.screens.job_view import fold, view

        engine = self.engine
        assert engine is not None
        self._views[job.id] = view(job)

        def follow() -> None:
            now = view(job)
            with suppress(SbcError, OSError):  # what the journal does not tell its folder does
                for event in engine.events(job.id, self._stop):
                    now = fold(now, event)
                    if now.running:  # how it ended is told by its report
                        self._views[job.id] = now

        thread = threading.Thread(target=follow, daemon=True, name=f"follow-{job.id}")
        self._followers[job.id] = thread
        thread.start()
