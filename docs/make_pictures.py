"""The pictures of the README: ``python -m docs.make_pictures [NAME...]``, from the checkout's root.

The console draws itself (Textual's screenshot export) on the lab of ``tests/ui/morning.py``;
``rsvg-convert`` (Debian: librsvg2-bin, with fonts-dejavu-core) makes PNG of it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from sbctui.prefs import Prefs
from sbctui.terminal import Terminal
from tests.driver import open_tui
from tests.ui import morning
from tests.ui.gallery import SCREENS, at_home

FOLDER = Path(__file__).with_name("pictures")
FONT = "DejaVu Sans Mono"
WIDE = 20.27
"""Pixels at which its letters are as wide as those the export was laid out for."""
PICTURES = {
    "home": (160, 48),
    "bulk": (110, 28),
    "audit": (110, 28),
    "delete-plan": (90, 26),
    "boards": (130, 30),
    "images": (130, 30),
    "import": (90, 26),
}
"""Of what size each screen is drawn, in cells."""


async def draw(site: Path, name: str, size: tuple[int, int]) -> str:
    """One screen as SVG."""
    async with open_tui(site, size, prefs=Prefs(theme="dark"), terminal=Terminal()) as tui:
        morning.freeze(tui.app)
        await at_home(tui)
        await SCREENS[name](tui)
        await tui.rested()
        return morning.still(tui.app.export_screenshot(title="sbctui"))


def png(svg: str, target: Path) -> None:
    """Write a picture; the web font that the export names is not fetched."""
    svg = svg.replace("Fira Code", FONT).replace("font-size: 20px", f"font-size: {WIDE}px")
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    command = ["rsvg-convert", "--width", "1200", "--output", str(target)]
    subprocess.run(command, input=svg.encode(), check=True)


def main(wanted: list[str]) -> int:
    """Make those that are wanted, or all."""
    FOLDER.mkdir(exist_ok=True)
    with morning.place() as site:
        morning.trouble(morning.make(site))
        for name in wanted or PICTURES:
            png(asyncio.run(draw(site, name, PICTURES[name])), FOLDER / f"{name}.png")
            sys.stdout.write(f"{FOLDER / name}.png\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
