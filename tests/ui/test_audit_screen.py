from __future__ import annotations

import json
from pathlib import Path

from sbctui.engine.engine import Engine
from tests.driver import open_tui
from tests.ui.test_flows import start


def unlist(site: Path, mac: str) -> None:
    """Make an orphan, as a person with an editor would."""
    config = site / "nodes/debian12/config.json"
    root = json.loads(config.read_text())
    del root["children"][mac]
    config.write_text(json.dumps(root))


async def test_an_orphan_is_explained_and_fixed(small_site: Path) -> None:
    unlist(small_site, "dc:a6:32:0a:00:02")
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("orphans: leaves that no root lists (1)", "pi-02 is an orphan")
        await tui.expect("why     ", "proof   ", "list pi-02 in debian12 again")
        await tui.press("f")
        await start(tui, "pi-02")
        await tui.until(lambda: "pi-02 is an orphan" not in tui.text, "it is still there")
    assert "dc-a6-32-0a-00-02" in Engine(small_site).site().listed_by


async def test_safe_ones_are_marked_and_fixed_together(small_site: Path) -> None:
    for mac in ("dc:a6:32:0a:00:01", "dc:a6:32:0a:00:02"):
        unlist(small_site, mac)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-01 is an orphan", "pi-02 is an orphan")
        await tui.press("s")
        await tui.expect("f fix ", " marked")
        await tui.press("f")
        await start(tui, "pi-01")
        await tui.expect_gone("is an orphan")


async def test_what_has_no_fix_says_why(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("services", "(no fix)")
        await tui.press("G")
        await tui.expect("no fix  ")
        await tui.press("f")
        await tui.expect("not possible")
        assert "The plan" not in tui.text
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_findings_are_filtered(small_site: Path) -> None:
    unlist(small_site, "dc:a6:32:0a:00:02")
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan", "(no fix)")
        await tui.press("slash", *"orphan", "enter")
        await tui.expect_gone("(no fix)")
        await tui.press("escape")
        await tui.expect("(no fix)")
