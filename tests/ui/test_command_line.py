from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import DeleteLeaves
from sbctui.engine.rules import READ_ONLY
from sbctui.screens.ask import AskScreen
from sbctui.screens.command_line import CommandLine
from sbctui.screens.typed import Completion, History, begun, found_before, words_of
from tests.driver import Tui, open_tui
from tests.ui.conftest import do, specs


@pytest.fixture(autouse=True)
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/sbctui/history"


async def line(tui: Tui, text: str, *keys: str) -> None:
    """Open the line, type into it, and press keys."""
    await tui.press("colon")
    await tui.until(lambda: isinstance(tui.app.screen, CommandLine), "no line")
    await tui.expect("tab: completes")
    await tui.type(text)
    await tui.press(*keys)


def typed(tui: Tui) -> str:
    assert isinstance(tui.app.screen, CommandLine)
    return tui.app.screen.input.value


# ── the line taken apart ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "words", "word", "start"),
    [
        ("", [], "", 0),
        ("ro", [], "ro", 0),
        ("root ", ["root"], "", 5),
        ("root create --si", ["root", "create"], "--si", 12),
        ('leaf edit "pi 1" --no', ["leaf", "edit", "pi 1"], "--no", 17),
        ('leaf edit "pi', ["leaf", "edit"], "pi", 10),
        ("leaf edit my\\ na", ["leaf", "edit"], "my na", 10),
        ("sbctui root ", ["root"], "", 12),
        (":root li", ["root"], "li", 6),
    ],
)
def test_a_half_typed_line(text: str, words: list[str], word: str, start: int) -> None:
    assert begun(text) == (words, word, start)


def test_a_quote_that_is_open_is_told() -> None:
    assert words_of("leaf edit x --notes 'two words'") == [
        "leaf",
        "edit",
        "x",
        "--notes",
        "two words",
    ]
    with pytest.raises(ValueError, match="a quote is open"):
        words_of("leaf edit x --notes 'two")


def test_completing_goes_as_far_as_all_agree_and_then_round() -> None:
    begun = Completion("root de", 5, (("deallocate", "take away"), ("delete", "to the trash")))
    assert begun.line == "root de"
    assert [begun.turned(1).line, begun.turned(1).turned(1).line] == [
        "root deallocate",
        "root delete",
    ]
    assert begun.turned(-1).line == "root delete"
    assert Completion("node show g", 10, (("golden", ""),)).line == "node show golden "
    assert Completion("x --from /et", 9, (("/etc/", ""),)).line == "x --from /etc/"
    assert Completion("x ", 2, (("a b", ""),)).line == "x 'a b' "


def test_what_was_typed_before() -> None:
    lines = ["root list", "audit", "root show"]
    assert found_before(lines, "root", 3, -1) == 2
    assert found_before(lines, "root", 2, -1) == 0
    assert found_before(lines, "root", 0, -1) == 0
    assert found_before(lines, "root", 2, 1) == 3


def test_history_is_kept_for_the_next_run_and_read_as_text(history: Path) -> None:
    first = History()
    for text in ("root list", "root list", "audit"):
        if first.add(text):
            first.keep(text)
    assert history.stat().st_mode & 0o777 == 0o600
    with history.open("a") as file:
        file.write("\x1b[2Jevil\n")
    again = History()
    again.load()
    assert again.lines == ["root list", "audit", "\\x1b[2Jevil"]


# ── the line in the console ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (160, 48)])
async def test_what_reads_is_shown_with_how_it_ended(
    small_site: Path, size: tuple[int, int]
) -> None:
    async with open_tui(small_site, size) as tui:
        await line(tui, "root list", "enter")
        await tui.expect(": root list", "debian12", "rescue-07", "exit 0: done", "esc back")
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_findings_are_an_outcome_and_no_error(small_site: Path) -> None:
    (small_site / "nodes/golden/config.json").unlink()
    async with open_tui(small_site) as tui:
        await line(tui, "audit -o table", "enter")
        await tui.expect(": audit -o table", "golden", "exit 8: findings")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("root crate x", "No such command 'crate'"),
        ("frobnicate", "No such command 'frobnicate'"),
        ("root create x", "how large shall its disk be? give --size"),
        ("node show 'golden", "a quote is open"),
        ("node show nobody", "there is no node 'nobody'"),
        ("root resize golden 1M", "a disk can only grow"),
        ("--site /x root list", "sbctui --site DIR"),
        ("job follow j1", "Enter on it"),
        ("allocate", "debian12 has 3 leaves"),
    ],
)
async def test_what_is_wrong_stands_above_the_line_and_the_text_stays(
    small_site: Path, text: str, sentence: str
) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, text, "enter")
        await tui.expect(sentence)
        assert typed(tui) == text
        await tui.type("x")
        await tui.expect_gone(sentence)
        await tui.press("escape")
        await tui.expect("! services stopped")


