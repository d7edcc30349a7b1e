"""Which changes ask, and how hard: the rungs of the ladder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import (
    AllocateRoot,
    CloneRoot,
    CreateLeaves,
    CreateRoot,
    DeallocateRoot,
    DeleteLeaves,
    DeleteRoot,
    EditNode,
    PurgeTrash,
    Request,
    ResizeRoot,
    RestoreTrash,
)
from sbctui.prefs import Prefs
from sbctui.screens import plan as plan_screen
from sbctui.screens.plan import PlanScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import MIB, do, specs

MACS = tuple(s.mac for s in specs(3))
LEAF = "dc-a6-32-0a-00-01"
ASKS: list[tuple[Request, str]] = [
    (CreateRoot(name="new", size=16 * MIB), ""),
    (CloneRoot(source="golden", name="new"), ""),
    (CreateLeaves(root="golden", leaves=specs(4, 50)), ""),
    (AllocateRoot(name="golden", mac="dc:a6:32:01:02:99"), ""),
    (DeallocateRoot(name="rescue-07"), ""),
    (ResizeRoot(name="golden", size=32 * MIB), ""),
    (DeleteLeaves(root="debian12", macs=MACS[:1]), ""),
    (DeleteLeaves(root="debian12", macs=MACS[:2]), "2"),
    (DeleteLeaves(root="debian12"), "3"),
    (DeleteRoot(name="golden"), "golden"),
]


@pytest.mark.parametrize(("request_", "typed"), ASKS, ids=lambda value: str(value)[:30])
async def test_what_is_asked_for(small_site: Path, request_: Request, typed: str) -> None:
    async with open_tui(small_site) as tui:
        tui.app.offer(lambda engine: request_)
        await tui.expect("The plan", "$ sbctui")
        if typed:
            await tui.expect(f"type {typed} and Enter to start", "esc Cancel: nothing is done")
        else:
            await tui.expect("[ Cancel ] y start it  enter esc cancel")
        await tui.awake()
        await tui.press("enter")
        await tui.press("escape")
        await tui.expect_gone("The plan")
        assert tui.app.unasked == []
    assert len(Engine(small_site).jobs()) == 5


async def test_what_can_be_taken_back_asks_nothing(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        tui.app.offer(lambda engine: EditNode(name=LEAF, notes="by the window"))
        await tui.expect("edit dc-a6-32-0a-00-01: done (notes by the window)")
        assert len(tui.app.unasked) == 1


async def test_who_wants_to_be_asked_always_is(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        tui.app.prefs = Prefs(confirm="always")
        tui.app.offer(lambda engine: EditNode(name=LEAF, notes="by the window"))
        await tui.expect("The plan", "[ Cancel ] y start it")
        assert not tui.app.unasked


async def test_a_delete_says_how_it_comes_back(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "D")
        await tui.expect("The plan", "delete 1 leaf of debian12")
        await tui.expect("- dnsmasq, NBD, TFTP: dc:a6:32:0a:00:01 10.77.0.51 pi-01")
        await tui.awake()
        await tui.press("y")
        await tui.expect("delete 1 leaf of debian12: done; z brings it back", "in 2 leaves")
        await tui.press("z")
        await tui.until(lambda: len(Engine(small_site).site().leaves) == 3, "it did not come back")
        assert len(tui.app.unasked) == 1


async def test_purging_many_wants_the_word(small_site: Path) -> None:
    do(small_site, DeleteLeaves(root="debian12"))
    folders = tuple(t.folder for t in Engine(small_site).site().trash)
    async with open_tui(small_site) as tui:
        tui.app.offer(lambda engine: PurgeTrash(folders=folders))
        await tui.expect("The plan", "type purge and Enter to start")
        await tui.press("escape")
        tui.app.offer(lambda engine: RestoreTrash(folders=folders))
        await tui.until(lambda: len(Engine(small_site).site().leaves) == 3, "not restored")


async def test_a_long_plan_says_that_it_goes_on(small_site: Path) -> None:
    async with open_tui(small_site, (60, 16)) as tui:
        tui.app.offer(lambda engine: CreateLeaves(root="golden", leaves=specs(40, 50)))
        await tui.expect("The plan", "more below: down --", "y start it")
        assert "$ sbctui leaf create" not in tui.text
        await tui.press(*["down"] * 20)
        await tui.expect("$ sbctui leaf create golden", "-- the end: up goes back --")
        await tui.resize(100, 40)
        await tui.expect("create 40 leaves", "$ sbctui leaf create golden")
        assert "more below" not in tui.text


async def _plan(tui: Tui) -> PlanScreen:
    await tui.expect("The plan")
    assert isinstance(tui.app.screen, PlanScreen)
    return tui.app.screen


async def test_keys_that_were_held_decide_nothing(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_screen, "_DEAF", 3600)
    async with open_tui(small_site) as tui:
        tui.app.offer(lambda engine: ResizeRoot(name="golden", size=32 * MIB))
        plan = await _plan(tui)
        assert plan.deaf
        await tui.press("y", "enter", "y")
        assert tui.app.screen is plan
        monkeypatch.setattr(plan_screen, "_DEAF", 0.3)
        await tui.until(lambda: not plan.deaf, "the plan never listens")
        await tui.press("y")
        await tui.expect("resize golden: done")
