from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from sbctui.engine.model.requests import EditNode
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Facts, Site
from sbctui.screens.about import DetailScreen
from sbctui.screens.disk_lines import disk_lines
from sbctui.screens.home import HomeScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import MIB, do


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


async def test_what_is_not_possible_says_why(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.expect("(a Alloc)", "(D Delete)", " c Clone ")
        await tui.press("a")
        await tui.expect("not possible", "debian12 has 3 leaves")


async def test_where_there_is_no_room_enter_shows_the_details(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j", "enter")
        await tui.expect("site > debian12 > pi-01", "dc-a6-32-0a-00-01", "from the name's number")
        await tui.expect("root.qcow2 on debian12, overlay", "not connected", "config.json")
        await tui.expect("jobs ", "create 3 leaves of debian12")
        screen = tui.app.screen
        assert isinstance(screen, DetailScreen)
        text, _ = screen.copyable()
        assert "MAC      dc:a6:32:0a:00:01" in text
        do(small_site, EditNode(name="dc-a6-32-0a-00-01", notes="do not move"))
        await tui.expect("do not move")
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_the_details_follow_the_cursor_of_the_pane_of_nodes(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.expect("6 Detail", "a root with leaves", "3, 0 up", "config.json")
        await tui.press("2", "j")
        await tui.expect("dc:a6:32:0a:00:02", "pi-02  (dc-a6-32-0a-00-02)")
        await tui.press("6")
        assert tui.app.focused is home(tui).detail.rows
        await tui.expect("pi-02  (dc-a6-32-0a-00-02)", "> pi-02")
        text, what = home(tui).copyable()
        assert "dc:a6:32:0a:00:02" in text
        assert what == "the pane"


async def test_a_folder_that_does_not_answer_is_said_in_its_details_alone(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk's file is a pipe that nobody writes: opening it waits."""
    monkeypatch.setattr("sbctui.screens.looking._LATE", 1)
    disk = small_site / "nodes/dc-a6-32-0a-00-01/root.qcow2"
    async with open_tui(small_site, (160, 48)) as tui:
        disk.unlink()
        os.mkfifo(disk)
        await tui.press("j")
        await tui.expect("no answer for")
        assert "no answer" not in tui.screen[1]
        await tui.press("j")
        await tui.expect("pi-02  (dc-a6-32-0a-00-02)", "root.qcow2  ")
        await tui.expect_gone("no answer for")
        os.close(os.open(disk, os.O_RDWR))


async def test_one_sees_where_one_is(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.until(lambda: "site > debian12 " in tui.screen[0], "no root in the header")
        await tui.press("j")
        await tui.until(lambda: "debian12 > pi-01 " in tui.screen[0], "no leaf in the header")
        assert "RW" in tui.screen[0]


async def test_frozen_panes_stand_still_and_say_so(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("p")
        await tui.expect("FROZEN since ")
        do(small_site, EditNode(name="dc-a6-32-0a-00-03", alias="renamed-9"))
        seen = tui.app.feeds
        await tui.until(
            lambda: seen.world.site is not None
            and seen.world.site.nodes["dc-a6-32-0a-00-03"].config.alias == "renamed-9",
            "the change was never read",
        )  # fmt: skip
        await tui.pilot.pause()
        assert "pi-03" in tui.text
        assert "renamed-9" not in tui.text
        await tui.press("p")
        await tui.expect("renamed-9", "3 roots 3 leaves")
        await tui.expect_gone("FROZEN")


async def test_what_has_gone_meanwhile_is_not_acted_on_when_frozen(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("p", "j", "space")
        await tui.expect("1 marked")
        assert home(tui).targets() == ("dc-a6-32-0a-00-01",)
        shutil.rmtree(small_site / "nodes/dc-a6-32-0a-00-01")
        await tui.press("r")
        await tui.until(lambda: not home(tui).targets(), "it is still acted on")
        await tui.press("D")
        await tui.expect("not possible")


async def test_sorted_by_every_column_and_kept(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(small_site.parent))
    async with open_tui(small_site) as tui:
        await tui.press("2")
        assert order(tui) == ["pi-01", "pi-02", "pi-03", "rescue-07"]
        await tui.press("s")
        await tui.expect("sort:-name")
        assert order(tui) == ["rescue-07", "pi-03", "pi-02", "pi-01"]
        await tui.press("s", "s", "s")
        await tui.expect("sort:size")
        assert order(tui) == ["rescue-07", "pi-01", "pi-02", "pi-03"]
        await tui.press("s", "s", "s", "s", "s", "S")
        await tui.expect("sort:-root", "kept for the next start")
        kept = small_site.parent / "sbctui/config.toml"
        await tui.until(lambda: kept.exists() and "-root" in kept.read_text(), "not kept")
        await tui.press("5", "s")
        await tui.expect("only the panes 1 and 2 can be sorted")


async def test_the_tree_sorts_its_leaves(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("s")
        await tui.expect("sort:-name")
        names = [row[4:14].strip() for row in tui.screen[2:8]]
        assert names == ["rescue-07", "golden", "debian12", "pi-03", "pi-02", "pi-01"]


async def test_columns_without_room_are_left_out_and_said(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.expect("+3 columns")
        assert "ADDRESS" not in tui.text
        await tui.resize(160, 48)
        await tui.expect("MAC ", "ROOT ", "ADDRESS ", "NOTES")
        await tui.expect_gone(" columns ")
        row = next(row for row in tui.screen if "dc:a6:32:0a:00:02" in row)
        assert "pi-02" in row
        assert "debian12" in row


async def test_columns_are_those_of_the_settings(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(small_site.parent))
    async with open_tui(small_site) as tui:
        tui.app.choose(columns=("name", "address"), sort="-name")
        await tui.expect("ADDRESS", "10.77.0.51", "sort:-name")
        assert "SEEN" not in tui.text
        assert order(tui)[0] == "rescue-07"


async def test_an_empty_site_says_what_to_do(empty_site: Path) -> None:
    async with open_tui(empty_site) as tui:
        await tui.expect(
            "no roots yet: n creates", "no boards yet: n creates a root first", "no jobs yet"
        )
        await tui.expect("nothing has happened", "services start")
        await tui.press("D", "j", "space", "2", "enter")
        await tui.pilot.pause()
        assert "1 Tree" in tui.text


async def test_what_the_cursor_stands_on_can_be_copied(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("j")
        assert home(tui).copyable()[0] == "pi-01 dc:a6:32:0a:00:01 10.77.0.51"
        await tui.press("space", "space")
        text, what = home(tui).copyable()
        assert text.splitlines()[1].startswith("pi-02 dc:a6:32:0a:00:02 ")
        assert what == "2 nodes"
        await tui.press("4", "G")
        assert "create the root" in home(tui).copyable()[0]


async def test_the_status_line_names_the_first_and_counts_the_rest(small_site: Path) -> None:
    for name in ("a", "b"):
        (small_site / "nodes" / name).mkdir()
        (small_site / "nodes" / name / "config.json").write_text("{")
    lost = small_site / "nodes/dc-a6-32-99-00-01"
    shutil.copytree(small_site / "nodes/dc-a6-32-0a-00-01", lost)
    config = json.loads((lost / "config.json").read_text())
    config |= {"name": lost.name, "mac": "dc:a6:32:99:00:01", "alias": "lost"}
    (lost / "config.json").write_text(json.dumps(config))
    (small_site / "nodes/golden/root.img").unlink()
    async with open_tui(small_site, (60, 16)) as tui:
        await tui.until(
            lambda: "! 1 orphan  ! 2 broken " in tui.screen[-2], "the broken are not named"
        )
        assert "more" in tui.screen[-2]
        assert "o: audit" in tui.screen[-2]
        await tui.resize(160, 48)
        await tui.expect("! services stopped", "missing")


def test_where_free_space_goes_is_said_once_there_is_something_to_say() -> None:
    def lines(free: list[int], every: float = 600.0) -> str:
        facts = Facts(total_bytes=1000 * MIB, free_bytes=free[-1])
        site = Site(Path("/s"), Settings(), facts=facts)
        samples = [(i * every, f) for i, f in enumerate(free)]
        return "\n".join("".join(t for t, _ in line) for line in disk_lines(site, samples, 100))

    assert "free in" not in lines([500 * MIB])
    assert "free in" not in lines([500 * MIB, 500 * MIB])
    assert "free in" not in lines([500 * MIB, 400 * MIB], every=60.0)
    told = lines([500 * MIB, 450 * MIB, 400 * MIB])
    assert "used  [____________===========#]" in told
    assert "100M less free in 20m, full in 1h at this rate" in told
    assert "100M more free in 10m" in lines([400 * MIB, 500 * MIB])


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


def home(tui: Tui) -> HomeScreen:
    """The home screen."""
    screen = tui.app.screen
    assert isinstance(screen, HomeScreen)
    return screen


def order(tui: Tui) -> list[str]:
    """The names of the allocations from above."""
    site = tui.app.feeds.world.site
    assert site is not None
    keys = home(tui).allocations.rows.keys
    return [site.nodes[key.partition(":")[2]].config.hostname for key in keys]


@pytest.mark.parametrize("pane", ["1", "2", "3", "5"])
async def test_keys_have_a_pane_again_after_a_terminal_that_was_too_small(
    small_site: Path, pane: str
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press(pane)
        await tui.resize(59, 15)
        await tui.expect("sbctui needs 60x16")
        await tui.resize(60, 16)
        await tui.until(lambda: tui.app.focused is not None, "keys go nowhere")
        before = tui.screen[0]
        await tui.press("j")
        await tui.until(lambda: tui.screen[0] != before, "the cursor stands still")
