"""Copying: what is sent to the terminal, and the text to select where that does nothing."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.clipboard import MOST, fitting, sequence
from sbctui.screens.copy import readable
from sbctui.terminal import Terminal
from tests.driver import Tui, open_tui

PLAIN = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


def received(sent: str, wrap: str) -> str:
    """What the terminal outside gets of it, by the rules of the multiplexer."""
    if wrap == "tmux":
        found = re.search(r"\x1bPtmux;(.*?\x07)\x1b\\", sent, re.S)
        assert found is not None
        return found[1].replace("\x1b\x1b", "\x1b")
    if wrap == "screen":
        parts = re.findall(r"\x1bP(.*?)\x1b\\", sent, re.S)
        assert all(len(part) <= 256 for part in parts)
        assert "".join(f"\x1bP{part}\x1b\\" for part in parts) == sent
        return "".join(parts)
    return sent


@pytest.mark.parametrize("wrap", ["", "tmux", "screen"])
@given(text=st.text(max_size=2000))
def test_what_goes_in_comes_out_behind_the_multiplexer(wrap: str, text: str) -> None:
    text = text.encode(errors="replace").decode()
    got = PLAIN.fullmatch(received(sequence(text, wrap), wrap))  # type: ignore[arg-type]
    assert got is not None
    assert b64decode(got[1]).decode() == text


def test_inside_tmux_it_is_told_to_tmux_too() -> None:
    assert PLAIN.match(sequence("x", "tmux"))


def test_no_more_is_sent_than_terminals_take() -> None:
    text = "ä" * MOST
    assert len(fitting(text).encode()) <= MOST
    assert len(sequence(fitting(text), "")) <= 100_000
    assert text.startswith(fitting(text))


def test_what_is_copied_drives_no_terminal() -> None:
    assert readable("a\x1b[2J\r\nb\x9b31m\tc\u202e\n") == "a\\x1b[2J\nb\\x9b31m        c\\u202e\n"


def watched(tui: Tui) -> list[str]:
    """What is written to the terminal from now on, but frames."""
    out: list[str] = []
    driver = tui.app._driver
    assert driver is not None
    before = driver.write

    def write(data: str) -> None:
        if "\x1b]52" in data:
            out.append(data)
        before(data)

    driver.write = write  # type: ignore[method-assign]
    return out


async def test_y_copies_the_row_in_one_piece_and_shows_it(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        out = watched(tui)
        await tui.press("2", "g", "y")
        await tui.expect("Copied:", "characters; where the clipboard has nothing, select it here")
        (sent,) = out
        found = PLAIN.fullmatch(sent)
        assert found is not None
        text = b64decode(found[1]).decode()
        assert "dc:a6:32" in text
        assert tui.screen[2].startswith(text.split("\n")[0][:20])
        await tui.press("y")
        await tui.expect("1 Tree")


async def test_inside_screen_it_is_wrapped(small_site: Path) -> None:
    async with open_tui(small_site, terminal=Terminal(wrap="screen")) as tui:
        out = watched(tui)
        await tui.press("y")
        await tui.expect("Copied:")
        assert out[0].startswith("\x1bP\x1b]52;c;")
        assert out[0].endswith("\x1b\\")


async def test_a_complaint_can_be_copied(small_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_tui(small_site) as tui:
        out = watched(tui)
        tui.app.refuse("the disk is \x1b[31mfull")
        await tui.expect("the disk is")
        await tui.press("y")
        await tui.expect("Copied:", "e copy the last complaint")
        await tui.press("e")
        await tui.expect("Copied: the last complaint", "not possible: the disk is \\x1b[31mfull")
        found = PLAIN.fullmatch(out[-1])
        assert found is not None
        assert b64decode(found[1]).decode() == "not possible: the disk is \\x1b[31mfull"


async def test_a_long_text_says_that_it_was_cut(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        out = watched(tui)
        tui.app.trouble = "x" * (MOST + 1)
        tui.app.screen.copyable = lambda: ("", "")  # type: ignore[attr-defined]
        await tui.press("y")
        await tui.expect(f"{MOST} characters of {MOST + 1}: a terminal takes no more")
        assert len(out[0]) <= 100_000
