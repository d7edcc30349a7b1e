"""The forms: judged as one types, completed, told ahead, with the equal command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import EditNode, ExportRoot
from sbctui.engine.model.site import Seen, Session, Site
from sbctui.screens.form import Form, FormScreen
from sbctui.screens.plan import PlanScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import do
from tests.ui.test_flows import site, start, starts_at_once

BOARD = "e4:5f:01:00:00:77"


def imagine(tui: Tui, change: Callable[[Site], Site]) -> None:
    """Let the console see a site whose boards do something; what is on disk stays."""
    feeds = tui.app.feeds
    feeds._feeds.clear()
    feeds._tell(site=change(site(tui)))


def asks(found: Site) -> Site:
    seen = (Seen(BOARD, 0.0, found.facts.now, 3),)
    return found.with_facts(replace(found.facts, seen=seen))


def runs(found: Site) -> Site:
    sessions = (Session("dc-a6-32-0a-00-01", "10.77.0.51", 0.0),)
    return found.with_facts(replace(found.facts, sessions=sessions))


async def test_one_leaf_from_a_board_that_asks(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        imagine(tui, asks)
        await tui.expect(BOARD)
        await tui.press("L")
        await tui.expect("Create a leaf", f"asking now: {BOARD}", "right completes", "debian12")
        await tui.expect("$ sbctui leaf create debian12 MAC")
        await tui.press("right")
        await tui.expect("10.77.0.50: the next free one", f"leaf create debian12 {BOARD}")
        await tui.press("tab", "tab", *"desk-9")
        await tui.expect("10.77.0.59: the number at the end of its name")
        await tui.press("tab", *"room-b", "tab", *"10.77.0.1")
        await tui.expect("10.77.0.1 is the server's own address")
        await tui.press("ctrl+u", *"10.77.1.9")
        await tui.expect("10.77.1.9: as given", f"{BOARD},desk-9,room-b --ip")
        await tui.press("enter")
        await tui.expect("The plan", "create 1 leaf of debian12")
        await tui.awake()
        await tui.press("y")
        node = small_site / "nodes/e4-5f-01-00-00-77/config.json"
        await tui.until(node.exists, "no leaf")
    made = Engine(small_site).site().nodes["e4-5f-01-00-00-77"].config
    assert (made.alias, made.group, str(made.ip)) == ("desk-9", "room-b", "10.77.1.9")


async def test_an_allocation_says_which_address_and_rule(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "a")
        await tui.expect(
            "Allocate golden", "as printed on the board", "root allocate golden --mac MAC"
        )
        await tui.type("E45F-0100")
        await tui.expect("is not a MAC (8 hex digits)")
        await tui.press("ctrl+u", *"e45f01000078")
        await tui.expect("10.77.0.50: the next free one", "golden --mac e4:5f:01:00:00:78")


async def test_what_is_against_all_of_it_is_said_before_enter(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("n")
        await tui.expect("Create a root")
        await tui.press(*"huge", "tab", "ctrl+u", *"60T")
        await tui.expect("this needs", "--size 60T")


async def test_a_root_and_a_leaf_get_other_names(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "N")
        await tui.expect("Rename golden", "New name")
        await tui.type("rescue-07")
        await tui.expect("there is a node rescue-07 already")
        await tui.press("ctrl+u", *"silver")
        await tui.expect("$ sbctui root rename golden silver")
        await tui.press("enter")
        await start(tui, "it goes back with: sbctui root rename silver golden")
        await tui.until(lambda: "silver" in site(tui).nodes, "it has its old name")
        await tui.press("escape", "slash", *"pi-01", "enter", "j", "N")
        await tui.expect("Rename pi-01", "Alias")
        await tui.press("ctrl+u", *"window", "enter")
        await starts_at_once(tui, "(alias window)")
        await tui.until(lambda: bool(site(tui).by_alias.get("window")), "it has its old name")


async def test_an_orphan_is_attached_to_a_root_that_can_take_it(small_site: Path) -> None:
    config = small_site / "nodes/debian12/config.json"
    config.write_text(config.read_text().replace('"dc:a6:32:0a:00:01": "dc-a6-32-0a-00-01",', ""))
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"pi-01", "enter", "j", "T")
        await tui.expect("Attach pi-01", "debian12", "one of: debian12")
        await tui.press("ctrl+u", *"golden")
        await tui.expect("stands on", "debian12; attach it to that root")
        await tui.press("ctrl+u", *"deb")
        await tui.until(
            lambda: tui.app.screen.query_one("#root")._suggestion == "debian12", "not completed"
        )
        await tui.press("right")
        await tui.expect("leaf attach dc-a6-32-0a-00-01 debian12", "enter do it")
        await tui.press("enter")
        await tui.until(lambda: len(site(tui).listed_by) == 3, "it is an orphan still")


async def test_leaves_boards_run_from_go_only_by_choice(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"debian", "enter")
        imagine(tui, runs)
        await tui.expect("3 up" if "3 up" in tui.text else "debian12")
        await tui.press("W")
        await tui.expect("Delete 3 leaves of debian12", "a board is running from pi-01")
        await tui.expect("(x) no", "they stay while boards run from them")
        await tui.press("enter")
        assert not isinstance(tui.app.screen, PlanScreen)
        await tui.press("space")
        await tui.expect(
            "(x) yes", "these boards lose their root", "leaf delete debian12 --all --cut"
        )
        await tui.press("enter")
        await tui.expect("The plan", "delete 3 leaves", "type 3 and Enter to start")
        await tui.expect("- dnsmasq, NBD, TFTP: dc:a6:32:0a:00:01 to dc:a6:32:0a:00:03 (3)")


async def test_what_was_typed_is_there_when_the_form_opens_again(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "c")
        await tui.expect("Clone golden")
        await tui.press(*"half-a-na", "escape")
        await tui.expect_gone("Clone golden")
        await tui.press("c")
        await tui.expect("Clone golden", "half-a-na", "root clone golden half-a-na")


async def test_a_form_over_a_site_that_changed_asks_again(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"pi-01", "enter", "j", "e")
        await tui.expect("Edit pi-01", "10.77.0.51")
        do(small_site, EditNode(name="dc-a6-32-0a-00-02", alias="taken"))
        await tui.press("ctrl+u", *"taken")
        await tui.expect("the alias taken is taken by dc-a6-32-0a-00-02")


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
async def test_the_longest_form_keeps_its_field_in_view(
    small_site: Path, size: tuple[int, int]
) -> None:
    async with open_tui(small_site, size) as tui:
        await tui.press("L")
        await tui.expect("Create a leaf")
        for label in ("MAC", "Root", "Alias", "Group", "Address"):
            await tui.until(lambda label=label: label in tui.text, f"{label} is out of view")
            await tui.press("tab")
        await tui.expect("MAC")


async def test_a_form_that_is_left_while_it_looks_is_not_asked_any_more(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.expect("Import a root")
        form = tui.app.screen
        assert isinstance(form, FormScreen)
        await tui.press("escape")
        await tui.until(lambda: not form.is_attached, "it stays")
        assert form.values["unverified"] == "no"


def said_under(tui: Tui, field: str) -> str:
    """What stands under a field of the form on top."""
    screen = tui.app.screen
    assert isinstance(screen, Form)
    said = screen._reasons[field]._said
    return said[1][0] if said else ""


async def expect_under(tui: Tui, field: str, words: str) -> None:
    await tui.until(lambda: words in said_under(tui, field), f"{words!r} is not under {field}")
    screen = tui.app.screen
    assert isinstance(screen, Form)
    assert not screen.said.display


async def test_what_only_the_plan_finds_is_said_under_its_field(small_site: Path) -> None:
    """A level that its compression has not, a file that is there, a folder that is not."""
    (small_site.parent / "there.tar.zst").write_text("precious")
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "x", "ctrl+u")
        await tui.type(str(small_site.parent / "there.tar.zst"))
        await expect_under(tui, "target", "is there already; name another file")
        await tui.press("enter")
        await tui.until(lambda: tui.app.focused.id == "target", "another field has the cursor")
        await tui.press("tab", "tab", *"22", "enter")
        await expect_under(tui, "level", "zstd has no level 22; give one from 1 to 19")
        assert "already" not in said_under(tui, "target")
        await tui.press("shift+tab", "shift+tab", "ctrl+u", *"/nowhere/x", "enter")
        await expect_under(tui, "target", "there is no folder '/nowhere'")
        await tui.press("ctrl+u")
        await tui.type(str(small_site.parent / "free.tar.zst"))
        await expect_under(tui, "level", "zstd has no level 22")
        await tui.press("tab", "tab", "ctrl+u", *"3")
        await expect_under(tui, "target", "free there")


@pytest.mark.parametrize(
    ("opening", "keys", "field", "words"),
    [
        ("n", ("n", "e", "w", "tab", "ctrl+u", *"64T"), "size", "this needs"),
        ("m", tuple("/nowhere/a.tar"), "archive", "there is no '/nowhere/a.tar'"),
        ("B", ("enter",), "arch", "say with --arch which it is"),
    ],
)
async def test_other_forms_say_it_under_the_field_as_well(
    small_site: Path, opening: str, keys: tuple[str, ...], field: str, words: str
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", opening)
        await tui.until(lambda: isinstance(tui.app.screen, Form), "no form")
        await tui.press(*keys)
        await expect_under(tui, field, words)


async def test_an_archive_of_a_node_is_no_image_to_fill_a_root_from(small_site: Path) -> None:
    file = small_site.parent / "golden.tar.zst"
    do(small_site, ExportRoot(name="golden", target=Engine(small_site).target(str(file))))
    async with open_tui(small_site) as tui:
        await tui.press("n", *"again", "tab", "tab")
        await tui.type(str(file))
        await expect_under(tui, "from", "this is an archive of a node: leave this form, and")
        await tui.press("enter")
        await tui.settled()
        assert isinstance(tui.app.screen, FormScreen)
