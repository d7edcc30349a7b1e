"""Random keys for a long time: nothing crashes, and nothing changes that no plan told of.

A run is its seed; what failed prints the whole list of steps, and
``SBCTUI_SOAK_STEPS=FILE pytest tests/ui/test_soak.py -k replay`` does them again. With
``SBCTUI_SOAK=SEED:STEPS`` the long runs take another seed and length.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from textual.screen import ModalScreen

from sbctui.app import SbcApp
from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from sbctui.engine.model.requests import EditNode
from sbctui.engine.services.control import stop_services
from sbctui.screens.plan import PlanScreen
from tests.driver import Tui
from tests.ui.conftest import do
from tests.ui.troubled import trouble

Step = tuple[str, Any]
"""``press`` a key, ``paste`` or ``type`` a text, ``resize`` to a size, ``agree`` to the plan in
front, ``wait`` for what runs, ``other`` admin changes something."""

SIZES = ((80, 24), (160, 48), (60, 16), (100, 30), (59, 15), (200, 60), (132, 43), (81, 25))
PASTES = (
    "dc:a6:32:77:00:[01-04]\n",
    "b8:27:eb:77:00:01,one,room-a\nb8:27:eb:77:00:02,two\nnonsense\n",
    "dc:a6:32:0a:00:01\n",
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07[red]x[/]\n\u202eevil\n",
    "just words",
    "x" * 3000 + "\n",
    "日本語\n" * 3,
)
TEXTS = (
    "pi-0", "st:up", "!desk", "root:noble", "golden", "12", "dca6320199", "10.77.0.200",
    "new-one", "16M", "/nowhere", "[b]x", "\\x1b", "leaf list", "leaf delete pi-01", "trash purge",
    "audit", "zzz", "a b c", "2", "é日", "", "n", "root clone golden again",
)  # fmt: skip
KEYS = (
    "j", "k", "down", "up", "enter", "escape", "escape", "tab", "shift+tab", "space", "g", "G",
    "pagedown", "pageup", "home", "end", "left", "right", "backspace", "delete", "ctrl+u", "v",
    "1", "2", "3", "4", "5", "6", "slash", "question_mark", "D", "f", "o", "t", "b", "asterisk",
    "ctrl+a", "ctrl+e", "ctrl+w", "ctrl+k", "ctrl+y", "f1", "y", "z",
)  # fmt: skip
LEAVES = ("ctrl+q", "ctrl+c", "ctrl+z", "q")


class Walker:
    """Chooses the next step by what stands on the screen."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def next(self, app: SbcApp) -> Step:
        """A key that does something here, mostly."""
        dice, chance = self._dice, self._dice.random()
        if isinstance(app.screen, PlanScreen) and chance < 0.4:
            return ("agree", None)
        if chance < 0.45:
            keys = sorted(k for k in app.screen.active_bindings if k not in LEAVES)
            return ("press", dice.choice(keys or ["escape"]))
        if chance < 0.75:
            return ("press", dice.choice(KEYS))
        if chance < 0.87:
            return ("type", dice.choice(TEXTS))
        if chance < 0.92:
            return ("paste", dice.choice(PASTES))
        if chance < 0.96:
            return ("resize", dice.choice(SIZES))
        if chance < 0.97:
            return ("press", "q")
        return ("other", dice.randrange(1000)) if chance < 0.98 else ("wait", None)


