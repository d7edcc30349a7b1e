"""The console in words: open, press, type, paste, expect, and wait until it is idle.

Everything runs against the real engine on a real site; nothing is replaced.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.widgets._toast import Toast

from sbctui.app import SbcApp
from sbctui.cli.inside import Inside
from sbctui.messages import ASKED
from sbctui.prefs import Prefs
from sbctui.terminal import Terminal

PATIENCE = 20.0
"""Seconds an expectation may take on a busy machine."""
_LOOK = 0.01
"""Seconds between two looks at the screen."""
_CALM, _BUSY, _RESTLESS = 0.005, 0.0005, 1.0
"""The event loop rests when it took less of the processor than ``_BUSY`` in ``_CALM`` seconds;
one that never does is waited for no longer than ``_RESTLESS``."""
_BEGUN = 0.5
"""Seconds that work in threads which a key began is waited for."""


class Tui:
    """An open console. ``screen`` is what a person sees, as lines."""

    def __init__(self, app: SbcApp, pilot: Pilot[Any]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> list[str]:
        """The visible text, one string a row, trailing blanks cut."""
        strips = self.app.screen._compositor.render_strips()
        return ["".join(s.text for s in row if not s.control).rstrip() for row in strips]

    @property
    def text(self) -> str:
        """The visible text as one string."""
        return "\n".join(self.screen)

    async def press(self, *keys: str) -> None:
        """Press keys, by Textual's names, each when what the one before did is done."""
        for key in keys:
            known = _asked()
            self._send(key)
            await self.settled()
            end = time.monotonic() + _BEGUN
            while _asked() - known and time.monotonic() < end:
                await asyncio.sleep(_LOOK)
                await self.settled()

    def _send(self, key: str) -> None:
        name = _character_to_key(key) if len(key) == 1 and not key.isalnum() else key
        try:
            char = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(name, name)))
        except KeyError:
            char = name if len(name) == 1 else ""
        event = events.Key(name, char or None)
        event.set_sender(self.app)
        assert self.app._driver is not None
        self.app._driver.send_message(event)

    async def settled(self) -> None:
        """Wait until every widget has done what it was told, and what followed from that.

        Unlike Textual's own way it does not wait for this process to be idle: its threads never
        are for long, and who types waits for the screen only.
        """
        end = time.monotonic() + _RESTLESS
        while True:
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()
            began = time.thread_time()
            await asyncio.sleep(_CALM)
            calm = time.thread_time() - began < _BUSY and not self._told()
            if calm or time.monotonic() > end:
                return

    async def rested(self) -> None:
        """Wait until what follows a key or a cursor that rests has followed."""
        end = time.monotonic() + PATIENCE
        await self.settled()
        waits = True
        while waits and time.monotonic() < end:
            waits = bool(_asked()) or self._resting()
            await asyncio.sleep(_LOOK if waits else 0)
            await self.settled()  # a timer that has just gone off has told a widget, no more

    def _resting(self) -> bool:
        """Whether something begins in a moment; that a toast goes is nothing to wait for."""
        pumps = [self.app, *self.app.screen.walk_children(with_self=True)]
        timers = [t for one in pumps if not isinstance(one, Toast) for t in one._timers]
        return any(t._repeat == 0 and t._task and not t._task.done() for t in timers)

    def _told(self) -> bool:
        """Whether a widget has yet to do something."""
        screen = self.app.screen
        if screen._callbacks or screen._layout_required or screen._dirty_widgets:
            return True
        return any(one.message_queue_size for one in (self.app, *screen.walk_children()))

    async def type(self, text: str) -> None:
        """Type characters one by one."""
        names = {" ": "space", "\n": "enter"}
        await self.press(*(names.get(c, c) for c in text))

    async def paste(self, text: str) -> None:
        """Paste, as a terminal with bracketed paste sends it."""
        self.app.post_message(events.Paste(text))
        await self.settled()

    async def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        await self.pilot.resize_terminal(width, height)
        await self.settled()

    async def until(self, true: Callable[[], bool], what: str, within: float = PATIENCE) -> None:
        """Wait until something is so; fails with the screen."""
        end = time.monotonic() + within
        while not true():
            if time.monotonic() > end:
                raise AssertionError(f"{what}\n" + "\n".join(f"|{row}" for row in self.screen))
            await asyncio.sleep(_LOOK)
            await self.pilot._wait_for_screen()
            self.app.screen._on_timer_update()

    def sees(self, words: str) -> bool:
        """Whether these words are on the screen, also where a box breaks the line between them."""
        if words in self.text:
            return True
        rows = [re.sub(r"[\s│|]+", " ", row).strip() for row in self.screen]
        return words in " ".join(rows) or words in "".join(rows)

    async def expect(self, *words: str, within: float = PATIENCE) -> None:
        """Wait until all these words are seen."""
        for word in words:
            await self.until(lambda w=word: self.sees(w), f"never saw {word!r}", within)

    async def expect_gone(self, word: str, within: float = PATIENCE) -> None:
        """Wait until this is seen no more."""
        await self.until(lambda: not self.sees(word), f"{word!r} is still there", within)

    async def awake(self) -> None:
        """Wait for a plan, and let the moment be over in which it ignores held keys."""
        from sbctui.screens.plan import PlanScreen

        await self.until(lambda: isinstance(self.app.screen, PlanScreen), "there is no plan")
        if isinstance(self.app.screen, PlanScreen):
            self.app.screen._opened = -math.inf

    async def expect_jobs_over(self, within: float = 60.0) -> None:
        """Wait until every job has ended and the console knows it."""
        end = time.monotonic() + within
        while True:
            left = max(0.0, end - time.monotonic())
            await self.until(self._none_runs, "a job still runs", left)
            if await self._none_is_new():
                return

    def _none_runs(self) -> bool:
        shown = self.app.feeds.world.jobs
        return bool(shown) and not any(job.running for job in shown)

    async def _none_is_new(self) -> bool:
        """Whether the disk has no job that runs or is not shown yet; asked in a thread."""
        engine = self.app.feeds.engine
        jobs = await asyncio.to_thread(engine.jobs) if engine is not None else ()
        shown = {job.id for job in self.app.feeds.world.jobs}
        return bool(jobs) and all(job.over for job in jobs) and jobs[0].id in shown

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
        await self.settled()


def _asked() -> set[threading.Thread]:
    """What is being asked in threads for somebody, which the feeds' threads are not."""
    return {one for one in threading.enumerate() if one.name == ASKED}


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
