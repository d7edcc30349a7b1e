from __future__ import annotations

import shutil
from pathlib import Path

from sbctui.engine.model.requests import EditNode
from sbctui.screens.home import HomeScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import do


async def test_marks_follow_the_node_and_both_panes_show_them(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "j", "space")
        await tui.until(
            lambda: sum(row.count("1 marked") for row in tui.screen) == 2, "not in both panes"
        )
        do(small_site, EditNode(name="dc-a6-32-0a-00-02", alias="aa-first"))
        await tui.expect("aa-first")
        (marked,) = (row for row in tui.screen if row.startswith("*"))
        assert "aa-first" in marked
        await tui.press("I")
        await tui.expect("marked")
        await tui.press("U")
        await tui.expect_gone("marked")


async def test_marks_of_what_has_gone_are_dropped_and_said(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "space")
        await tui.expect("1 marked")
        shutil.rmtree(small_site / "nodes/dc-a6-32-0a-00-01")
        await tui.press("r")
        await tui.expect("1 mark dropped, no longer there:", "pi-01")
        await tui.expect_gone("1 marked")


async def test_a_range_is_seen_as_it_grows_and_v_marks_it(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "v")
        await tui.expect("range 1: v marks")
        await tui.press("j", "j")
        await tui.expect("range 3: v marks")
        assert signs(tui) == "+++ "
        assert targets(tui) == ["pi-01", "pi-02", "pi-03"]
        await tui.press("k", "v")
        await tui.expect("2 marked")
        await tui.expect_gone("range")
        assert signs(tui) == "**  "


async def test_space_fixes_a_range_and_esc_leaves_it_before_the_filter(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash", *"pi", "enter", "v", "j", "escape")
        await tui.expect_gone("range")
        await tui.expect("/pi 3/4")
        assert signs(tui) == "   "
        await tui.press("G", "v", "k", "space")
        assert signs(tui) == " **"
        await tui.press("escape")
        await tui.expect_gone("/pi")
        await tui.expect("2 marked")
        await tui.press("escape")
        await tui.expect_gone("marked")


async def test_a_range_whose_beginning_goes_is_over(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "v", "j", "j")
        await tui.expect("range 3")
        shutil.rmtree(small_site / "nodes/dc-a6-32-0a-00-01")
        await tui.press("r")
        await tui.expect_gone("range")
        assert targets(tui) == ["pi-03"]


async def test_all_that_the_filter_shows_is_marked_and_no_more(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash", *"pi !02", "enter", "asterisk")
        await tui.expect("2 marked")
        await tui.press("escape")
        assert signs(tui) == "* * "
        assert targets(tui) == ["pi-01", "pi-03"]
        await tui.press("I")
        assert signs(tui) == " * *"


async def test_marks_stay_while_a_root_is_closed(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "space", "h")
        await tui.expect("> debian12", "1 marked")
        assert targets(tui) == ["pi-01"]


def home(tui: Tui) -> HomeScreen:
    screen = tui.app.screen
    assert isinstance(screen, HomeScreen)
    return screen


def signs(tui: Tui) -> str:
    """The margin of the allocations' rows, from above."""
    pane = home(tui).allocations
    left = pane.rows.region.x
    rows = tui.screen[pane.rows.region.y :][: len(pane.rows.keys)]
    return "".join(row.ljust(left + 1)[left] for row in rows)


def targets(tui: Tui) -> list[str]:
    """The shown names of what an action would be done to."""
    site = tui.app.feeds.world.site
    assert site is not None
    return [site.nodes[name].config.hostname for name in home(tui).targets()]
