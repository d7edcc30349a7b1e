from __future__ import annotations

from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves
from tests.driver import open_tui
from tests.ui.conftest import do, specs
from tests.ui.test_flows import start

FORTY = "".join(f"b8:27:eb:0c:00:{n:02x}\n" for n in range(1, 41))


async def test_forty_leaves_in_under_ten_keys_after_the_paste(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste(FORTY)
        await tui.expect("Bulk leaves", "40 ok", "needs 12M now, 640M at worst, ")
        await tui.press("enter")
        await start(tui, "create 40 leaves of debian12")
        await tui.expect("ok          create 40 leaves of debian12")
        await tui.press("escape")
        await tui.expect("43 leaves")
    assert len(Engine(small_site).site().leaves) == 43


async def test_every_line_has_its_verdict_and_bad_ones_stay(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("b")
        await tui.expect("Bulk leaves", "debian12")
        lines = ["B8-27-EB-00-00-01,desk-1,room-b", "b827.eb00.0001", "dc:a6:32:01:02:03",
                 "b827eb0000", "01:00:5e:00:00:01", "dc:a6:32:0a:00:01"]  # fmt: skip
        await tui.paste("\n".join(lines) + "\n")
        await tui.expect("ok    desk-1", "! bad dup of line 1", "! bad taken by rescue-07")
        await tui.expect("10 hex digits", "a multicast MAC", "there already: sbc-0a0001")
        await tui.expect("1 ok  4 bad  1 there |")
        await tui.press("ctrl+n")
        assert tui.app.screen.editor.cursor_location[0] == 1
        await tui.press("ctrl+n", "ctrl+n", "ctrl+n", "ctrl+n")
        assert tui.app.screen.editor.cursor_location[0] == 1
        tui.app.screen.editor.move_cursor((6, 0))
        await tui.press("enter")
        await start(tui, "create 1 leaf of debian12")
        await tui.expect("0 ok")
        assert "b827eb0000" in tui.app.screen.editor.text
        assert "desk-1" not in tui.app.screen.editor.text
    assert "b8-27-eb-00-00-01" in Engine(small_site).site().nodes


async def test_typed_lines_are_judged_and_enter_breaks_lines(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("b")
        await tui.expect("Bulk leaves")
        await tui.type("dc:a6:32:00:00:[01-28]\ndc:a6:32:01:00:01\n")
        await tui.expect("40 boards, sbc-000001 to", "41 ok")
        await tui.press("up", "up")
        await tui.expect("line 1: ok    40 boards, sbc-000001 to sbc-000028")


async def test_a_refused_root_says_why_under_its_name(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"rescue", "enter")
        await tui.paste("b8:27:eb:00:00:01\n")
        await tui.expect("Leaves of root: rescue-07", "rescue-07 is allocated to")
        await tui.press("enter")
        await tui.expect("not possible")
        await tui.press("shift+tab", "ctrl+u", *"golden")
        await tui.expect_gone("rescue-07 is allocated")
        await tui.expect("1 ok | ")


async def test_what_failed_stands_ready_to_retry(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste("b8:27:eb:00:00:01,desk-1\nb8:27:eb:00:00:02,desk-2\n")
        await tui.expect("2 ok")
        await tui.press("enter")
        await tui.expect("The plan", "create 2 leaves")
        do(small_site, CreateLeaves(root="golden", leaves=specs(1, 99, "desk")))
        in_the_way = small_site / "nodes/b8-27-eb-00-00-02"
        in_the_way.mkdir()
        (in_the_way / "x").write_text("x")
        await start(tui, "create 2 leaves")
        await tui.expect("retry ", "failed")
        assert "b8:27:eb:00:00:02,desk-2" in tui.app.screen.editor.text
        (in_the_way / "x").unlink()
        in_the_way.rmdir()
        tui.app.do("reload", (), ())
        await tui.expect("read everything again")
        await tui.press("enter")
        await start(tui, "create 2 leaves")
        await tui.until(lambda: not tui.app.screen.editor.text.strip(), "something is left")
    assert len(Engine(small_site).site().nodes["debian12"].config.children) == 5


async def test_a_draft_is_there_again(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste("b8:27:eb:00:00:01\nb8:27:eb:00:0")
        await tui.expect("1 ok  1 bad")
        await tui.press("escape")
        await tui.expect("1 Tree")
        await tui.press("b")
        await tui.expect("1 ok  1 bad")


async def test_a_thousand_lines_are_judged_at_once(small_site: Path) -> None:
    text = "".join(f"b8:27:eb:0d:{n >> 8:02x}:{n & 255:02x}\n" for n in range(1000))
    async with open_tui(small_site) as tui:
        await tui.paste(text)
        await tui.expect("1000 ok", within=5)
        await tui.expect("ok    sbc-0d03e7")


async def test_cancel_from_the_bulk_screen_keeps_what_is_done(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste("dc:a6:32:55:[0000-02ff]\n")
        await tui.expect("768 ok")
        await tui.press("enter")
        await tui.expect("The plan", "create 768 leaves", "... 7")
        await tui.awake()
        await tui.press("y")
        await tui.expect("X stop the job")
        await tui.until(
            lambda: any(j.done > 5 for j in tui.app.feeds.world.jobs if j.running), "no progress"
        )
        await tui.press("X")
        await tui.expect_jobs_over()
        await tui.expect("stopped")
    made = len(Engine(small_site).site().nodes["debian12"].config.children)
    assert 3 < made < 771
