"""What must not happen: escapes on the terminal, a frozen screen, a fault that ends the app."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.site import Seen
from sbctui.messages import World
from tests.driver import open_tui
from tests.ui.terminal import open_pty

HOSTILE = (
    "\x1b[2J\x1b[31mred", "\x1b]52;c;ZXZpbA==\x07", "[bold red]markup[/]", "a\nb\rc\td",
    "\u202eevil\u2066", "\x9b31m", "[@click=app.quit]x[/]", "\x00\x08\x7f", "日本\u0301",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_notes_and_folders_are_shown_as_text(small_site: Path, text: str) -> None:
    config = small_site / "nodes/debian12/config.json"
    node = json.loads(config.read_text())
    node["notes"] = text
    config.write_text(json.dumps(node))
    stray = small_site / "nodes" / text.replace("/", "_").replace("\x00", "0")
    stray.mkdir()
    async with open_tui(small_site, (160, 48)) as tui:
        for keys in (["k", "l"], ["j", "enter", "escape"], ["o"], ["escape", "question_mark"]):
            await tui.press(*keys)
            await tui.pilot.pause()
            shown = tui.text
            assert not any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in shown)
            assert not set(shown) & {"\u202e", "\u2066"}
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_a_hostile_board_is_a_row(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        feeds = tui.app.feeds
        site = feeds.world.site
        assert site is not None
        evil = Seen("dc:a6:32:99:99:99", 0.0, site.facts.now, 3, "\x1b]0;owned\x07[red]x")
        facts = type(site.facts)(**{**_fields(site.facts), "seen": (evil,)})
        feeds._feeds.clear()
        feeds._tell(site=site.with_facts(facts))
        await tui.expect("dc:a6:32:99:99:99 (none)", "asks for an address: no node")
        await tui.press("2", "g", "enter")
        await tui.expect("\\x1b]0;owned\\x07[red]x")
        await tui.press("escape", "b")
        await tui.expect("Bulk leaves", "dc:a6:32:99:99:99", "1 ok")


def _fields(facts: object) -> dict[str, object]:
    return {name: getattr(facts, name) for name in facts.__slots__}  # type: ignore[attr-defined]


def test_nothing_but_our_own_sequences_reaches_the_terminal(small_site: Path) -> None:
    for text in HOSTILE:
        (small_site / "nodes" / text.replace("/", "_").replace("\x00", "0")).mkdir()
    tui = open_pty(small_site)
    try:
        tui.until("services stopped")
        tui.send("kl")
        tui.read(1.0)
        tui.send("o")
        tui.until("Audit")
        tui.read(1.0)
        assert "red" in tui.screen.text
        assert not tui.screen.unknown
    finally:
        tui.send("\x1b")
        tui.read(0.5)
        tui.send("q")
        try:
            assert tui.ended() == 0
        finally:
            tui.close()


async def test_a_call_that_hangs_freezes_only_its_own_pane(small_site: Path) -> None:
    gate = threading.Event()
    async with open_tui(small_site) as tui:
        (feed,) = (f for f in tui.app.feeds._feeds if f.name == "services")
        feed.fetch = gate.wait
        feed.due = 0.0
        await tui.expect("no answer for", within=10)
        began = time.monotonic()
        await tui.press("j", "2", "j", "1", "question_mark")
        await tui.expect("Keys")
        assert time.monotonic() - began < 2
        await tui.press("escape")
        gate.set()
        del feed.fetch
        feed.fetch = lambda: tui.app.feeds.engine.control.status()
        await tui.expect_gone("no answer for")


ASKED = {"site", "jobs", "services", "boots", "audit"}
"""What home asks for all the time."""


async def test_leaving_does_not_wait_for_a_call_that_hangs(small_site: Path) -> None:
    gate = threading.Event()
    began = 0.0
    async with open_tui(small_site) as tui:
        asked = [feed for feed in tui.app.feeds._feeds if feed.name in ASKED]
        assert len(asked) == len(ASKED)
        for feed in asked:
            feed.fetch = gate.wait
            feed.due = 0.0
        await tui.until(lambda: all(feed.began for feed in asked), "they rest")
        began = time.monotonic()
        await tui.press("q")
        await tui.until(lambda: tui.app._exit, "it did not leave")
    assert time.monotonic() - began < 3
    gate.set()


async def test_a_fault_is_saved_and_shown_and_the_app_goes_on(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(small_site.parent / "home"))
    async with open_tui(small_site) as tui:

        async def fault() -> None:
            raise ZeroDivisionError("planted\x1b[31m")

        tui.app.background(fault())
        await tui.expect("a fault in sbctui; it goes on", "ZeroDivisionError: planted")
        tui.app.screen.call_later(lambda: 1 // 0)
        await tui.until(lambda: len(tui.app.crashes) == 2, "the second one is lost")
        await tui.press("j", "question_mark")
        await tui.expect("Keys")
        first = tui.app.crashes[0]
        assert "planted" in first.read_text()
        assert first.stat().st_mode & 0o077 == 0
        tui.app.crashes.clear()


async def test_where_there_is_no_site_one_is_offered(site_path: Path) -> None:
    async with open_tui(site_path, ready=False) as tui:
        await tui.expect("There is no site here yet", "$ sbctui --site")
        await tui.press("down")
        await tui.type("10.77.0.0/99")
        await tui.expect("is not a subnet")
        await tui.press("ctrl+u", *"10.77.0.0/24", "down", *"10.77.0.50-10.77.0.60")
        await tui.expect("--subnet", "10.77.0.0/24", "--pool", "10.77.0.50-10.77.0.60")
        await tui.expect("enter make the site")
        await tui.press("enter")
        await tui.expect("0 roots 0 leaves", "1 Tree")
        assert (site_path / "site.toml").exists()


async def test_leaving_the_offer_makes_nothing(site_path: Path) -> None:
    async with open_tui(site_path, ready=False) as tui:
        await tui.expect("There is no site here yet")
        await tui.press("escape")
        await tui.until(lambda: tui.app._exit, "it did not leave")
    assert not site_path.exists() or not list(site_path.iterdir())


async def test_a_broken_site_is_never_made_anew(small_site: Path) -> None:
    (small_site / "site.toml").write_text("[network\n")
    async with open_tui(small_site, (160, 48), ready=False) as tui:
        await tui.expect("can't be read", "mend", " ? Help ", "(n New)")
        await tui.press("5", "G", "enter")
        await tui.expect("mend")
        assert "There is no site" not in tui.text
    assert (small_site / "site.toml").read_text() == "[network\n"


async def test_a_site_on_a_read_only_file_system_says_so(small_site: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    for folder in (small_site, small_site / "nodes"):
        folder.chmod(0o555)
    async with open_tui(small_site) as tui:
        await tui.expect(" RO")


async def test_old_worlds_are_dropped_for_the_newest(small_site: Path) -> None:
    """A slow screen is told of the newest world only, so it never falls behind."""
    async with open_tui(small_site) as tui:
        home = tui.app.screen
        for number in range(50):
            tui.app._publish(World(small_site, site=home.world.site, log_first=number))
        await tui.until(lambda: home.world.log_first in (0, 49), "an old world is shown")
        assert Engine(small_site).site().nodes
