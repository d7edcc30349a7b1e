"""One test per flow, on the real engine; every mutation is seen as a plan first."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves, CreateRoot, DeleteLeaves, EditNode
from sbctui.screens import plan as plan_screen
from sbctui.screens.plan import PlanScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import MIB, do, specs


async def start(tui: Tui, plan: str) -> None:
    """See the plan, outlast its deaf moment, start it, wait for the job's end."""
    await tui.expect("The plan", plan)
    before = {j.id for j in tui.app.feeds.world.jobs}
    await tui.awake()
    await tui.press("y")
    await tui.expect_gone("The plan")
    await tui.until(lambda: any(j.id not in before for j in tui.app.feeds.world.jobs), "no job")
    await tui.expect_jobs_over()


async def starts_at_once(tui: Tui, said: str) -> None:
    """What can be taken back asks nothing: it runs, and what was done is said."""
    await tui.expect(said)
    assert not isinstance(tui.app.screen, PlanScreen)
    await tui.expect_jobs_over()
    assert tui.app.unasked


async def test_create_a_root(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("n")
        await tui.expect("Create a root", "a-z, 0-9 and -")
        await tui.type("Debian_13")
        await tui.expect("can't be a name")
        await tui.press(*["backspace"] * 9)
        await tui.type("debian12")
        await tui.expect("there is a node debian12 already")
        await tui.press("enter")
        assert "The plan" not in tui.text
        await tui.press("backspace")
        await tui.type("3")
        await tui.press("down", "ctrl+u", *"0")
        await tui.expect("'0' is too small for a disk")
        await tui.press("ctrl+u", *"16M", "enter")
        await start(tui, "create the root debian13")
        await tui.expect("debian13", "4 roots")
    assert "debian13" in Engine(small_site).site().nodes


async def test_a_path_that_is_no_image_is_refused_in_the_form(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("n")
        await tui.expect("Create a root")
        await tui.type("new")
        await tui.press("down", "down")
        await tui.type("/nowhere/rootfs.tar")
        await tui.expect("there is no '/nowhere/rootfs.tar'")
        await tui.press("ctrl+u", *str(small_site / "site.toml"))
        await tui.expect_gone("there is no")
        await tui.press("enter")
        await tui.expect("is no whole tar")
        assert "The plan" not in tui.text


async def test_clone_and_leaving_the_plan_changes_nothing(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "c")
        await tui.expect("Clone golden")
        await tui.type("golden-2")
        await tui.press("enter")
        await tui.expect("The plan", "$ sbctui root clone golden golden-2")
        await tui.awake()
        await tui.press("enter")
        await tui.expect("Clone golden")
        assert "golden-2" not in Engine(small_site).site().nodes
        await tui.press("enter")
        await start(tui, "golden-2")
    assert "golden-2" in Engine(small_site).site().nodes


async def test_allocate_and_deallocate(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "a")
        await tui.expect("Allocate golden to a board")
        await tui.type("dc:a6:32:0a:00:01")
        await tui.expect("dc:a6:32:0a:00:01 is taken by")
        await tui.press("ctrl+u", *"dca632010299", "down", *"10.77.0.1")
        await tui.expect("is the server's own address")
        await tui.press("ctrl+u", "enter")
        await start(tui, "dc:a6:32:01:02:99")
        await tui.expect("A Dealloc")
        await tui.press("A")
        await tui.expect("Deallocate golden", "is not connected", "(x) yes", "over ssh as root")
        await tui.press("space")
        await tui.expect("$ sbctui root deallocate golden --no-reboot")
        await tui.press("enter")
        await tui.expect("The plan", "without a reboot")
        await tui.press("escape")
        await tui.expect_gone("The plan")
    assert Engine(small_site).site().nodes["golden"].config.mac == "dc:a6:32:01:02:99"


async def test_edit_a_leaf(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "e")
        await tui.expect("Edit pi-01")
        await tui.press("ctrl+u", *"pi-02")
        await tui.expect("pi-02")
        await tui.press("ctrl+u", *"window-1")
        await tui.expect("leaf edit dc-a6-32-0a-00-01 --alias window-1", "enter do it")
        await tui.press("enter")
        await starts_at_once(tui, "edit dc-a6-32-0a-00-01: done (alias window-1)")
        await tui.expect("window-1")


async def test_deleting_a_root_wants_its_name_and_undo_brings_it_back(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "D")
        await tui.expect("The plan", "type golden and Enter to start")
        await tui.awake()
        await tui.press("y", "enter")
        await tui.expect("that is not golden")
        await tui.press("ctrl+u", *"golden", "enter")
        await tui.expect_gone("The plan")
        await tui.until(lambda: "golden" not in site(tui).nodes, "it was not deleted")
        await tui.expect_jobs_over()
        await tui.expect("delete the root golden: done; z brings it back")
        await tui.press("escape", "z")
        await starts_at_once(tui, "restore golden: done")
        await tui.until(lambda: "golden" in site(tui).nodes, "it did not come back")


def site(tui: Tui):
    found = tui.app.feeds.world.site
    assert found is not None
    return found


async def test_deleting_marked_leaves_wants_the_count(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "space", "space", "D")
        await tui.expect("delete 2 leaves of debian12", "type 2 and Enter to start")
        await tui.awake()
        await tui.press("2", "enter")
        await tui.until(lambda: len(site(tui).leaves) == 1, "they were not deleted")


async def test_keys_held_down_start_nothing(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_screen, "_DEAF", 3600)
    async with open_tui(small_site) as tui:
        await tui.press("j", "D")
        await tui.until(lambda: "The plan" in tui.text, "no plan")
        await tui.press("y", "y", "enter")
        assert "The plan" in tui.text
        await tui.press("escape")
    assert len(Engine(small_site).site().leaves) == 3


async def test_a_job_found_again_stopped_and_read(small_site: Path) -> None:
    engine = Engine(small_site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(800, 100))))
    async with open_tui(small_site, ready=False) as tui:
        await tui.expect("running", "create 800 leaves of golden")
        await tui.press("q")
        await tui.expect("1 job running", "found")
        await tui.press("enter")
        await tui.expect_gone("1 job running")
        await tui.press("4", "g", "enter")
        await tui.expect(f"Job {job}", "done    leaf")
        await tui.press("X")
        await tui.expect("stopped", within=30)
        await tui.press("escape")
        await tui.expect_jobs_over()
    made = len(Engine(small_site).site().nodes["golden"].config.children)
    assert 0 < made < 800