async def test_what_changes_shows_its_plan_and_runs_as_a_job(
    small_site: Path, look: Callable[[], Engine]
) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, "root create new --size 16M --yes", "enter")
        await tui.awake()
        await tui.expect("The plan", "create the root new")
        await tui.press("escape")
        await tui.until(lambda: isinstance(tui.app.screen, CommandLine), "the line is gone")
        assert typed(tui) == "root create new --size 16M --yes"
        assert "new" not in look().site().nodes
        await tui.press("enter")
        await tui.awake()
        await tui.press("y")
        await tui.expect("1 Tree", "4 roots")
    assert "new" in look().site().nodes


async def test_services_are_asked_about(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, "services start", "enter")
        await tui.until(lambda: isinstance(tui.app.screen, AskScreen), "nothing was asked")
        await tui.expect("start the services", "[ Cancel ]")
        await tui.press("escape")
        await tui.expect("not done: start the services was declined")
        assert not tui.app.feeds.world.site.facts.serving


async def test_in_a_console_that_only_looks_nothing_is_changed(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        tui.app.read_only = True
        await line(tui, "services start", "enter")
        await tui.expect(READ_ONLY[:40])
        assert isinstance(tui.app.screen, CommandLine)


async def test_actions_are_commands_too(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, "audit", "enter")
        await tui.until(lambda: type(tui.app.screen).__name__ == "AuditScreen", "no audit")
        await tui.press("escape")
        await tui.expect("1 Tree")
        await tui.press("2")
        await line(tui, "filter root:debian12 !pi-02", "enter")
        await tui.until(lambda: ":0a:00:02" not in tui.text, "nothing was filtered")
        await tui.press("escape")
        await tui.expect(":0a:00:02")
        await line(tui, "q", "enter")
        await tui.until(lambda: tui.app.return_code == 0 or not tui.app.is_running, "still there")


async def test_tab_completes_verbs_names_and_options(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, "roo", "tab")
        await tui.until(lambda: typed(tui) == "root ", "no noun")
        await tui.type("de")
        await tui.press("tab")
        await tui.expect("deallocate  delete")
        await tui.press("tab")
        await tui.until(lambda: typed(tui) == "root deallocate", "the first")
        await tui.press("tab")
        await tui.until(lambda: typed(tui) == "root delete", "the second")
        await tui.press("shift+tab")
        await tui.until(lambda: typed(tui) == "root deallocate", "back")
        await tui.type(" r")
        await tui.press("tab")
        await tui.until(lambda: typed(tui) == "root deallocate rescue-07 ", "no name")
        await tui.type("--no")
        await tui.press("tab")
        await tui.until(lambda: typed(tui) == "root deallocate rescue-07 --no-reboot ", "no option")
        await tui.type("zzz")
        await tui.press("tab")
        await tui.expect("nothing begins so")


async def test_actions_are_completed_with_their_help(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await line(tui, "keep", "tab")
        await tui.until(lambda: typed(tui) == "keep_view ", "no action")


async def test_history_goes_up_and_down_and_stays_for_the_next_run(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        for text in ("root list", "job list"):
            await line(tui, text, "enter")
            await tui.expect("exit 0: done")
            await tui.press("escape")
            await tui.expect("1 Tree")
    async with open_tui(small_site) as tui:
        await line(tui, "")
        await tui.until(lambda: len(tui.app.history.lines) == 2, "nothing was kept")
        await tui.press("up")
        assert typed(tui) == "job list"
        await tui.press("up")
        assert typed(tui) == "root list"
        await tui.press("down", "down")
        assert typed(tui) == ""
        await tui.type("root")
        await tui.press("up")
        assert typed(tui) == "root list"


async def test_hostile_text_is_shown_as_text(small_site: Path) -> None:
    os.rename(small_site / "nodes/golden", small_site / "nodes/x[red]\x1b[2J")
    do(small_site, DeleteLeaves(root="debian12", macs=(specs(3)[2].mac,)))
    async with open_tui(small_site) as tui:
        await line(tui, "audit -o table", "enter")
        await tui.expect("x[red]\\x1b[2J")
        assert "\x1b" not in tui.text
