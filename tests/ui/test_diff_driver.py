"""The driver's model against a terminal: less is sent, and the screen is the same."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from sbctui.widgets.diff_driver import Grid, pasted
from tests.ui.terminal import Pty, Screen

STYLES = ("", "1", "7;36", "2", "1;31", "38;2;1;2;3;48;5;9", "4", "90", "39;49", "32;44")
WORDS = st.text(st.sampled_from("ab 0~│─é日本e\u0301"), min_size=1, max_size=12)
RUNS = st.lists(st.tuples(st.sampled_from(STYLES), WORDS), min_size=1, max_size=4)
SPANS = st.tuples(st.integers(0, 5), st.integers(0, 14), RUNS)
FRAMES = st.lists(st.lists(SPANS, min_size=1, max_size=5), min_size=1, max_size=8)
WIDTH, HEIGHT = 80, 6


def frame(spans: list[tuple[int, int, list[tuple[str, str]]]]) -> str:
    """A frame as Textual writes it."""
    out = []
    for y, x, runs in spans:
        out.append(f"\x1b[{y + 1};{x + 1}H")
        out += [f"\x1b[{style}m{text}\x1b[0m" if style else text for style, text in runs]
    return "".join(out) + "\x1b[1;1H"


def seen(screen: Screen) -> list[list[tuple[str, str]]]:
    """Cells, of a blank only what can be seen."""

    def cell(char: str, look: str) -> tuple[str, str]:
        if char == " " and not {"a4", "a7"} & set(look.split()):
            look = " ".join(part for part in look.split() if part.startswith("b"))
        return char, look

    return [[cell(*c) for c in row] for row in screen.cells]


def blank() -> str:
    return "".join(f"\x1b[{y + 1};1H{' ' * WIDTH}" for y in range(HEIGHT)) + "\x1b[1;1H"


def whole_glyphs(screen: Screen) -> bool:
    """Whether no half of a wide character stands alone (terminals differ there)."""
    return all(
        (char == "日" or char == "本") == (row[x + 1][0] == "")
        for row in screen.cells for x, (char, _) in enumerate(row[:-1])
    )  # fmt: skip


@given(FRAMES)
def test_the_screen_is_the_same_as_with_the_stock_driver(
    frames: list[list[tuple[int, int, list[tuple[str, str]]]]],
) -> None:
    stock, ours, grid = Screen(WIDTH, HEIGHT), Screen(WIDTH, HEIGHT), Grid()
    for text in (blank(), *map(frame, frames)):
        stock.feed(text)
        if not whole_glyphs(stock):
            return
        sent = grid.paint(text)
        assert sent is not None
        ours.feed(sent)
        assert seen(ours) == seen(stock)
        assert (ours.y, ours.x) == (stock.y, stock.x)
        assert grid.paint(text) == ""


def test_one_changed_cell_costs_a_few_bytes() -> None:
    grid = Grid()
    row = "\x1b[3;1H\x1b[1;31m" + "x" * 79 + "{}\x1b[0m\x1b[1;1H"
    assert grid.paint(row.format("1")) is not None
    changed = grid.paint(row.format("2"))
    assert changed is not None
    assert len(changed) < 20


def test_what_is_no_frame_is_left_alone() -> None:
    grid = Grid()
    for data in ("\x1b[?1049h", "\x1b]52;c;eA==\x07", "text\x07", "\x1b[2J"):
        assert grid.paint(data) is None


def test_after_forgetting_everything_is_sent_again() -> None:
    grid = Grid()
    first = grid.paint("\x1b[1;1Hhello\x1b[1;1H")
    grid.forget()
    assert grid.paint("\x1b[1;1Hhello\x1b[1;1H") == first


def keys(text: str) -> list[events.Key]:
    return [events.Key("enter" if c == "\n" else c, None if c == "\n" else c) for c in text]


def test_keys_that_came_at_once_and_hold_a_mac_are_a_paste() -> None:
    assert pasted(keys("dc:a6:32:01:02:03\ndc:a6")) == "dc:a6:32:01:02:03\ndc:a6"
    assert pasted(keys("jjjjjjjjjjjjj\n")) is None
    assert pasted(keys("D")) is None


UNWANTED = {"NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "COLUMNS", "LINES"}
ENV = {k: v for k, v in os.environ.items() if k not in UNWANTED}


def open_pty(site: Path, size: tuple[int, int] = (80, 24), **env: str) -> Pty:
    """The real program on a pseudo-terminal."""
    argv = [sys.executable, "-m", "sbctui", "--site", str(site)]
    return Pty(argv, {**ENV, "TERM": "xterm-256color", "LANG": "C.UTF-8", **env}, size, site.parent)


def masked(text: str) -> str:
    """The screen without what the rest of the machine changes."""
    return re.sub(r"disk .*|\[#.*", "", text)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_budgets_of_bytes(small_site: Path, size: tuple[int, int]) -> None:
    """Idle sends nothing; the echo of a key costs less than 400 bytes."""
    tui = open_pty(small_site, size)
    try:
        tui.until("services stopped")
        tui.quiet()
        tui.send("j")
        tui.read(0.5)
        for _ in range(3):
            before = tui.screen.text
            sent, after = tui.read(1.0), tui.screen.text
            # The free space of a machine that does other things changes now and then.
            assert not sent or (sent < 60 and before != after), "idle is not silent"
            assert masked(after) == masked(before)
        costs = []
        for key in "jkj2jkj1jlhk*U":
            tui.send(key)
            costs.append(tui.read(0.4))
        # Unfolding a root or marking all repaints a pane; a cursor that moves does not.
        moves = [c for k, c in zip("jkj2jkj1jlhk*U", costs, strict=True) if k in "jk"]
        assert 0 < max(moves) < 400, moves
        assert max(costs) < 2000, costs
        assert not tui.screen.unknown, tui.screen.unknown
        tui.send("q")
        tui.read(1.0)
    finally:
        assert tui.close() == 0


def test_both_drivers_leave_the_same_screen(small_site: Path) -> None:
    texts = []
    for env in ({}, {"SBCTUI_DRIVER": "stock"}):
        tui = open_pty(small_site, **env)
        try:
            tui.until("services stopped")
            for key in "jjkl2jj1Ghg":
                tui.send(key)
                tui.read(0.1)
            tui.quiet()
            texts.append(masked(tui.screen.text))
        finally:
            tui.send("q")
            tui.read(0.5)
            tui.close()
    assert texts[0] == texts[1]


@pytest.mark.parametrize("term", ["linux", "screen", "vt100", "xterm-256color"])
def test_the_bulk_flow_on_other_terminals(small_site: Path, term: str) -> None:
    """Without bracketed paste the keys come at once, and are a paste all the same."""
    tui = open_pty(small_site, TERM=term, NO_COLOR="1" if term == "vt100" else "")
    try:
        tui.until("services stopped")
        tui.send("b8:27:eb:0c:00:01\rb8:27:eb:0c:00:02\r")
        tui.until("2 ok")
        tui.send("\r")
        tui.until("create 2 leaves of debian12")
        tui.read(0.5)
        tui.send("y")
        tui.until("ok          create 2 leaves")
        tui.send("\x1b")
        tui.until("5 leaves")
    finally:
        tui.send("q")
        tui.read(0.5)
        tui.close()


def test_resizing_repaints_everything(small_site: Path) -> None:
    import fcntl
    import signal
    import struct
    import termios

    tui = open_pty(small_site)
    try:
        tui.until("services stopped")
        tui.quiet()
        tui.screen = Screen(100, 30)
        fcntl.ioctl(tui._master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.killpg(tui.process.pid, signal.SIGWINCH)
        tui.until("services stopped")
        tui.until("2 Allocations")
        tui.quiet()
        tui.screen = Screen(100, 30)
        tui.send("\x0c")
        tui.until("1 Tree")
        tui.until("? Help")
    finally:
        tui.send("q")
        tui.read(0.5)
        tui.close()
