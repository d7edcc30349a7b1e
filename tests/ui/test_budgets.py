"""What the console may cost a line and an admin's patience, measured on the real program."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves, DeleteLeaves, EditNode
from tests.driver import open_tui
from tests.ui.conftest import do, specs
from tests.ui.terminal import Pty, open_pty

IDLE = 0
"""Bytes while nothing changes."""
LIVE = 500
"""Bytes a second while jobs run and nodes change."""
ECHO = 400
"""Bytes until a key's effect is on the screen."""
SIZES = [(80, 24), (160, 48)]
AT_BOTH_SIZES = pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")


def steady(text: str) -> str:
    """The screen without the free space of a machine that does other things as well."""
    return re.sub(r"disk .*|\[#.*|\d+(\.\d)?[MGT] free|[\d.]+/[\d.]+[MGT]", "", text)


def settled(site: Path, size: tuple[int, int]) -> Pty:
    """An open console that has shown all it has."""
    tui = open_pty(site, size)
    try:
        tui.until("3 leaves", "services stopped", "pi-03")
        tui.quiet(1.5)
    except BaseException:
        tui.close()
        raise
    return tui


def idle(tui: Pty, seconds: float) -> None:
    """Fails when something is sent, but for the figure of free space that others take."""
    tui.quiet(0.7)
    before = tui.screen.text
    sent, after = tui.read(seconds), tui.screen.text
    assert sent <= IDLE or (sent < 80 and before != after), (tui.raw[-sent:], after)
    assert steady(after) == steady(before)


@AT_BOTH_SIZES
def test_an_idle_console_sends_nothing(small_site: Path, size: tuple[int, int]) -> None:
    """Twenty looks at a site in which nothing changed write no cell."""
    with settled(small_site, size) as tui:
        for _ in range(6):
            idle(tui, 1.0)


def test_a_screen_that_waits_sends_nothing(small_site: Path) -> None:
    """No cursor blinks and no clock ticks, whatever is open."""
    with settled(small_site, (80, 24)) as tui:
        home = steady(tui.screen.text)
        for key in ("n", "b", "L", "e", ":", "/", "\x10", "?", "o", "t", ","):
            tui.send(key)
            tui.wait(lambda: steady(tui.screen.text) != home, "nothing opens")
            idle(tui, 1.2)
            tui.send("\x1b")
            tui.wait(lambda: steady(tui.screen.text) == home, "home is not as before")


@AT_BOTH_SIZES
def test_the_echo_of_a_key(small_site: Path, size: tuple[int, int]) -> None:
    with settled(small_site, size) as tui:

        def cost(key: str) -> int:
            """Bytes of what follows the key at once; what comes when the cursor rests is later."""
            before = tui.sent
            tui.send(key)
            tui.wait(lambda: tui.sent > before, f"no echo of {key!r}")
            tui.read(0.08)
            spent = tui.sent - before
            tui.quiet(0.4)
            return spent

        costs = {key: cost(key) for key in ("j", "k", "\x1b[B", "\x1b[A")}
        costs["one more down"] = cost("j")
        costs["mark"] = cost(" ")
        costs["filter"] = cost("/")
        costs["p"] = cost("p")
        costs["i"] = cost("i")
        assert all(spent < ECHO for spent in costs.values()), costs
        tui.send("\x1b")
        tui.quiet(0.4)
        # Another pane, another title; all rows marked at once: still less than a stock widget.
        big = {key: cost(key) for key in "2*U1"}
        assert all(spent < 2500 for spent in big.values()), big
        assert not tui.screen.unknown


class Lab(threading.Thread):
    """A lab at work on the site: small changes all the time."""

    def __init__(self, site: Path) -> None:
        super().__init__(daemon=True)
        self.engine = Engine(site)
        self.over = threading.Event()
        self.changes = 0

    def run(self) -> None:
        while not self.over.is_set():
            self.changes += 1
            self.change()
            self.over.wait(0.5)

    def change(self) -> None:
        alias = f"pi-{1 + self.changes % 9:02}"
        do(self.engine.path, EditNode(name="dc-a6-32-0a-00-01", notes=f"seen {self.changes}"))
        if self.changes % 3 == 0:
            do(self.engine.path, EditNode(name="dc-a6-32-0a-00-02", alias=f"{alias}-b"))


