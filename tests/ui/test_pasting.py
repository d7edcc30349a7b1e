"""A paste is text, wherever it goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.model.text import legible
from tests.driver import open_tui

EVIL = "\x1b[2J\x1b]52;c;ZXZpbA==\x07\u202e[red]x[/]"
SEEN = "\\x1b[2J\\x1b]52;c;ZXZpbA==\\x07\\u202e[red]x[/]"


def test_line_ends_and_tabs_stay() -> None:
    assert legible("a\tb\r\nc\nd\x1b") == "a\tb\r\nc\nd\\x1b"


@pytest.mark.parametrize("keys", [["n"], ["b"], ["ctrl+p"], ["colon"]])
async def test_escapes_in_a_paste_are_seen_as_such(small_site: Path, keys: list[str]) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.press(*keys)
        await tui.pilot.pause()
        await tui.paste(EVIL)
        await tui.expect(SEEN)
        assert "\x1b" not in tui.text
        assert "\u202e" not in tui.text


async def test_boards_pasted_before_the_nodes_are_read_are_kept(small_site: Path) -> None:
    async with open_tui(small_site, ready=False) as tui:
        assert tui.app.feeds.world.site is None
        await tui.paste("dc:a6:32:66:00:01\ndc:a6:32:66:00:02\n")
        await tui.expect("2 ok", "debian12")
