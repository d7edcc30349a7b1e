"""The driver's model against a terminal: less is sent, and the screen is the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual import events

from sbctui.widgets.diff_driver import Grid
from sbctui.widgets.keyboard import pasted
from tests.ui.terminal import Screen

STYLES = ("", "1", "7;36", "2", "1;31", "38;2;1;2;3;48;5;9", "4", "90", "39;49", "32;44")
WORDS = st.text(st.sampled_from("ab 0~│─é日本e\u0301"), min_size=1, max_size=12)
RUNS = st.lists(st.tuples(st.sampled_from(STYLES), WORDS), min_size=1, max_size=4)
SPANS = st.tuples(st.integers(0, 5), st.integers(0, 14), RUNS)
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


@given(st.lists(st.tuples(st.lists(SPANS, min_size=1, max_size=5), st.booleans()), max_size=8))
def test_the_screen_is_the_same_as_with_the_stock_driver(
    frames: list[tuple[list[tuple[int, int, list[tuple[str, str]]]], bool]],
) -> None:
    """Also when the model is forgotten: then a part of the screen is sent, and no blank more."""
    stock, ours, grid = Screen(WIDTH, HEIGHT), Screen(WIDTH, HEIGHT), Grid()
    for text, forget in ((blank(), False), *((frame(spans), forget) for spans, forget in frames)):
        if forget:
            grid.forget()
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


def test_what_came_into_a_frame_from_outside_stays_out_of_the_terminal() -> None:
    screen, grid = Screen(WIDTH, HEIGHT), Grid()
    for evil in (
        "\x1b]52;c;eA==\x07",
        "\x1b[2J",
        "\x1b[?1049l",
        "\x9b5n",
        "\x1bc",
        "\u202e\u2066",
        "\x07",
    ):
        screen.feed(grid.paint(f"\x1b[2;3Hbefore{evil}\x1b[1mafter\x1b[0m\x1b[1;1H") or "")
        assert not screen.unknown
        assert not screen.commands
        assert not screen.bells
        assert "before" in screen.text
        assert "after" in screen.text


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
