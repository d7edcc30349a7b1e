"""The console: wires engine, screens and keys, and no more."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.driver import Driver

from sbctui import actions, hangup
from sbctui.choosing import Choosing
from sbctui.commanding import Commanding
from sbctui.engine.errors import SbcError
from sbctui.faults import Faults
from sbctui.feeds import Feeds
from sbctui.messages import Changed, World, in_thread
from sbctui.notices import Notices
from sbctui.pasting import Pasting
from sbctui.port import Verbs
from sbctui.prefs import Prefs, load
from sbctui.screens.home import HomeScreen
from sbctui.terminal import Terminal, detect
from sbctui.widgets.sturdy import Sturdy

_TICK = 0.25
_PATIENCE = 2.0
"""Seconds that leaving waits for jobs to be told and settings to be written."""


class SbcApp(Sturdy, Faults, Pasting, Notices, Commanding, Choosing):
    """One site on the screen. The engine is only ever called in threads."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["app.tcss", "screens/home.tcss"]
    TITLE = "sbctui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("any")]

    def __init__(
        self,
        path: Path,
        driver_class: type[Driver] | None = None,
        *,
        prefs: Prefs | None = None,
        terminal: Terminal | None = None,
        read_only: bool = False,
        verbs: Verbs | None = None,
        fault: str = "",
    ) -> None:
        super().__init__(ansi_color=True, driver_class=driver_class)
        self.begin_with(prefs or Prefs(), terminal or Terminal())
        self.read_only = read_only
        self.verbs = verbs
        self.HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (60, "-w60"), (80, "-w80"), (130, "-w130")]
        heights = {0: "-flat", 16: "-h16", 18: "-h18", 21: "-h21", 24: "-h24", 36: "-h36"}
        self.VERTICAL_BREAKPOINTS = list(heights.items())
        self._fault = fault
        self.feeds = Feeds(
            path, self._publish, self.job_ended, self.report_crash,
            read_only=read_only, refresh=self.prefs.refresh,
        )  # fmt: skip

    def get_default_screen(self) -> HomeScreen:
        """Home is the first screen and stays below all others."""
        return HomeScreen(self.feeds.world)

    def on_mount(self) -> None:
        """Home is shown at once; the engine is loaded behind it."""
        self.app_resume_signal.subscribe(self, lambda _: self.do_redraw())

        def begin() -> None:
            self.apply_keys()
            if self._fault:
                said = f"{self._fault}\nThe usual settings are in force."
                self.notify(said, title="settings", severity="warning", timeout=20)
            self.background(self._open())

        self.call_after_refresh(begin)

    async def _open(self) -> None:
        from sbctui.engine.errors import NotASite, SbcError

        try:
            await self.feeds.open()
        except NotASite as error:
            if self.read_only or not await in_thread(lambda: _blank(self.feeds.path)):
                self.exit(1, message=str(error))
                return
            from sbctui.screens.start import StartScreen

            self.push_screen(StartScreen(self.feeds.path), self._site_made)
        except (SbcError, OSError) as error:
            self.exit(1, message=str(error))
        else:
            self.set_interval(_TICK, self.feeds.tick)

    def _site_made(self, made: bool | None) -> None:
        if made:
            self.background(self._open())
        else:
            self.exit(0)

    def _publish(self, world: World) -> None:
        for screen in self.screen_stack:
            screen.post_message(Changed(world))

    # ── what screens call ─────────────────────────────────────────────────────────────────

    def action_act(self, action: str) -> None:
        """Do an action of the scope ``any``."""
        getattr(self, f"do_{action}")()

    def show_row(self, key: str) -> None:
        """Show all about a row of home."""
        from sbctui.screens.about import show

        show(self, self.feeds.world, key)

    def do(self, action: str, names: Sequence[str], asking: Sequence[str]) -> None:
        """Begin an action of ``actions.HOME`` on these nodes or unknown boards."""
        from sbctui.screens.verbs import VERBS

        VERBS[action](self, tuple(names), tuple(asking))

    # ── leaving, repainting, failing ──────────────────────────────────────────────────────

    async def action_quit(self) -> None:
        """Leave; asks when jobs run, unless this console only looks."""
        from sbctui.screens.leaving import LeavingScreen

        running = [j for j in self.feeds.world.jobs if j.running]
        if running and not self.read_only:
            self.push_screen(LeavingScreen(running), self._answered)
        else:
            await self._leave()

    def _answered(self, answer: str | None) -> None:
        if answer:
            self.background(self._leave(stop=answer == "stop"))

    async def _leave(self, *, stop: bool = False) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                if stop:
                    await self._stop_all()
                await self.kept()
        self.exit(0)

    async def _stop_all(self) -> None:
        engine = self.feeds.engine
        assert engine is not None
        for job in [j.id for j in self.feeds.world.jobs if j.running]:
            with suppress(SbcError):
                await in_thread(partial(engine.cancel, job))

    def on_unmount(self) -> None:
        """Stop following; nothing is waited for."""
        self.feeds.close()

    def do_suspend(self) -> None:
        """Put the console in the background."""
        self.action_suspend_process()

    def do_redraw(self) -> None:
        """Send the whole screen again."""
        self._forget()
        self.screen.refresh(layout=True)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """No cursor blinks: a console that waits sends nothing."""
        if hasattr(event.widget, "cursor_blink"):
            event.widget.cursor_blink = False

    def on_resize(self, event: events.Resize) -> None:
        """A resized terminal may have torn anything."""
        self._forget()

    def _forget(self) -> None:
        forget = getattr(self._driver, "forget", None)
        if forget is not None:
            forget()


def _blank(path: Path) -> bool:
    """Whether a site may be made here: nothing there yet, or an empty folder."""
    return not path.exists() or (
        path.is_dir() and all(entry.name == "lost+found" for entry in path.iterdir())
    )


def _driver(prefs: Prefs) -> type[Driver] | None:
    """The driver that sends differences, or the stock one: setting, or SBCTUI_DRIVER=stock."""
    if os.environ.get("SBCTUI_DRIVER", prefs.driver) == "stock":
        return None
    from sbctui.widgets.diff_driver import DiffDriver

    return DiffDriver


def run_app(site_path: Path, *, read_only: bool = False, verbs: Verbs | None = None) -> int:
    """Run the console on a site until it is left; the exit code."""
    prefs, fault = Prefs(), ""
    try:
        prefs = load()
    except SbcError as error:
        fault = str(error)
    terminal = detect(os.environ)
    app = SbcApp(
        site_path,
        _driver(prefs),
        prefs=prefs,
        terminal=terminal,
        read_only=read_only,
        fault=fault,
        verbs=verbs,
    )
    hangup.watch(sys.stdin.fileno())
    mouse = not terminal.remote if prefs.mouse == "auto" else prefs.mouse == "on"
    result = app.run(mouse=mouse)
    return result if result is not None else app.return_code or 0
