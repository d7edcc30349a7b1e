from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from sbctui.engine.model.requests import EditNode
from tests.driver import open_tui
from tests.ui.conftest import do


async def test_a_glance_says_what_there_is_and_what_is_wrong(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.expect("3 roots 3 leaves 0 up", "debian12", "golden", "pi-01", "rescue-07")
        await tui.expect("! services stopped", "services start")
        assert tui.screen[0].startswith(" sbctui  site")
        assert "dc:a6:32:01:02:03" in tui.text
        assert tui.screen[-1].startswith(" ? Help")


async def test_an_orphan_is_counted_on_the_first_screen(small_site: Path) -> None:
    config = small_site / "nodes/debian12/config.json"
    root = json.loads(config.read_text())
    root["children"].pop("dc:a6:32:0a:00:02")
    config.write_text(json.dumps(root))
    async with open_tui(small_site) as tui:
        await tui.expect("! 1 orphan ", "> ! orphans")
        await tui.press("k", "enter")
        await tui.expect("v ! orphans", "pi-02")


async def test_roots_open_and_close(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.expect("v debian12")
        await tui.press("j", "j", "h")
        await tui.expect("> debian12")
        assert "pi-01" not in [row[:28] for row in tui.screen]
        await tui.press("l")
        await tui.expect("v debian12")


async def test_the_filter_narrows_as_it_is_typed(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash")
        await tui.type("pi-0")
        await tui.expect("/pi-0_")
        await tui.type("2")
        await tui.until(lambda: "dc:a6:32:0a:00:01" not in tui.text, "the filter did nothing")
        assert "dc:a6:32:0a:00:02" in tui.text
        await tui.press("enter")
        await tui.expect("/pi-02 ")
        await tui.press("escape")
        await tui.expect("dc:a6:32:0a:00:01")


async def test_filters_by_field_and_not(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash")
        await tui.type("root:debian12 !pi-02")
        await tui.until(lambda: not any("01:02:03" in row for row in tui.screen[:9]), "no root:")
        assert "dc:a6:32:0a:00:01" in tui.text
        assert "dc:a6:32:0a:00:02" not in tui.text


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
        await tui.expect("1 mark dropped")
        await tui.expect_gone("1 marked")


async def test_what_is_not_possible_says_why(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.expect("(a Alloc)", "(D Delete)", " c Clone ")
        await tui.press("a")
        await tui.expect("not possible", "debian12 has 3 leaves")


async def test_details_of_a_node(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "enter")
        await tui.expect("dc-a6-32-0a-00-01", "from the name's number", "on debian12, overlay")


async def test_another_process_changes_the_site(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.expect("pi-03")
        do(small_site, EditNode(name="dc-a6-32-0a-00-03", alias="renamed-9"))
        began = time.monotonic()
        await tui.expect("renamed-9", within=5)
        assert time.monotonic() - began < 5


async def test_sizes_from_60x16_up(small_site: Path) -> None:
    async with open_tui(small_site, (60, 16)) as tui:
        await tui.expect("1 Tree", "2 Allocations", "! services")
        assert "3 Disk" not in tui.text
        await tui.press("3")
        await tui.expect("disk is not shown at this size")
        await tui.resize(59, 16)
        await tui.expect("sbctui needs 60x16, this terminal is 59x16")
        await tui.resize(160, 48)
        await tui.expect("Detail", "ADDRESS", "5 Log", "10.77.0.51")
        assert all(len(row) <= 160 for row in tui.screen)


async def test_panes_are_focused_by_number(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        for key, pane in (("2", "allocations"), ("4", "jobs"), ("5", "log"), ("1", "tree")):
            await tui.press(key)
            focused = tui.app.focused
            assert focused is not None
            assert focused.id == f"{pane}-rows"
        await tui.press("escape", "escape")
        await tui.expect("1 Tree")
