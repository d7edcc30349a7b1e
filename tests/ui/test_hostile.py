"""Whatever comes from outside is shown as text: on every screen, and byte for byte on the line."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.events import Note
from sbctui.engine.model.requests import DeleteLeaves
from sbctui.engine.model.site import Seen
from sbctui.engine.services.port import Status
from tests.driver import Tui, open_tui
from tests.ui.conftest import do
from tests.ui.terminal import open_pty
from tests.ui.test_audit_screen import unlist
from tests.ui.troubled import failed_job

EVIL = (
    "\x1b[2J\x1b[31mred\x1b]52;c;ZXZpbA==\x07\x1b]0;owned\x1b\\\x1bc\x9b5n\x90q\x9c"
    "[bold red]x[/][@click=app.quit]y[/]\x00\x08\x7f\r\n\tz"
    "\u202eevil\u2066\u2028\u2029\u200b\ufeff\u061c日本e\u0301"
)
FILE_NAME = EVIL.replace("/", "_").replace("\x00", "0")[:80]
LONG = "日本語" * 70
FORBIDDEN = {chr(c) for c in (*range(32), *range(127, 160))} | set(
    "\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_STILL = 0.15
"""Seconds without a byte after which the screen has followed."""
KEYS: tuple[tuple[str, ...], ...] = (
    ("2", "G", "enter", "escape"),
    ("1", "G", "enter", "escape"),
    ("j", "enter", "escape"),
    ("4", "g", "enter", "escape"),
    ("4", "j", "enter", "escape", "escape"),
    ("4", "G", "enter", "G", "escape", "escape"),
    ("5", "G", "enter", "escape"),
    ("1", "g", "e", "escape"),
    ("e", "escape"), ("N", "escape"), ("n", "escape"), ("c", "escape"), ("a", "escape"),
    ("b", "escape", "escape"),
    ("1", "g", "j", "e", "escape"), ("D", "escape"), ("R", "escape"),
    ("o", "G", "enter", "escape", "f", "escape", "K", "escape", "escape", "escape"),
    ("o", "g", "j", "enter", "escape", "K", "escape", "escape", "escape"),
    ("t", "enter", "escape", "P", "escape", "f", "escape", "escape"),
    ("question_mark", "escape"), ("ctrl+p", "escape", "escape"), ("colon", "escape"),
    ("comma", "escape", "escape"), ("y", "escape"), ("W", "escape"), ("z", "escape"),
)  # fmt: skip


@pytest.fixture
def hostile(small_site: Path) -> Path:
    """A site into which somebody wrote whatever may stand in its files."""
    nodes = small_site / "nodes"
    for name, changes in (
        ("debian12", {"notes": EVIL}),
        ("golden", {"notes": LONG}),
        ("dc-a6-32-0a-00-01", {"alias": EVIL, "notes": EVIL}),
        ("dc-a6-32-0a-00-03", {"alias": LONG, "group": EVIL}),
    ):
        file = nodes / name / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    (nodes / FILE_NAME).mkdir()
    (nodes / os.fsdecode(b"surrogate-\xff\xfe")).mkdir()
    (nodes / ("w" + "日" * 80)).mkdir()
    (small_site / f"top {FILE_NAME}").write_text("x")
    with suppress(Exception):
        do(small_site, DeleteLeaves(root="debian12", macs=("dc:a6:32:0a:00:02",)))
    entry = next(iter((small_site / "trash").glob("*")), None)
    if entry is not None:
        entry.rename(entry.with_name(entry.name.split("-")[0] + "-" + FILE_NAME))
    unlist(small_site, "dc:a6:32:0a:00:03")
    job = failed_job(small_site)
    journal = small_site / "jobs" / job / "events.jsonl"
    note = Note(level="warning", text=f"output {EVIL}", at=1.0).model_dump_json()
    journal.write_text(note + "\n" + journal.read_text())
    for name in ("plan.json", "result.json"):
        file = small_site / "jobs" / job / name
        file.write_text(json.dumps({**json.loads(file.read_text()), "title": f"job {EVIL}"}))
    return small_site


async def inject(tui: Tui) -> None:
    """What only daemons would tell: a board's vendor class, a service's words, an error."""
    feeds = tui.app.feeds
    site = feeds.world.site
    assert site is not None
    facts = replace(site.facts, seen=(
        Seen("dc:a6:32:99:99:99", site.facts.now - 60, site.facts.now, 3, EVIL),
    ))  # fmt: skip
    feeds._feeds.clear()
    services = (Status("dnsmasq", "failing", EVIL), Status(EVIL, "failing", LONG))
    feeds._tell(site=site.with_facts(facts), services=services, errors={"audit": EVIL})
    tui.app.refuse(EVIL)
    tui.app.notify(EVIL)
    await tui.settled()


def judge(tui: Tui) -> None:
    shown, width = tui.screen, tui.app.size.width
    found = set("".join(shown)) & FORBIDDEN
    assert not found, (found, tui.app.screen, tui.text)
    assert all(_columns(row) <= width for row in shown), tui.text
    assert not any("\ud800" <= c <= "\udfff" for c in "".join(shown)), tui.text


def _columns(row: str) -> int:
    from rich.cells import cell_len

    return cell_len(row)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_every_screen_shows_it_as_text(hostile: Path, size: tuple[int, int]) -> None:
    async with open_tui(hostile, size) as tui:
        await tui.expect("rack-80")
        judge(tui)
        await inject(tui)
        judge(tui)
        seen = set()
        for keys in KEYS:
            for key in keys:
                await tui.press(key)
                seen.add(type(tui.app.screen).__name__)
                judge(tui)
            for _ in range(3):
                await tui.press("escape")
            await tui.expect("1 Tree")
        assert len(seen) > 8, seen
        assert "\\x1b[2J" in tui.text


@pytest.mark.parametrize("driver", ["", "stock"])
def test_nothing_of_it_reaches_the_terminal_raw(hostile: Path, driver: str) -> None:
    """Only what Textual itself sends: with our driver, and with the stock one."""
    with open_pty(hostile, (160, 48), SBCTUI_DRIVER=driver) as tui:
        tui.until("rack-80", "services stopped")
        for keys in ("kl", "jG\r", "\x1b", "2G\r", "\x1b", "4jjj\r", "\x1b", "5G", "1gje", "\x1b"):
            tui.send(keys)
            tui.quiet(_STILL)
        for keys in (
            "o",
            "G\r",
            "\x1b",
            "\x1b",
            "t",
            "\r",
            "\x1b",
            "\x1b",
            "?",
            "\x1b",
            ":",
            "\x1b",
        ):
            tui.send(keys)
            tui.quiet(_STILL)
        tui.paste(EVIL + "\n" + LONG)
        tui.until("Bulk leaves", "bad")
        tui.quiet(_STILL)
        tui.send("\x1b")
        tui.quiet(_STILL)
        assert not tui.screen.unknown, tui.screen.unknown
        assert not tui.screen.commands, tui.screen.commands
        assert not tui.screen.bells
        assert b"\\x1b[2J" in tui.raw
        tui.send("\x1b\x1b")
        tui.quiet(_STILL)
        tui.send("q")
        assert tui.ended() == 0


def test_the_fixture_is_hostile(hostile: Path) -> None:
    """Or else the tests above could not fail."""
    site = Engine(hostile).site()
    told = " ".join(str(getattr(site, f.name)) for f in fields(site))
    assert "202e" in told
    assert any(node.config.notes == EVIL for node in site.nodes.values())


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
