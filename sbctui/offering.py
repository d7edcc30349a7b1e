"""From a request to a running job: plan, show, ask, start. Mixed into the app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from textual.app import App
from textual.notifications import SeverityLevel

from sbctui.messages import in_thread
from sbctui.prefs import Prefs

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request
    from sbctui.engine.plan import Plan
    from sbctui.feeds import Feeds
    from sbctui.screens.job_view import JobView

Build = Callable[["Engine"], "Request"]
"""Makes a request, in a thread: it may look at files."""
Done = Callable[[str | None], None]
"""Gets the job's id, or None when the plan was left."""

_LEVELS: dict[str, SeverityLevel] = {"information": "information", "error": "error"}
_JOBS = 4
"""The pane of the first screen with its jobs."""
_DELETES = ("root delete", "leaf delete", "repo delete")


@dataclass(frozen=True)
class Offer:
    """What was asked for; ``plan`` is the newest one made of it."""

    build: Build
    refused: Callable[[Exception], None]
    done: Done
    plan: Plan | None = None


class Offering(App[int]):
    """What screens call to have something done."""

    feeds: Feeds
    prefs: Prefs
    read_only: bool

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.drafts: dict[str, dict[str, str]] = {}
        self.draft = ""
        self.unasked: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._offers: dict[str, Offer] = {}

    def report_crash(self, error: Exception) -> None:
        """Save the traceback and say where; the app goes on."""
        raise NotImplementedError

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that outlives the screen it was started from."""

        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - shown and saved; the app goes on
                self.report_crash(error)

        task = asyncio.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def asks(self, plan: Plan) -> bool:
        """Whether a plan is shown before it runs: all but what can be taken back at once."""
        return plan.impact != "reversible" or self.prefs.confirm == "always"

    def offer(
        self,
        build: Build,
        *,
        refused: Callable[[Exception], None] | None = None,
        done: Done | None = None,
    ) -> None:
        """Plan a request, show the plan, start it on y.

        ``refused`` gets what is against it when there is no plan (a toast when None). What ``asks``
        does not want shown starts at once; its jobs are in ``unasked``.
        """
        toast = lambda error: self.refuse(str(error))  # noqa: E731
        offer = Offer(build, refused or toast, done or (lambda job: None))
        self.background(self._offer(offer))

    async def _offer(self, offer: Offer, why: str = "") -> None:
        from sbctui.engine.errors import Refused, SbcError
        from sbctui.screens.plan import PlanScreen

        engine = self.feeds.engine
        if engine is None:
            return
        try:
            plan = await in_thread(lambda: engine.plan(offer.build(engine)))
        except (SbcError, OSError) as error:
            offer.refused(error)
            return
        if not plan.units:
            offer.refused(Refused(f"{plan.title}: there is nothing to do"))
            return
        offer = Offer(offer.build, offer.refused, offer.done, plan)
        asked = bool(why) or self.asks(plan)
        if asked:
            answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
            site = self.feeds.world.site
            self.push_screen(PlanScreen(plan, site, why), answer.set_result)
            if not await answer:
                offer.done(None)
                return
        offer.done(await self._start(plan, offer, asked=asked))

    async def _start(self, plan: Plan, offer: Offer, *, asked: bool) -> str | None:
        from sbctui.engine.errors import SbcError

        engine = self.feeds.engine
        assert engine is not None
        try:
            job = await in_thread(lambda: engine.start(plan))
        except (SbcError, OSError) as error:
            self.refuse(str(error))
            return None
        self._offers[job] = offer
        if not asked:
            self.unasked.append(job)
        self.feeds.hurry("jobs")
        return job

    # ── after it ──────────────────────────────────────────────────────────────────────────

    def job_ended(self, job: JobView) -> None:
        """Say what became of a job; where the site had changed, show the new plan at once."""
        offer = self._offers.pop(job.id, None)
        if offer is not None and job.code and not job.done:
            self.background(self._failed(job, offer))
        else:
            self._tell_end(job, offer)

    async def _failed(self, job: JobView, offer: Offer) -> None:
        from sbctui.screens.modal import Modal

        engine = self.feeds.engine
        report = await in_thread(lambda: engine.report(job.id)) if engine else None
        if report is None or not report.changed or isinstance(self.screen, Modal):
            self._tell_end(job, offer)
            return
        why = "the site changed since you agreed, so nothing was done; this is the plan now"
        await self._offer(offer, why)

    def _tell_end(self, job: JobView, offer: Offer | None) -> None:
        from sbctui.screens.job import ending

        if getattr(self.screen, "job", "") == job.id:
            return  # it is on the screen already
        text, severity = ending(job)
        if severity != "information":
            text += f"; enter on it in pane {self._pane_of_jobs()} shows all"
        elif offer is not None and offer.plan is not None:
            text += self._afterwards(offer.plan)
        self.notify(text, severity=_LEVELS[severity], markup=False)

    def _pane_of_jobs(self) -> int:
        """The number of the pane with jobs on this screen, else on the first one."""
        return getattr(self.screen, "JOBS", _JOBS)

    def _afterwards(self, plan: Plan) -> str:
        if plan.request.verb in _DELETES:
            key = cast("SbcApp", self).keymap.shown("home.undo")
            return f"; {key} brings it back"
        if plan.impact == "reversible" and (detail := plan.units[0].detail):
            return f" ({detail})"
        return ""

    # ── what else screens call ────────────────────────────────────────────────────────────

    def bulk(self, names: Sequence[str], text: str) -> None:
        """Open bulk creation for the root of the first name, with ``text`` in it."""
        from sbctui.engine.rules import READ_ONLY
        from sbctui.screens.bulk import BulkScreen
        from sbctui.screens.reasons import parent

        site = self.feeds.world.site
        if site is None or isinstance(self.screen, BulkScreen):
            return
        if self.read_only:
            self.refuse(READ_ONLY)
            return
        last = self.drafts.get("bulk", {})
        root = (parent(site, names[0]) if names else "") or last.get("root", "")
        text = (text or self.draft).replace("\r\n", "\n").replace("\r", "\n")
        self.push_screen(BulkScreen(site, text, root, last.get("group", "")))

    def refuse(self, reason: str) -> None:
        """Say why something is not possible."""
        self.notify(reason, title="not possible", severity="warning", timeout=10, markup=False)

    def stop_job(self, job: str) -> None:
        """Ask a job to stop, and say what that means."""
        engine = self.feeds.engine

        async def stop() -> None:
            from sbctui.engine.errors import SbcError

            assert engine is not None
            try:
                await in_thread(lambda: engine.cancel(job))
            except SbcError as error:
                self.refuse(str(error))
            else:
                self.notify("stopping: what is done stays, the rest is dropped", markup=False)

        self.background(stop())

    def resume_job(self, job: str) -> None:
        """Show the plan for what an ended job left undone."""
        self.offer(lambda engine: engine.rest(job))

    def close_job(self, job: str) -> None:
        """Leave an interrupted job at what it has done."""
        engine = self.feeds.engine

        async def close() -> None:
            from sbctui.engine.errors import SbcError

            assert engine is not None
            try:
                await in_thread(lambda: engine.close_job(job))
            except (SbcError, OSError) as error:
                self.refuse(str(error))
            else:
                self.feeds.hurry("jobs")

        self.background(close())
