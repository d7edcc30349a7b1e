"""A terminal without bracketed paste sends a paste as keys: they must not be commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from sbctui.engine.engine import Engine
from sbctui.widgets.keyboard import pasted
from tests.ui.terminal import open_pty

BAD_MACS = "b827eb0000\nb827eb0001,Desk\ndc:a6:32\n"
PROSE = "Dear all,\nDelete Wednesday's boards: yes, y.\ny\ny\nD\ny\nA\ny\nW\ny\n"


def keys(text: str) -> list[events.Key]:
    return [events.Key("enter" if c == "\n" else c, None if c == "\n" else c) for c in text]


@pytest.mark.parametrize("text", [BAD_MACS, PROSE, "B8-27-EB\nB8-27-EC\n", "x dc:a6:32:01:02:03"])
def test_what_nobody_types_is_a_paste(text: str) -> None:
    assert pasted(keys(text)) == text


@pytest.mark.parametrize(
    "text",
    ["y", "jjjjjjjjjjjjj\n", "/golden\nD", "/dc:a6:32\nD", "deadbeef\n", "ngolden-2\n16M\n",
     ":root create golden-2 --size 16M --notes for-the-lab\n"],
)  # fmt: skip
def test_what_is_typed_ahead_is_keys(text: str) -> None:
    assert pasted(keys(text)) is None


@pytest.mark.parametrize(("text", "lines"), [(BAD_MACS, 3), (PROSE, 10)])
def test_a_raw_paste_on_home_does_nothing(small_site: Path, text: str, lines: int) -> None:
    with open_pty(small_site) as tui:
        tui.until("3 leaves")
        tui.send("j")
        tui.send(text.replace("\n", "\r"))
        tui.until("Bulk leaves", f"0 ok  {lines} bad")
        tui.send("\x1b")
        tui.until("1 Tree")
        tui.send("q")
        tui.ended()
    site = Engine(small_site).site()
    assert (len(site.leaves), len(site.roots), len(site.trash)) == (3, 3, 0)
    assert not Engine(small_site).jobs()[5:]
