"""Where there is nothing, the console says so, whole, and what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.model.requests import CreateRoot
from tests.driver import Tui, open_tui
from tests.ui.conftest import MIB, do

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=lambda s: f"{s[0]}x{s[1]}")


def said(tui: Tui) -> str:
    """The words on the screen, each pane's on their own, with one blank between them."""
    halves = [row.partition("│") for row in tui.screen]
    lines = [h[0] for h in halves] + [h[2] for h in halves]
    return " ".join(" ".join(lines).split())


async def expect(tui: Tui, *words: str) -> None:
    for word in words:
        await tui.until(lambda w=word: w in said(tui), f"it does not say {word!r}, whole")


@SIZES
async def test_a_new_site_says_where_to_begin(empty_site: Path, size: tuple[int, int]) -> None:
    async with open_tui(empty_site, size) as tui:
        await expect(
            tui,
            "no roots yet: n creates the first",
            "no boards yet: n creates a root first",
            "no jobs yet",
            "stopped: start the services with: sbctui services start",
            "nothing has happened since the console began; what changes, and who asks, is told",
        )
        if size[1] > 40:
            await expect(tui, "all about the row under the cursor")
        await tui.press("b")
        await expect(tui, "there is no root to make leaves of; n creates one")
        assert not any("~" in row for row in tui.screen), tui.text


@SIZES
async def test_a_root_alone_says_how_boards_come(empty_site: Path, size: tuple[int, int]) -> None:
    do(empty_site, CreateRoot(name="debian12", size=16 * MIB))
    async with open_tui(empty_site, size) as tui:
        await expect(tui, "no boards yet: b makes leaves of a root, a allocates one")


@SIZES
async def test_a_filter_that_lets_nothing_through_says_the_way_back(
    small_site: Path, size: tuple[int, int]
) -> None:
    async with open_tui(small_site, size) as tui:
        await tui.press("slash", *"zzz")
        await expect(tui, "nothing matches", "backspace, or esc to see all")
        await tui.press("enter")
        await expect(tui, "esc clears the filter")
        await tui.press("escape")
        await expect(tui, "golden")


@SIZES
@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("t", "the trash is empty; what D deletes comes here for 14 days"),
        ("o", "nothing disagrees; looked at:"),
        ("w", "no boards yet, and nobody listens: sbctui services start begins to"),
    ],
)
async def test_other_screens_with_nothing_on_them(
    empty_site: Path, size: tuple[int, int], key: str, says: str
) -> None:
    async with open_tui(empty_site, size) as tui:
        await tui.press(key)
        await expect(tui, says)