async def test_leaving_with_a_job_running_leaves_it_running(small_site: Path) -> None:
    engine = Engine(small_site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(400, 100))))
    async with open_tui(small_site, ready=False) as tui:
        await tui.expect("running")
        await tui.press("q")
        await tui.expect("1 job running")
        await tui.press("l")
        await tui.until(lambda: tui.app._exit, "it did not leave")
    async with open_tui(small_site) as tui:
        await tui.until(lambda: any(j.id == job for j in tui.app.feeds.world.jobs), "job lost")
        await tui.expect_jobs_over()
        await tui.until(lambda: len(site(tui).leaves) == 403, "leaves are missing")
        await tui.press("4")
        await tui.expect("ok          create 400 leaves of golden")


async def test_trash_restores_and_purges(small_site: Path) -> None:
    do(small_site, DeleteLeaves(root="debian12", macs=tuple(s.mac for s in specs(2))))
    async with open_tui(small_site) as tui:
        await tui.press("t")
        await tui.expect("Trash", "pi-01", "13d")
        await tui.press("slash")
        await tui.press("g", "f")
        await starts_at_once(tui, "restore dc-a6-32-0a-00-0")
        await tui.until(lambda: len(site(tui).leaves) == 2, "it was not restored")
        await tui.press("P")
        await tui.expect("The plan", "to start:")
        await tui.awake()
        words = tui.app.screen.plan.confirm
        await tui.press(*words, "enter")
        await tui.expect("the trash is empty")


async def test_a_plan_that_is_old_is_not_run_and_the_new_one_stands_there(
    small_site: Path,
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "c")
        await tui.expect("Clone golden")
        await tui.type("golden-2")
        await tui.press("enter")
        await tui.expect("The plan")
        do(small_site, EditNode(name="golden", notes="other notes"))
        await tui.awake()
        await tui.press("y")
        await tui.expect("the site changed since you agreed, so nothing was done")
        assert "golden-2" not in Engine(small_site).site().nodes
        await start(tui, "clone golden to golden-2")
        await tui.until(lambda: "golden-2" in site(tui).nodes, "it was not cloned")


async def test_many_roots_do_not_hide_the_keys(empty_site: Path) -> None:
    do(empty_site, *(CreateRoot(name=f"r{n}", size=2 * MIB) for n in range(15)))
    async with open_tui(empty_site) as tui:
        await tui.press("G")
        await tui.expect("r9", "15/15")
