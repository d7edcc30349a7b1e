from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import sbctui.screens
from sbctui.actions import ACTIONS, Action, of_scope
from sbctui.engine.model.requests import DeleteLeaves
from sbctui.prefs import Prefs
from sbctui.screens.acting import Acting
from sbctui.screens.command_line import CommandLine
from sbctui.screens.palette import PaletteScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import do, specs


def screens() -> list[type[Acting]]:
    """Every screen that has a scope."""
    for module in pkgutil.iter_modules(sbctui.screens.__path__, "sbctui.screens."):
        importlib.import_module(module.name)
    found, left = [], [Acting]
    while left:
        left += (one := left.pop()).__subclasses__()
        if one.__dict__.get("SCOPE"):
            found.append(one)
    return found


def ways(screen: type[object], action: Action) -> bool:
    """Whether a class has the method that does an action."""
    from sbctui.screens.verbs import VERBS

    call = action.call.partition("(")[0]
    if call:
        return hasattr(screen, f"action_{call}")
    return hasattr(screen, f"do_{action.id}") or (action.scope == "home" and action.id in VERBS)


def test_every_action_has_a_way_to_be_done() -> None:
    from sbctui.app import SbcApp
    from sbctui.widgets.rows import Rows

    doers: dict[str, type[object]] = {s.SCOPE: s for s in screens()}
    doers |= {"any": SbcApp, "list": Rows}
    assert {a.scope for a in ACTIONS} - set(doers) == set(), "scopes without a screen"
    assert [a.name for a in ACTIONS if not ways(doers[a.scope], a)] == []


# ── help ──────────────────────────────────────────────────────────────────────────────────


async def test_help_lists_every_action_of_the_screen_with_its_key(small_site: Path) -> None:
    async with open_tui(small_site, (110, 140)) as tui:
        await tui.press("question_mark")
        await tui.expect("Keys", "This screen", "Lists", "Everywhere", "The filter", "Dialogs")
        for scope in ("home", "list", "any"):
            for action in of_scope(scope):
                assert action.help in tui.text, action
        assert "not now: debian12 has 3 leaves" in tui.text
        assert "[keys.home] in config.toml" in tui.text
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_help_scrolls_at_80x24_and_is_there_on_other_screens(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("question_mark")
        await tui.expect("Create a root: empty")
        await tui.press("G")
        await tui.expect("[keys.home] in config.toml")
        await tui.press("escape", "o")
        await tui.until(lambda: type(tui.app.screen).__name__ == "AuditScreen", "no audit")
        await tui.press("question_mark")
        await tui.expect("This screen", "Show the plan that fixes")


async def test_where_letters_are_typed_help_comes_by_the_palette(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("b")
        await tui.expect("Bulk leaves")
        await tui.type("?")
        await tui.press("ctrl+p")
        await tui.until(lambda: isinstance(tui.app.screen, PaletteScreen), "no palette")
        await tui.type("help")
        await tui.expect("> help")
        await tui.press("enter")
        await tui.expect("This screen", "Go to the next line that is wrong")


# ── the footer ────────────────────────────────────────────────────────────────────────────


async def footer(tui: Tui, *words: str) -> None:
    for word in words:
        await tui.until(lambda w=word: w in tui.screen[-1], f"{word!r} is not in the footer")


async def test_the_footer_follows_the_cursor_and_the_pane(small_site: Path) -> None:
    config = small_site / "nodes/debian12/config.json"
    root = json.loads(config.read_text())
    root["children"].pop("dc:a6:32:0a:00:02")
    config.write_text(json.dumps(root))
    async with open_tui(small_site) as tui:
        await footer(tui, " ? Help  n New  c Clone  b Bulk ")
        await tui.press("j")
        await footer(tui, "e Edit  N Rename  D Delete ")
        await tui.press("g", "l", "j")
        await footer(tui, " ? Help  T Attach ")
        await tui.press("4", "G")
        await footer(tui, " ? Help  enter Open  n New ")
        assert "Stop" not in tui.screen[-1]


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 48)])
async def test_the_footer_keeps_what_is_possible_and_fits(
    small_site: Path, size: tuple[int, int]
) -> None:
    async with open_tui(small_site, size) as tui:
        await footer(tui, " ? Help  n New  c Clone  b Bulk ")
        assert len(tui.screen[-1]) <= size[0]
        if size[0] == 60:
            assert "(" not in tui.screen[-1]


# ── keys from the settings ────────────────────────────────────────────────────────────────


def with_keys(keys: Mapping[str, Mapping[str, str]]) -> Prefs:
    return Prefs(keys=keys)


async def test_remapped_keys_act_and_are_shown_everywhere(small_site: Path) -> None:
    keys = {
        "home": {"audit": "O", "create": "C", "clone": "n", "undo": "off", "unfold": "right"},
        "list": {"down": "M,ctrl+j"},
        "any": {"palette": "^t", "command": "!"},
    }
    do(small_site, DeleteLeaves(root="debian12", macs=(specs(3)[2].mac,)))
    async with open_tui(small_site, prefs=with_keys(keys)) as tui:
        await footer(tui, " C New  n Clone ", "O Audit")
        await tui.expect("   O: audit")
        assert "Undo" not in tui.screen[-1]
        cursor = tui.app.screen.focused.cursor
        await tui.press("z", "j", "down", "l")
        await tui.pilot.pause()
        assert tui.app.screen.focused.cursor == cursor
        assert len(tui.app.screen_stack) == 1
        await tui.press("M")
        await tui.until(lambda: tui.app.screen.focused.cursor != cursor, "M does not move")
        await tui.press("exclamation_mark")
        await tui.until(lambda: isinstance(tui.app.screen, CommandLine), "no line")
        await tui.press("escape", "ctrl+t")
        await tui.expect("> create           C ")
        await tui.type("undo")
        await tui.expect("> undo                    Bring back")
        await tui.press("escape", "question_mark")
        await tui.expect("   C            Create a root", "   n            Copy a root")
        await tui.press("escape", "O")
        await tui.until(lambda: type(tui.app.screen).__name__ == "AuditScreen", "no audit")


async def test_keys_that_cannot_be_are_told_and_the_usual_ones_act(small_site: Path) -> None:
    async with open_tui(small_site, prefs=with_keys({"home": {"audit": "n"}})) as tui:
        await tui.expect("keys in config.toml", "n would be home.create", "usual keys are in force")
        await tui.press("o")
        await tui.until(lambda: type(tui.app.screen).__name__ == "AuditScreen", "no audit")
