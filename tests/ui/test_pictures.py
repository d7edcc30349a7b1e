"""What the screens look like: as text at both sizes and in mono, and as one picture each.

The site is real; what changes from run to run (times, free space, paths) is set to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion

from sbctui.prefs import Prefs
from sbctui.terminal import Terminal
from tests.driver import Tui, open_tui
from tests.ui import morning
from tests.ui.gallery import SCREENS, at_home

pytestmark = pytest.mark.xdist_group("pictures")
LOOKS = {
    "80x24": ((80, 24), Terminal()),
    "160x48": ((160, 48), Terminal()),
    "mono": ((80, 24), Terminal(colours=0, lines=False, encoding="ascii", wide=False)),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Path]:
    """Forty boards on a bad morning; no test changes it."""
    with morning.place() as site:
        yield morning.trouble(morning.make(site))


@pytest.fixture(autouse=True)
def settings_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, none as yet, in a place whose name is always the same: a screen shows it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(morning.PLACE.parent / "config"))


def told(tui: Tui, *, mono: bool) -> str:
    """The screen as text; in mono also what is reversed, which alone shows where one is."""
    text = morning.still(tui.text)
    if not mono:
        return text
    strips = tui.app.screen._compositor.render_strips()
    looks = [s for strip in strips for s in strip if s.style and s.text.strip()]
    assert not [s.text for s in looks if s.style.color and s.style.color.name != "default"]
    reversed_ = [morning.still(s.text.strip()) for s in looks if s.style.reverse]
    return "\n".join([text, "-- reversed:", *reversed_])


def drawn(tui: Tui) -> str:
    """The screen as a picture."""
    return morning.still(tui.app.export_screenshot(title="sbctui"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("look", LOOKS)
async def test_text(lab: Path, look: str, snapshot: SnapshotAssertion) -> None:
    """Every screen at this size; at the usual one also as a picture."""
    size, terminal = LOOKS[look]
    differ = []
    async with open_tui(lab, size, terminal=terminal, prefs=Prefs()) as tui:
        morning.freeze(tui.app)
        for name, way in SCREENS.items():
            await at_home(tui)
            await way(tui)
            await tui.rested()
            assert all(len(row) <= size[0] for row in tui.screen), name
            if (now := told(tui, mono=look == "mono") + "\n") != snapshot(name=name):
                differ.append(f"{name}:\n{now}")
            elif look == "80x24" and drawn(tui) != snapshot(
                name=f"picture-{name}", extension_class=SVGImageExtension
            ):
                differ.append(f"{name}: only its picture, which --snapshot-update makes anew")
    assert not differ, "\n".join(differ)


async def test_nothing_is_told_by_colour_alone(lab: Path) -> None:
    """What is wrong, marked or under the cursor is there in words and signs."""
    _, mono = LOOKS["mono"]
    async with open_tui(lab, terminal=mono) as tui:
        morning.freeze(tui.app)
        await tui.press("2", "slash", *"st:down", "enter", "space")
        await tui.expect("! orphans", "down", "* ", "1 marked", "! 1 orphan")
        assert "reversed" in told(tui, mono=True)