class Factory(Lab):
    """A lab in which one job after the other deletes five hundred leaves or makes them."""

    def change(self) -> None:
        leaves = specs(500, 100)
        macs = tuple(leaf.mac for leaf in leaves)
        odd = self.changes % 2 == 1
        job = self.engine.start(
            self.engine.plan(
                DeleteLeaves(root="golden", macs=macs)
                if odd
                else CreateLeaves(root="golden", leaves=leaves)
            )
        )
        for _ in self.engine.events(job, self.over):
            pass


@pytest.mark.timeout(180)
@AT_BOTH_SIZES
def test_live_panes_stay_under_their_budget(small_site: Path, size: tuple[int, int]) -> None:
    """While a job makes leaves, aliases and notes change and jobs come and go."""
    with settled(small_site, size) as tui:
        lab = Lab(small_site)
        engine = lab.engine
        engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(300, 100))))
        tui.until("create 300 leaves")
        lab.start()
        began, before = time.monotonic(), tui.sent
        tui.read(20.0)
        rate = (tui.sent - before) / (time.monotonic() - began)
        lab.over.set()
        lab.join(20)
        assert lab.changes > 5
        assert 0 < rate < LIVE, f"{rate:.0f} B/s"
        assert not tui.screen.unknown


@pytest.mark.parametrize("key", ["j", "/", "?"])
def test_a_key_is_answered_while_the_site_is_busy(small_site: Path, key: str) -> None:
    """While job after job makes or deletes five hundred leaves; on a machine that does more."""
    do(small_site, CreateLeaves(root="golden", leaves=specs(500, 100)))
    with open_pty(small_site) as tui:
        tui.until("503 leaves")
        lab = Factory(small_site)
        lab.start()
        tui.until("delete 500 leaves of golden")
        spent = []
        for _ in range(5):
            before, began = tui.screen.text, time.monotonic()
            tui.send(key)
            tui.wait(lambda before=before: tui.screen.text != before, "no echo", 5)
            spent.append(time.monotonic() - began)
            tui.send("\x1b" if key in "/?" else "k")
            tui.read(0.3)
        assert lab.is_alive()
        lab.over.set()
        lab.join(20)
        assert sorted(spent)[2] < 1.0, spent


async def test_no_engine_call_and_no_file_of_the_site_on_the_ui_thread(small_site: Path) -> None:
    """Every function of the engine that looks at files, seen by the thread it is entered in.

    Pure functions of the engine (rules, text, plans as values) are free to run anywhere.
    """
    from sbctui.engine import commands, files, jobs, lockfile, nodefile, store, streams
    from sbctui.engine.services import control, control_client

    here = threading.get_ident()
    looking = {m.__file__ for m in (commands, streams, files, jobs, lockfile, nodefile, store,
                                    control, control_client)}  # fmt: skip
    site = str(small_site)
    caught: list[str] = []
    elsewhere = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal elsewhere
        if event == "call":
            code = frame.f_code  # type: ignore[attr-defined]
            if code.co_filename in looking and code.co_name not in ("<module>", "<genexpr>"):
                if threading.get_ident() == here:
                    caught.append(f"{code.co_filename}: {code.co_name}")
                else:
                    elsewhere += 1

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        watched = event in ("open", "os.listdir", "os.scandir", "os.rename", "os.remove")
        if watching and watched and threading.get_ident() == here and site in str(arguments[0]):
            caught.append(f"{event} {arguments[0]}")

    watching = True
    sys.addaudithook(audit)
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        async with open_tui(small_site) as tui:
            for keys in ("jjl", "2j/pi", "4", "5", "1n", "b", "o", "t", "w", "wc", "?", "L"):
                await tui.press(*({"/": "slash", "?": "question_mark"}.get(k, k) for k in keys))
                await tui.pilot.pause(0.2)
                await tui.press("escape", "escape", "escape")
            await tui.paste("b8:27:eb:00:00:01\n")
            await tui.expect("1 ok")
            await tui.press("enter")
            await tui.expect("The plan")
            await tui.awake()
            await tui.press("y")
            await tui.expect_jobs_over()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        watching = False
    assert elsewhere > 300, "nothing was seen at all"
    assert not caught, "\n".join(sorted(set(caught)))


def test_the_program_ends_at_once(small_site: Path) -> None:
    with settled(small_site, (80, 24)) as tui:
        began = time.monotonic()
        tui.send("q")
        assert tui.ended() == 0
        assert time.monotonic() - began < 5, "for a machine that does other things"
        assert not os.path.exists(f"/proc/{tui.process.pid}")
