from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.rules import READ_ONLY
from sbctui.port import Verb
from sbctui.screens.palette import Entry, found, verb_entries
from sbctui.screens.palette import PaletteScreen as Palette
from tests.driver import Tui, open_tui


async def palette(tui: Tui) -> Palette:
    await tui.press("ctrl+p")
    await tui.until(lambda: isinstance(tui.app.screen, Palette), "no palette")
    await tui.expect("What do you want to do?", "enter do it")
    assert isinstance(tui.app.screen, Palette)
    return tui.app.screen


def test_the_nearest_comes_first() -> None:
    known = [
        Entry("undo", "z", "Bring back what the last delete took", "undo"),
        Entry("root delete", ":", "Move the root NAME to the trash", "root delete"),
        Entry("delete", "D", "Move it to the trash", "delete"),
        Entry("deallocate", "A", "Take MAC and address away", "deallocate"),
    ]
    assert [e.name for e in found(known, "del")] == ["delete", "root delete", "undo", "deallocate"]
    assert [e.name for e in found(known, "dlc")] == ["deallocate"]
    assert [e.name for e in found(known, "trash move")] == ["root delete", "delete"]
    assert [e.name for e in found(known, "")] == [e.name for e in known]
    assert found(known, "nowhere") == []


def test_verbs_that_change_are_not_possible_in_a_console_that_only_looks() -> None:
    verbs = [Verb("root list", "List", False), Verb("root delete", "Delete", True)]
    assert [e.reason for e in verb_entries(verbs, read_only=True)] == ["", READ_ONLY]
    assert [e.reason for e in verb_entries(verbs, read_only=False)] == ["", ""]


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (160, 48)])
async def test_actions_have_their_keys_and_reasons(small_site: Path, size: tuple[int, int]) -> None:
    async with open_tui(small_site, size) as tui:
        await palette(tui)
        await tui.expect("> create           n      Create a root")
        assert "esc back" in tui.text
        await tui.type("allocate")
        await tui.expect("> allocate         a      not now: debian12 has")


async def test_what_is_chosen_is_done(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await palette(tui)
        await tui.type("audit")
        await tui.expect("> audit")
        await tui.press("enter")
        await tui.until(lambda: type(tui.app.screen).__name__ == "AuditScreen", "no audit")
        await palette(tui)
        await tui.expect("> fix", "fix safe")
        await tui.press("ctrl+p")
        await tui.until(lambda: not isinstance(tui.app.screen, Palette), "still open")


async def test_lists_are_moved_by_it_too(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2")
        rows = tui.app.focused
        await palette(tui)
        await tui.type("last row")
        await tui.expect("> last")
        await tui.press("enter")
        await tui.until(
            lambda: getattr(rows, "cursor", "") == "root:rescue-07", "the cursor stayed"
        )


async def test_what_is_not_possible_stays_and_says_why(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        screen = await palette(tui)
        await tui.type("delete")
        await tui.expect("> delete           D      not now: debian12 has")
        await tui.press("enter", "enter")
        assert tui.app.screen is screen
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_a_verb_goes_on_in_the_line(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await palette(tui)
        await tui.type("node show")
        await tui.expect("> node show")
        await tui.press("enter")
        await tui.expect(":node show")
        await tui.type("golden")
        await tui.press("enter")
        await tui.expect(": node show golden", "unallocated", "exit 0: done")


async def test_in_a_form_it_offers_help_and_no_verbs(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("n")
        await tui.expect("tab next field")
        form = tui.app.screen
        await palette(tui)
        await tui.expect("> help", "not now: a dialog is open; esc leaves it")
        assert "root create" not in tui.text
        await tui.press("enter")
        await tui.expect("Everywhere", "Dialogs", "Go to the next field of a form")
        await tui.press("escape")
        await tui.until(lambda: tui.app.screen is form, "the form is gone")
