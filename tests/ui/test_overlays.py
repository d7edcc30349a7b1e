"""Files laid over a leaf's disk: seen from home, in a screen of their own, and laid from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.disks import fuse
from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import SetGroup
from sbctui.widgets.rows import Rows
from tests.driver import Tui, open_tui
from tests.ui.conftest import do, specs

LEAF = specs(1)[0].mac.replace(":", "-")


def put(site: Path, place: str, path: str, data: str) -> None:
    file = site / "repo" / place / "debian12" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(data)


@pytest.fixture
def kitchen(small_site: Path) -> Path:
    """pi-01 is in the kitchen; two files for that, two for the board."""
    do(small_site, SetGroup(names=(LEAF,), group="kitchen"))
    put(small_site, "groups/kitchen", "etc/motd", "kitchen\n")
    put(small_site, "groups/kitchen", "etc/[bold]odd", "odd\n")
    put(small_site, f"clients/{LEAF}", "etc/motd", "mine\n")
    return small_site


def to_leaf(tui: Tui) -> None:
    tui.app.screen.query_one("#allocations Rows", Rows).focus()
    tui.app.screen.query_one("#allocations Rows", Rows).move_to(f"leaf:{LEAF}")


async def test_what_is_laid_is_shown_and_laid(kitchen: Path) -> None:
    if reason := fuse.unavailable():
        pytest.skip(reason)
    async with open_tui(kitchen, (110, 36)) as tui:
        to_leaf(tui)
        await tui.press("enter")
        await tui.expect("overlay", "2: 1 group kitchen, 1 the board", "2 not on its disk")
        await tui.press("escape")
        await tui.press("f")
        await tui.expect("Laid over pi-01", "2 to be laid", "+ /etc/[bold]odd", "+ /etc/motd")
        await tui.expect("0:0 0644", "group kitchen", "a Apply")
        await tui.press("j", "enter")
        await tui.expect(f"repo/clients/{LEAF}/debian12/etc/motd", "not on the disk yet")
        await tui.expect("repo/groups/kitchen/debian12/etc/motd")
        await tui.press("escape", "a")
        await tui.awake()
        await tui.expect("lay files over 1 leaf", "1 file from group kitchen, 1 file")
        await tui.press("y")
        await tui.expect_jobs_over()
        await tui.expect("= /etc/motd", "all on the disk")
        assert Engine(kitchen).overlay(LEAF).pending == 0
        await tui.press("a")
        await tui.expect("A lays it again")
        await tui.press("slash", *"odd", "enter")
        await tui.expect_gone("/etc/motd")
        await tui.press("escape", "escape")
        await tui.expect("1 Tree")


async def test_attributes_and_hidden_folders_are_told(kitchen: Path) -> None:
    put(kitchen, f"clients/{LEAF}", "srv/app/[x]", "mine\n")
    put(kitchen, "groups/kitchen", ".overlay.toml",
        '[files."srv/app"]\nremove = true\n[files."etc/[bold]odd".xattrs]\n"user.n" = "[red]note"\n'
        f'"security.capability" = "0x{"01000002002" + "0" * 29}"\n')  # fmt: skip
    async with open_tui(kitchen, (110, 36)) as tui:
        to_leaf(tui)
        await tui.press("f")
        await tui.expect("+ /srv/app ", "new folder")
        await tui.press("enter")
        await tui.expect("security.capability cap_net_raw=ep", "user.n   [red]note")
        await tui.press("escape", "slash", *"app", "enter", "enter")
        await tui.expect(
            "hidden, with all that is below it", "repo/groups/kitchen/debian12/srv/app"
        )


async def test_faults_and_nothing_are_said(kitchen: Path) -> None:
    async with open_tui(kitchen) as tui:
        tui.app.screen.query_one("#allocations Rows", Rows).focus()
        tui.app.screen.query_one("#allocations Rows", Rows).move_to(
            f"leaf:{specs(2)[1].mac.replace(':', '-')}"
        )
        await tui.press("f")
        await tui.expect("nothing is laid over its disk", "(a Apply)", "(enter Open)")
        assert "all on the disk" not in tui.screen[0]
        await tui.press("e")
        await tui.expect("Edit pi-02", "Group")
        await tui.press("escape", "escape")
        put(kitchen, "groups/kitchen", ".overlay.toml", "files = 3\n")
        to_leaf(tui)
        await tui.press("f")
        await tui.expect("repo/groups/kitchen/debian12/.overlay.toml")
        await tui.press("a")
        await tui.expect("not possible")


async def test_of_a_root_it_is_said_why_not(kitchen: Path) -> None:
    async with open_tui(kitchen) as tui:
        await tui.press("1", "f")
        await tui.expect("is a root, and files are laid over leaves")
