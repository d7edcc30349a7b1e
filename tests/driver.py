"""The console in words: open, press, type, paste, expect, and wait until it is idle.

Everything runs against the real engine on a real site; nothing is replaced.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from textual import events
from textual.pilot import Pilot

from sbctui.app import SbcApp
from sbctui.cli.inside import Inside
from sbctui.prefs import Prefs
from sbctui.terminal import Terminal

PATIENCE = 20.0
"""Seconds an expectation may take on a busy machine."""


class Tui:
    """An open console. ``screen`` is what a person sees, as lines."""

    def __init__(self, app: SbcApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> list[str]:
        """The visible text, one string a row, trailing blanks cut."""
        width, height = self.app.size
        console = Console(
            width=width, height=height, file=io.StringIO(), force_terminal=True,
            color_system=None, legacy_windows=False, record=True,
        )  # fmt: skip
        update = self.app.screen._compositor.render_update(full=True)
        console.print(update)
        rows = console.export_text().split("\n")
        return [row.rstrip() for row in rows[:height]]

    @property
    def text(self) -> str:
        """The visible text as one string."""
        return "\n".join(self.screen)

    async def press(self, *keys: str) -> None:
        """Press keys, by Textual's names."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type characters one by one."""
        names = {" ": "space", "\n": "enter"}
        await self.pilot.press(*(names.get(c, c) for c in text))

    async def paste(self, text: str) -> None:
        """Paste, as a terminal with bracketed paste sends it."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        """Wait until something is so; fails with the screen."""
        end = time.monotonic() + within
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"{what}\n" + "\n".join(f"|{row}" for row in self.screen))
            await asyncio.sleep(0.02)
            await self.pilot.pause()

    async def expect(self, *words: str, within: float = PATIENCE) -> None:
        """Wait until all these words are seen."""
        for word in words:
            await self.until(lambda w=word: w in self.text, f"never saw {word!r}", within)

    async def expect_gone(self, word: str, within: float = PATIENCE) -> None:
        """Wait until this is seen no more."""
        await self.until(lambda: word not in self.text, f"{word!r} is still there", within)

    async def awake(self) -> None:
        """Wait until a plan listens: it ignores keys that come with its appearance."""
        from sbctui.screens.plan import PlanScreen

        await self.until(
            lambda: isinstance(self.app.screen, PlanScreen) and not self.app.screen.deaf,
            "the plan never listens",
        )

    async def expect_jobs_over(self, within: float = 60.0) -> None:
        """Wait until every job has ended and the console knows it."""
        await self.until(
            lambda: bool(self.app.feeds.world.jobs)
            and not any(j.running for j in self.app.feeds.world.jobs),
            "a job still runs", within,
        )  # fmt: skip

    async def ready(self) -> None:
        """Wait until the site, its jobs, its services and its audit have been read."""
        await self.until(
            lambda: (
                self.app.feeds.world.site is not None
                and self.app.feeds.world.findings is not None
                and bool(self.app.feeds.world.services)
            ),
            "the site was never read",
        )
        await self.pilot.pause()


@asynccontextmanager
async def open_tui(
    site: Path,
    size: tuple[int, int] = (80, 24),
    *,
    ready: bool = True,
    prefs: Prefs | None = None,
    terminal: Terminal | None = None,
    read_only: bool = False,
) -> AsyncIterator[Tui]:
    """Open the console on a site; fails when anything in it crashed meanwhile."""
    app = SbcApp(site, prefs=prefs, terminal=terminal, read_only=read_only, verbs=Inside())
    async with app.run_test(size=size, notifications=True) as pilot:
        tui = Tui(app, pilot)
        if ready:
            await tui.ready()
        yield tui
        crashes = [path.read_text() for path in app.crashes]
    assert not crashes, "\n".join(crashes)
