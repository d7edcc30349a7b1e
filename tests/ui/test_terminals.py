"""What a terminal is taken for, and how every theme looks on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import pytest
from rich.color import ColorType
from rich.console import Console
from rich.segment import Segment
from textual.color import Color

from sbctui.prefs import Prefs, Theme
from sbctui.terminal import TRUE, Terminal, detect
from sbctui.widgets import looks
from sbctui.widgets.plain import GLYPHS, Plain
from tests.driver import Tui, open_tui

UTF8 = {"LANG": "C.UTF-8"}
LINUX = Terminal(colours=16, lines=False, wide=False)


@pytest.mark.parametrize(
    ("env", "colours", "lines", "wrap"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", **UTF8}, TRUE, True, ""),
        ({"TERM": "xterm-256color", **UTF8}, 256, True, ""),
        ({"TERM": "xterm", **UTF8}, 16, True, ""),
        ({"TERM": "xterm"}, 16, False, ""),
        ({"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, 16, False, ""),
        ({"TERM": "xterm", "LANG": "C.UTF-8", "LC_ALL": "C"}, 16, False, ""),
        ({"TERM": "putty-256color", **UTF8}, 256, True, ""),
        ({"TERM": "linux", **UTF8}, 16, False, ""),
        ({"TERM": "linux-16color", **UTF8}, 16, False, ""),
        ({"TERM": "screen", "STY": "1.x", "COLORTERM": "truecolor", **UTF8}, 16, True, "screen"),
        ({"TERM": "screen-256color", "STY": "1.x", **UTF8}, 256, True, "screen"),
        ({"TERM": "screen-256color", "TMUX": "/t", "COLORTERM": "truecolor", **UTF8}, TRUE, True,
         "tmux"),
        ({"TERM": "tmux-256color", "TMUX": "/t", **UTF8}, 256, True, "tmux"),
        ({"TERM": "xterm-kitty", **UTF8}, 16, True, ""),
        ({"TERM": "foot", **UTF8}, 256, True, ""),
        ({"TERM": "vte-256color", **UTF8}, 256, True, ""),
        ({"TERM": "vt220", **UTF8}, 0, False, ""),
        ({"TERM": "dumb", **UTF8}, 0, False, ""),
        ({**UTF8}, 0, False, ""),
        ({"TERM": "xterm-256color", "NO_COLOR": "1", **UTF8}, 0, True, ""),
        ({"TERM": "ansi", **UTF8}, 8, False, ""),
    ],
)  # fmt: skip
def test_a_terminal_is_judged_by_its_environment(
    env: dict[str, str], colours: int, lines: bool, wrap: str
) -> None:
    found = detect(env)
    assert (found.colours, found.lines, found.wrap) == (colours, lines, wrap)


def test_over_ssh_it_is_remote() -> None:
    assert detect({"TERM": "xterm", "SSH_CONNECTION": "a b c d"}).remote
    assert detect({"TERM": "xterm", "SSH_TTY": "/dev/pts/1"}).remote
    assert not detect({"TERM": "xterm"}).remote


def test_an_unknown_encoding_is_ascii() -> None:
    assert detect({"TERM": "xterm", "LANG": "x.klingon-7"}).encoding == "ascii"
    assert detect({"TERM": "xterm", "LANG": "de_DE.UTF-8@euro"}).encoding == "utf-8"


def plain(text: str, encoding: str = "ascii", *, wide: bool = False) -> str:
    black = Color(0, 0, 0)
    return "".join(s.text for s in Plain(encoding, wide=wide).apply([Segment(text)], black))


def test_glyphs_become_ascii_and_keep_their_width() -> None:
    assert plain("┌─┐│█▲") == "+-+|#^"
    assert all(len(a) == 1 and a.isascii() for a in GLYPHS.values())
    assert plain("küche 日本") == "k?che ????"
    assert plain("küche 日本", "iso8859-1") == "küche ????"
    assert plain("küche 日本", "utf-8", wide=True) == "küche 日本"
    assert plain("küche 日本", "utf-8") == "küche ????"


# ── themes ────────────────────────────────────────────────────────────────────────────────


def sent(theme: str, colours: int) -> str:
    """What a terminal gets when every tone is drawn once."""
    system = {0: "standard", 16: "standard", 256: "256", TRUE: "truecolor"}[colours]
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=system, _environ={})
    for style in looks.styles(looks.palette(theme, colours)).values():
        console.print("x", style=style, end="")
    return out.getvalue()


@pytest.mark.parametrize("theme", get_args(Theme))
def test_where_there_are_few_colours_none_but_the_sixteen_are_named(theme: str) -> None:
    for style in looks.styles(looks.palette(theme, 16)).values():
        for colour in filter(None, (style.color, style.bgcolor)):
            assert colour.type is ColorType.STANDARD
            assert colour.name != "bright_black"
        assert not style.dim
    assert "38;2" not in sent(theme, 16)


def test_true_monochrome_names_no_colour() -> None:
    for theme, colours in (*((t, 0) for t in get_args(Theme)), ("mono", 16), ("mono", TRUE)):
        look = looks.styles(looks.palette(theme, colours))
        assert all(s.color is None and s.bgcolor is None for s in look.values())


@pytest.mark.parametrize("colours", [0, 16, TRUE])
@pytest.mark.parametrize("theme", get_args(Theme))
def test_the_cursor_is_reversed_and_what_is_bad_stands_out(theme: str, colours: int) -> None:
    look = looks.styles(looks.palette(theme, colours))
    assert look["cursor"].reverse
    assert look["bar"].reverse
    assert look["bad"] not in (look[""], look["good"], look["dim"])


def brightness(colour: str) -> float:
    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in Color.parse(colour).normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((brightness(one), brightness(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_fixed_colours_can_be_read(theme: str) -> None:
    look = looks.palette(theme, TRUE)
    for colour in (look.ink, look.good, look.warn, look.bad, look.head, look.mark, look.faint):
        assert contrast(colour, look.ground) >= 4.5, colour


def seen_by(colour: str, kind: str) -> tuple[float, float, float]:
    """A colour as eyes without red-green or blue-yellow see it (Viénot, Brettel, Mollon 1999)."""
    red, green, blue = Color.parse(colour).normalized
    if kind == "deuteranopia":
        mixed = 0.29275 * red + 0.70725 * green
        return mixed, mixed, blue
    mixed = 0.5 * (green + blue)
    return red, mixed, mixed


@pytest.mark.parametrize("kind", ["deuteranopia", "tritanopia"])
def test_blue_and_orange_differ_for_all_eyes(kind: str) -> None:
    look = looks.palette("blue-orange", TRUE)
    good, bad = seen_by(look.good, kind), seen_by(look.bad, kind)
    assert sum((a - b) ** 2 for a, b in zip(good, bad, strict=True)) ** 0.5 > 0.5
    assert looks.styles(look)["bad"].reverse


# ── on the screen ─────────────────────────────────────────────────────────────────────────


def cells(tui: Tui) -> list[Segment]:
    strips = tui.app.screen._compositor.render_strips()
    return [segment for strip in strips for segment in strip if segment.text]


def colours(tui: Tui) -> set[str]:
    styles = (s.style for s in cells(tui) if s.style is not None)
    return {c.name for s in styles for c in (s.color, s.bgcolor) if c is not None} - {"default"}


@pytest.mark.parametrize("theme", get_args(Theme))
async def test_every_screen_in_every_theme(small_site: Path, theme: str) -> None:
    async with open_tui(small_site, (160, 48), prefs=Prefs(theme=theme)) as tui:  # type: ignore[arg-type]
        for keys, word in (
            (["question_mark"], "Keys"), (["escape", "o"], "Audit"), (["escape", "e"], "Edit"),
            (["escape", "b"], "Bulk"), (["escape", "comma"], "Settings"),
        ):  # fmt: skip
            await tui.press(*keys)
            await tui.expect(word)
            named = colours(tui)
            if theme == "mono":
                assert not named
            if theme in ("dark", "light"):
                ground = looks.palette(theme, TRUE).ground
                bare = [s for s in cells(tui) if s.style is None or s.style.bgcolor is None
                        or s.style.bgcolor.name == "default"]  # fmt: skip
                assert not [s for s in bare if not (s.style and s.style.reverse)], (word, ground)


async def test_no_colour_where_it_is_not_wanted(
    small_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_tui(small_site, prefs=Prefs(theme="dark")) as tui:
        await tui.press("question_mark")
        await tui.expect("Keys")
        assert not colours(tui)
        await tui.press("escape", "comma")
        await tui.expect("NO_COLOR is set, so the theme is mono")


async def test_a_console_of_few_glyphs_sees_ascii_only(small_site: Path) -> None:
    async with open_tui(small_site, terminal=LINUX) as tui:
        for key, word in (("question_mark", "Keys"), ("o", "Audit"), ("b", "Bulk leaves")):
            await tui.press(key)
            await tui.until(lambda w=word: w in _drawn(tui), f"never saw {word!r}")
            assert _drawn(tui).isascii()
            await tui.press("escape")
        assert " 1 Tree ------" in _drawn(tui)


def _drawn(tui: Tui) -> str:
    strips = tui.app.screen._compositor.render_strips()
    return "\n".join("".join(s.text for s in strip) for strip in strips)
