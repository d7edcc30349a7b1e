"""A console that only looks: nothing it is asked to do is done, and nothing is written."""

from __future__ import annotations

from pathlib import Path

from sbctui.actions import ACTIONS
from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves
from tests.cli.test_cli_read_only import marks
from tests.driver import open_tui
from tests.ui.conftest import specs

SAID = "opened with --read-only"


async def test_no_key_of_home_changes_anything(small_site: Path) -> None:
    before = list(marks(small_site))
    async with open_tui(small_site, read_only=True) as tui:
        await tui.expect("looking only", " RO")
        for action in ACTIONS:
            if action.scope != "home" or not action.changes:
                continue
            await tui.press(action.keys.split(",")[0])
            await tui.expect(SAID)
            assert len(tui.app.screen_stack) == 1, action
            tui.app.clear_notifications()
            await tui.expect_gone(SAID)
        await tui.paste("dc:a6:32:00:00:01\ndc:a6:32:00:00:02\n")
        await tui.expect(SAID)
        assert len(tui.app.screen_stack) == 1
    assert list(marks(small_site)) == before


async def test_other_screens_look_only_too(small_site: Path) -> None:
    (small_site / "nodes" / "stray").mkdir()
    before = list(marks(small_site))
    async with open_tui(small_site, read_only=True) as tui:
        for opened, keys in (("o", "fFKD"), ("t", "fP")):
            await tui.press(opened)
            await tui.until(lambda: len(tui.app.screen_stack) == 2, "it does not open")
            for key in keys:
                await tui.press(key)
                await tui.expect(SAID)
                assert len(tui.app.screen_stack) == 2, key
                tui.app.clear_notifications()
                await tui.expect_gone(SAID)
            await tui.press("escape")
            await tui.until(lambda: len(tui.app.screen_stack) == 1, "it does not close")
        await tui.press("colon")
        await tui.type("root delete golden\n")
        await tui.expect(SAID)
    assert list(marks(small_site)) == before


async def test_help_greys_what_changes_with_the_reason(small_site: Path) -> None:
    async with open_tui(small_site, (100, 60), read_only=True) as tui:
        await tui.expect("(n New)")
        await tui.press("question_mark")
        await tui.expect("not now: opened with --read-only")


async def test_a_running_job_is_followed_but_not_stopped_and_leaving_asks_nothing(
    small_site: Path,
) -> None:
    engine = Engine(small_site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(400, 100))))
    async with open_tui(small_site, ready=False, read_only=True) as tui:
        await tui.expect("create 400 leaves of golden")
        await tui.press("4", "g", "X")
        await tui.expect(SAID)
        await tui.press("q")
        await tui.until(lambda: tui.app._exit, "it asks")
    found = next(j for j in engine.jobs() if j.id == job)
    assert found.state in ("waiting", "running", "done")
    engine.cancel(job)


async def test_a_site_that_is_not_there_is_not_offered_to_be_made(site_path: Path) -> None:
    async with open_tui(site_path, ready=False, read_only=True) as tui:
        await tui.until(lambda: tui.app._exit, "it offers to make one")
    assert not site_path.exists()
