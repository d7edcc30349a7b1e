from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves
from tests.driver import Tui, open_tui
from tests.ui.conftest import do, specs
from tests.ui.test_flows import start

FORTY = "".join(f"b8:27:eb:0c:00:{n:02x}\n" for n in range(1, 41))


class Counted:
    """Presses keys and counts them."""

    def __init__(self, tui: Tui) -> None:
        self.tui, self.keys = tui, 0

    async def press(self, *keys: str) -> None:
        self.keys += len(keys)
        await self.tui.press(*keys)


async def test_forty_leaves_in_under_ten_keys_after_the_paste(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        hand = Counted(tui)
        await tui.paste(FORTY)
        await tui.expect("40 ok")
        await hand.press("ctrl+g")
        await tui.expect("create 40 leaves of debian12")
        await tui.awake()
        await hand.press("y")
        await tui.expect("create 40 leaves", "X Stop")
        await tui.expect_jobs_over()
        assert hand.keys == 2
    assert len(Engine(small_site).site().leaves) == 43


async def test_what_forty_leaves_take_is_said_before(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste(FORTY)
        await tui.expect("Bulk leaves", "40 ok", "| debian12 | needs 12M now, 640M at worst, free ")
        await tui.expect("sbc-0c0001 gets 10.77.0.50 ... sbc-0c0028 gets 10.77.0.93")
        await tui.press("enter")
        await tui.expect("The plan", "... 34 more ...", "create 40 leaves", "needs 12M of disk")
        await tui.expect("addresses 10.77.0.50 to 10.77.0.93: 40 the next free one")
        await tui.expect("+ dnsmasq, NBD, TFTP: b8:27:eb:0c:00:01 to b8:27:eb:0c:00:28 (40)")
        await tui.expect("$ sbctui leaf create debian12 --macs macs.csv")
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
        await tui.expect("Bulk leaves", "what becomes of each line stands here")
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
        await tui.press("shift+tab", "shift+tab", "ctrl+u", *"golden")
        await tui.expect_gone("rescue-07 is allocated")
        await tui.expect("1 ok | golden | ")


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
        await tui.expect("read everything again", "2 ok")
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
        await tui.expect("X Stop")
        await tui.until(
            lambda: any(j.done > 5 for j in tui.app.feeds.world.jobs if j.running), "no progress"
        )
        await tui.press("X")
        await tui.expect_jobs_over()
        await tui.expect("stopped")
    made = len(Engine(small_site).site().nodes["debian12"].config.children)
    assert 3 < made < 771


async def test_one_group_for_all_and_the_root_are_remembered(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.paste("b8:27:eb:00:00:01,desk-1\nb8:27:eb:00:00:02,desk-2,own\n")
        await tui.press("shift+tab", *"Room B")
        await tui.expect("group: 'Room B' can't be a name")
        await tui.press("ctrl+u", *"room-b", "shift+tab", "ctrl+u", *"golden")
        await tui.expect("2 ok | golden |")
        await tui.press("enter")
        await start(tui, "create 2 leaves of golden")
        await tui.press("escape")
        await tui.expect("1 Tree")
        await tui.press("slash", *"nothing", "enter", "b")
        await tui.expect("Leaves of root: golden", "Group for all: room-b")
    nodes = Engine(small_site).site().nodes
    assert nodes["b8-27-eb-00-00-01"].config.group == "room-b"
    assert nodes["b8-27-eb-00-00-02"].config.group == "own"


async def test_a_file_with_a_heading_is_read(small_site: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "boards.csv"
    rows = [f"pi-{n:02};{n};dc:a6:32:20:{n >> 8:02x}:{n & 255:02x}" for n in range(1, 5001)]
    sheet.write_bytes("\r\n".join(["Name;Nr;MAC address", *rows, ""]).encode("utf-16"))
    async with open_tui(small_site) as tui:
        await tui.press("b", "ctrl+r")
        await tui.expect("Lines of a file")
        await tui.press("enter")
        await tui.expect("name the file")
        await tui.type(str(tmp_path / "boa"))
        await tui.until(
            lambda: tui.app.screen.query_one("#path")._suggestion.endswith("boards.csv"),
            "the path is not completed",
        )
        await tui.press("right", "enter")
        await tui.expect("4997 ok  3 bad", within=30)
        await tui.expect("! the pool 10.77.0.50-10.77.3.250 is full; widen it in site.toml")
        assert tui.app.screen.editor.text.startswith("Name;Nr;MAC address\npi-01;1;")
        await tui.press("ctrl+n")
        await tui.expect("line 2: ! bad name pi-01", "taken by")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x7fELF\0\0", "is no text"),
        (b"x" * 17 * 1024**2, "larger than 16 MiB"),
        (None, "no file"),
    ],
)
async def test_what_is_no_list_is_refused_where_it_is_named(
    small_site: Path, tmp_path: Path, data: bytes | None, said: str
) -> None:
    path = tmp_path / "x"
    if data is not None:
        path.write_bytes(data)
    async with open_tui(small_site) as tui:
        await tui.press("b", "ctrl+r")
        await tui.expect("Lines of a file")
        await tui.paste(str(path))
        await tui.expect(said)
        await tui.press("enter")
        await tui.expect(said, "Lines of a file")
        await tui.press("escape")
        await tui.expect("Bulk leaves")


FIVE_HUNDRED = "".join(f"b8:27:eb:0d:{n >> 8:02x}:{n & 255:02x}\r\n" for n in range(500))


async def test_five_hundred_lines_pasted_anywhere_are_boards_to_make(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("n")
        await tui.expect("Create a root")
        await tui.type("half-typed")
        await tui.paste(FIVE_HUNDRED)
        await tui.expect("Bulk leaves", "500 ok")
        await tui.press("shift+tab")
        await tui.paste(FIVE_HUNDRED.replace(":0d:", ":0e:"))
        await tui.expect("1000 ok")
        await tui.paste(FIVE_HUNDRED)
        await tui.expect("1000 ok  500 bad")
        await tui.press("escape")
        await tui.expect("Create a root", "half-typed")
        await tui.press("escape")
        await tui.expect("1 Tree")
        await tui.press("b")
        await tui.expect("1000 ok  500 bad")


async def test_a_console_that_only_looks_takes_no_paste(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        tui.app.read_only = True
        await tui.paste(FORTY)
        await tui.expect("not possible", "opened with --read-only")
        assert "Bulk" not in tui.screen[0]