class Soak:
    """One site, one console after another, and what must hold after every step."""

    def __init__(self, site: Path, *, read_only: bool = False) -> None:
        self.site, self.read_only = site, read_only
        self.steps: list[Step] = []
        self.shown: list[str] = []
        self.jobs = set(os.listdir(site / "jobs"))
        self.before = fingerprint(site)
        self.seen: set[str] = set()

    async def run(self, walker: Iterator[Step] | Walker, count: int) -> None:
        """So many steps; a console that was left is opened again."""
        done = 0
        while done < count:
            app = SbcApp(self.site, read_only=self.read_only)
            async with app.run_test(size=(80, 24), notifications=True) as pilot:
                tui = Tui(app, pilot)
                await tui.ready()
                while done < count and not app._exit:
                    step = walker.next(app) if isinstance(walker, Walker) else next(walker)
                    self.steps.append(step)
                    done += 1
                    try:
                        await self._do(tui, step)
                        self._check(tui)
                    except Exception as error:
                        raise AssertionError(self._story(tui, error)) from error
                await self._calm(tui)
        self._unchanged_unless_asked()

    def _story(self, tui: Tui, error: Exception) -> str:
        crashes = "\n".join(path.read_text() for path in tui.app.crashes)
        picture = "\n".join(f"|{row}" for row in tui.screen)
        steps = json.dumps(self.steps)
        return f"{error}\n{crashes}\n{tui.app.screen!r}\n{picture}\nSTEPS {steps}"

    async def _do(self, tui: Tui, step: Step) -> None:
        self._note_plan(tui.app)
        what, value = step
        if what == "press":
            await tui.press(value)
        elif what == "type":
            await tui.type(value)
        elif what == "paste":
            await tui.paste(value)
        elif what == "resize":
            await tui.resize(*value)
        elif what == "agree":
            await self._agree(tui)
        elif what == "wait":
            await self._calm(tui)
        else:
            await self._calm(tui)
            assert not self.read_only or fingerprint(self.site) == self.before, "it wrote"
            with suppress(AssertionError, SbcError):
                await asyncio.to_thread(
                    do, self.site, EditNode(name="debian12", notes=f"note {value}")
                )
            self.jobs = set(os.listdir(self.site / "jobs"))
            self.before = fingerprint(self.site)
        self._note_plan(tui.app)

    async def _agree(self, tui: Tui) -> None:
        """Say yes to the plan in front, as it wants to be told."""
        screen = tui.app.screen
        if not isinstance(screen, PlanScreen):
            return
        await tui.until(lambda: not screen.deaf, "the plan never listens")
        if tui.app.screen is not screen:
            return
        if screen.plan.confirm:
            await tui.press("ctrl+u", *screen.plan.confirm, "enter")
        else:
            await tui.press("y")

    def _note_plan(self, app: SbcApp) -> None:
        self.seen.add(type(app.screen).__name__)
        for screen in app.screen_stack:
            if isinstance(screen, PlanScreen):
                plan = work(screen.plan.model_dump_json(by_alias=True))
                if plan not in self.shown:
                    self.shown.append(plan)

    def _check(self, tui: Tui) -> None:
        app = tui.app
        assert not app.crashes, "a fault"
        if app._exit:
            return
        assert app.is_running
        width, height = app.size
        rows = tui.screen
        assert len(rows) <= height
        assert all(len(row) <= width for row in rows), "a row is wider than the terminal"
        text = "".join(rows)
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text), "a control character"
        assert not set(text) & set("\u202e\u2066\u2028"), "a bidi control"
        hidden = "this terminal is" in "".join(rows)
        modal = isinstance(app.screen, ModalScreen)
        assert app.focused is not None or modal or hidden, "nothing in focus"
        for job in sorted(set(os.listdir(self.site / "jobs")) - self.jobs):
            plan = self.site / "jobs" / job / "plan.json"
            if plan.exists():
                self.jobs.add(job)
                self._may_have_started(job, plan.read_text())

    def _may_have_started(self, job: str, plan: str) -> None:
        assert not self.read_only, f"a console that only looks started {job}"
        unasked = json.loads(plan)["impact"] == "reversible"
        assert unasked or work(plan) in self.shown, f"no plan was shown before {job}: {plan}"

    async def _calm(self, tui: Tui) -> None:
        """Wait until nothing works on the site any more."""
        engine = Engine(self.site)
        end = time.monotonic() + 90
        calm = 0
        while calm < 2:
            assert time.monotonic() < end, "a job never ends"
            await (asyncio.sleep(0.05) if tui.app._exit else tui.pilot.pause(0.05))
            at_work = any(not job.over for job in await asyncio.to_thread(engine.jobs))
            calm = 0 if at_work else calm + 1
        self._unchanged_unless_asked()

    def _unchanged_unless_asked(self) -> None:
        now = fingerprint(self.site)
        if set(os.listdir(self.site / "jobs")) == set(self.before["jobs"]):
            changed = {k for k in {*now["tree"], *self.before["tree"]}
                       if now["tree"].get(k) != self.before["tree"].get(k)}  # fmt: skip
            assert not changed, f"changed without a job: {sorted(changed)}"
        self.before = now


def work(plan: str) -> str:
    """A plan without what is of the moment only."""
    data = json.loads(plan)
    return json.dumps([data["title"], data["units"], data["request"]], sort_keys=True)


def fingerprint(site: Path) -> dict[str, Any]:
    """Names, sizes, times and modes of everything in a site, and its jobs."""
    jobs = sorted(os.listdir(site / "jobs"))  # first: one that begins meanwhile is none of these
    tree: dict[str, tuple[int, int, int]] = {}
    for folder, _, files in os.walk(site):
        for name in (".", *files):
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError):
                facts = os.lstat(path)
                if not stat.S_ISSOCK(facts.st_mode):
                    tree[path] = (facts.st_size, facts.st_mtime_ns, facts.st_mode)
    return {"tree": tree, "jobs": jobs}


@pytest.fixture
def lab(small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A troubled site, and a home of our own for whatever the console saves."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("STATE", "CONFIG", "CACHE", "DATA"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    yield trouble(small_site, 5)
    with suppress(SbcError):
        stop_services(small_site, force=True)


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_keys_for_a_while(lab: Path, seed: int) -> None:
    soak = Soak(lab)
    await soak.run(Walker(seed), 150)
    assert len(soak.seen) > 3, soak.seen


async def test_a_console_that_only_looks_changes_nothing(lab: Path) -> None:
    """What somebody else changes meanwhile apart."""
    soak = Soak(lab, read_only=True)
    await soak.run(Walker(3), 150)
    assert fingerprint(lab) == soak.before
    assert not soak.shown


LONG = os.environ.get("SBCTUI_SOAK", "100:4000")


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("read_only", [False, True])
async def test_random_keys_for_hours(lab: Path, read_only: bool) -> None:
    seed, steps = map(int, LONG.split(":"))
    soak = Soak(lab, read_only=read_only)
    await soak.run(Walker(seed), steps)
    assert len(soak.seen) > 6, soak.seen


@pytest.mark.skipif("SBCTUI_SOAK_STEPS" not in os.environ, reason="no list of steps is given")
async def test_replay(lab: Path) -> None:
    steps = json.loads(Path(os.environ["SBCTUI_SOAK_STEPS"]).read_text())
    given = [(what, tuple(v) if isinstance(v, list) else v) for what, v in steps]
    await Soak(lab, read_only="SBCTUI_SOAK_LOOK" in os.environ).run(iter(given), len(given))


def test_the_walk_of_a_seed_is_always_the_same() -> None:
    class Still:
        screen = type("S", (), {"active_bindings": {"a": 1, "b": 2}})()

    walks = []
    for _ in range(2):
        walker = Walker(7)
        walks.append([walker.next(Still()) for _ in range(50)])  # type: ignore[arg-type]
    assert walks[0] == walks[1]
