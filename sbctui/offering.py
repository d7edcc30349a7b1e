"""From a request to a running job: plan, show, ask, start. Mixed into the app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from textual.app import App

from sbctui.messages import in_thread

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request
    from sbctui.engine.plan import Plan
    from sbctui.feeds import Feeds

Build = Callable[["Engine"], "Request"]
"""Makes a request, in a thread: it may look at files."""


class Offering(App[int]):
    """What screens call to have something done."""

    feeds: Feeds

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._tasks: set[asyncio.Task[None]] = set()

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

    def offer(
        self,
        build: Build,
        *,
        refused: Callable[[str], None] | None = None,
        done: Callable[[str | None], None] | None = None,
    ) -> None:
        """Plan a request, show the plan, start it on y.

        ``refused`` gets the sentence when there is no plan (a toast when None); ``done`` gets
        the job's id, or None when the plan was left.
        """
        self.background(self._offer(build, refused or self.refuse, done))

    async def _offer(
        self,
        build: Build,
        refused: Callable[[str], None],
        done: Callable[[str | None], None] | None,
    ) -> None:
        from sbctui.engine.errors import SbcError
        from sbctui.screens.plan import PlanScreen

        engine = self.feeds.engine
        if engine is None:
            return
        try:
            plan = await in_thread(lambda: engine.plan(build(engine)))
        except (SbcError, OSError) as error:
            refused(str(error))
            return
        if not plan.units:
            refused(f"{plan.title}: there is nothing to do")
            return
        answer: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self.push_screen(PlanScreen(plan), answer.set_result)
        job = await self._start(plan) if await answer else None
        if done is not None:
            done(job)

    async def _start(self, plan: Plan) -> str | None:
        from sbctui.engine.errors import SbcError

        engine = self.feeds.engine
        assert engine is not None
        try:
            job = await in_thread(lambda: engine.start(plan))
        except (SbcError, OSError) as error:
            self.refuse(str(error))
            return None
        self.feeds.hurry("jobs")
        return job

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
