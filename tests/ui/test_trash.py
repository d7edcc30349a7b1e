"""What was deleted: shown, read, brought back, purged."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.model.repository import SIDE_FILES
from sbctui.engine.model.requests import (
    DeleteImages,
    DeleteLeaves,
    DeleteRoot,
    ExportRoot,
    IndexRepository,
)
from sbctui.screens.plan import PlanScreen
from tests.driver import open_tui
from tests.ui.conftest import do, specs


async def test_an_empty_trash_says_what_comes_there(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("t")
        await tui.expect("the trash is empty; what D deletes comes here for 14 days")
        await tui.expect("(f Restore)", "(P Purge)", "(z Undo)", "(enter Open)", "(space Mark)")
        await tui.press("P")
        await tui.expect("not possible", "the trash is empty, so nothing can be")
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_entries_are_told_and_marked_ones_come_back_without_a_question(
    small_site: Path,
) -> None:
    do(small_site, DeleteLeaves(root="debian12", macs=tuple(s.mac for s in specs(3))))
    async with open_tui(small_site) as tui:
        await tui.press("t")
        await tui.expect("NAME", "ROOT", "KIND", "LEFT", "pi-01", "debian12", "leaf", "13d")
        await tui.press("enter")
        await tui.expect(
            "Deleted: pi-", "nodes/dc-a6-32-0a-00-0", "by itself in 13d, after 14 days"
        )
        await tui.press("escape", "asterisk")
        await tui.expect("3 marked")
        await tui.press("U", "g", "space", "space", "f")
        await tui.until(lambda: len(Engine(small_site).site().leaves) == 2, "two did not come back")
        assert not isinstance(tui.app.screen, PlanScreen)
        await tui.expect("restore dc-a6-32-0a-00-0")


async def test_undo_brings_the_last_delete_back_whole(small_site: Path) -> None:
    do(
        small_site,
        DeleteLeaves(root="debian12", macs=(specs(1)[0].mac,)),
        DeleteLeaves(root="debian12", macs=tuple(s.mac for s in specs(2, 2))),
    )
    async with open_tui(small_site) as tui:
        await tui.press("t", "z")
        await tui.until(
            lambda: len(Engine(small_site).site().leaves) == 2, "they did not come back"
        )
        await tui.expect("Trash  1,")


async def test_purging_wants_the_name_typed(small_site: Path) -> None:
    do(small_site, DeleteRoot(name="golden"))
    async with open_tui(small_site) as tui:
        await tui.press("t", "P")
        await tui.expect("The plan", "type golden and Enter to start", "frees")
        await tui.awake()
        await tui.press("y", "enter")
        await tui.expect("that is not golden")
        await tui.press("ctrl+u", *"golden", "enter")
        await tui.expect("the trash is empty")
    assert not Engine(small_site).site().trash


async def test_what_can_not_come_back_says_why(small_site: Path) -> None:
    do(
        small_site,
        DeleteLeaves(root="debian12", macs=tuple(s.mac for s in specs(3))),
        DeleteRoot(name="debian12"),
    )
    async with open_tui(small_site) as tui:
        await tui.press("t")
        await tui.expect("debian12 ", "root")
        await tui.press("G", "f")
        await tui.expect("not possible", "can't come back")


async def test_an_image_is_one_entry_with_its_side_files(small_site: Path) -> None:
    engine = Engine(small_site)
    place = "lab/a-folder-with-a-long-name/golden.tar.zst"
    target = engine.target(f"repo:{place}")
    do(small_site, ExportRoot(name="golden", target=target), IndexRepository())
    do(small_site, DeleteImages(images=(place,)))
    index = small_site / "repo/index.json"
    assert place not in index.read_text()
    async with open_tui(small_site) as tui:
        await tui.press("t")
        await tui.expect("Trash  1,", "a-folder-with-a-long-name/golden.tar.zst", "image")
        await tui.press("enter")
        await tui.expect("with it", ".sha256", "repo/images/lab/a-folder")
        await tui.press("escape", "P")
        await tui.expect("type golden.tar.zst and Enter", "purge 1 entry of the trash")
        await tui.press("escape", "f")
        await tui.expect(f"restore repo:{place}: done")
        await tui.expect("the trash is empty")
    there = small_site / "repo/images" / place
    assert {p.name.removeprefix(there.name) for p in there.parent.iterdir()} == {"", *SIDE_FILES}
    assert place in index.read_text()
