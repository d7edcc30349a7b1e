"""Export and import from the console: forms, the list of files, what an archive holds."""

from __future__ import annotations

import bz2
import tarfile
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.requests import DeleteLeaves, ExportLeaf, ExportRoot, Packing
from sbctui.screens.import_form import ImportScreen
from sbctui.screens.picker import PickScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import do
from tests.ui.test_flows import site, start
from tests.ui.test_forms import imagine, runs


def exported(path: Path, name: str = "golden") -> Path:
    """A root of the site in an archive beside it."""
    file = path.parent / "out" / f"{name}.tar.zst"
    file.parent.mkdir(exist_ok=True)
    do(path, ExportRoot(name=name, target=Engine(path).target(str(file))))
    return file


async def picking(tui: Tui) -> PickScreen:
    """The list of files, once it lists some."""
    await tui.press("ctrl+o")
    await tui.until(lambda: isinstance(tui.app.screen, PickScreen), "no list of files")
    screen = tui.app.screen
    assert isinstance(screen, PickScreen)
    await tui.until(lambda: bool(screen.pane.rows.keys), "nothing is listed")
    return screen


async def test_a_root_goes_into_the_repository_and_comes_back(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "x")
        await tui.expect("Export golden", "repo:golden.tar.zst;", "free there", "(x) zstd")
        await tui.expect("$ sbctui root export golden repo:golden.tar.zst")
        await tui.press("enter")
        await start(tui, "export golden to")
        assert (small_site / "repo/images/golden.tar.zst").exists()
        await tui.press("m")
        await tui.expect("Import a root")
        await tui.type("repo:gold")
        await tui.expect("repo:golden.tar.zst")
        await tui.press("right")
        await tui.expect("repo:golden.tar.zst", "root golden, made", "disk    16M", "golden-2")
        await tui.expect("root import repo:golden.tar.zst --name golden-2")
        await tui.press("enter")
        await start(tui, "import the root golden-2")
        await tui.until(lambda: "golden-2" in site(tui).nodes, "no root was made")


async def test_a_leaf_becomes_a_leaf_again(small_site: Path) -> None:
    mac = "dc:a6:32:0a:00:01"
    leaf = dashed(mac)
    target = Engine(small_site).target("repo:pi-01.tar.zst")
    do(
        small_site,
        ExportLeaf(name=leaf, target=target),
        DeleteLeaves(root="debian12", macs=(mac,)),
    )
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.expect("Import a root or a leaf")
        await tui.type("repo:pi-01")
        await tui.press("right")
        await tui.expect(f"leaf {leaf}, made", mac, "leaf import repo:pi-01.tar.zst")
        await tui.press("enter")
        await start(tui, "import the leaf pi-01 of debian12")
        await tui.until(lambda: leaf in site(tui).nodes, "no leaf was made")


async def test_marked_nodes_go_into_one_folder(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        tree = tui.app.screen.focused
        tree.mark(["root:golden", "leaf:dc-a6-32-0a-00-01", "leaf:dc-a6-32-0a-00-02"], on=True)
        await tui.press("x")
        await tui.expect(
            "Export 3 nodes", "(x) whole", "difference: what is other than in debian12"
        )
        await tui.press("end", *"lab/", "tab", "space", "tab", "space")
        await tui.expect("(x) difference", "(x) none", "archive export")
        await tui.press("enter")
        await start(tui, "what differs from debian12")
    folder = small_site / "repo/images/lab"
    assert sorted(f.name for f in folder.iterdir() if f.suffix == ".tar") == [
        "golden.tar", "pi-01.tar", "pi-02.tar",
    ]  # fmt: skip
    with tarfile.open(folder / "golden.tar") as archive:
        assert "config.json" in archive.getnames()


async def test_files_are_chosen_from_a_list_that_says_what_they_are(small_site: Path) -> None:
    file = exported(small_site)
    (file.parent / "notes.txt").write_text("no archive\n")
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.expect("Import a root")
        await tui.type(f"{file.parent}/")
        screen = await picking(tui)
        await tui.expect("golden.tar.zst", "archive", "notes.txt", "file")
        screen.pane.rows.move_to("file:notes.txt")
        await tui.expect("no archive of a node")
        await tui.press("slash", *"golden", "enter", "down")
        await tui.expect("archive of 20", "root golden, disk 16M")
        await tui.press("escape", "left")
        await tui.expect("out/")
        await tui.press("enter")
        await tui.expect("notes.txt")
        screen.pane.rows.move_to("file:golden.tar.zst")
        await tui.press("enter")
        await tui.until(lambda: isinstance(tui.app.screen, ImportScreen), "the list stays")
        await tui.expect("root golden, made", "golden-2")


async def test_a_place_to_write_to_is_chosen_from_a_list(small_site: Path) -> None:
    folder = small_site.parent / "out"
    folder.mkdir()
    async with open_tui(small_site) as tui:
        await tui.press("slash", *"golden", "enter", "x", "ctrl+u")
        await tui.type(f"{folder}/copy.tar.zst")
        screen = await picking(tui)
        await tui.expect("Where to write", "write copy.tar.zst here")
        screen.pane.rows.move_to("here:")
        await tui.press("enter")
        await tui.expect("Export golden")
        await tui.press("enter")
        await start(tui, "export golden to")
    assert (folder / "copy.tar.zst").exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/nowhere/at.all", "there is no"),
        ("-", "this is for the command line"),
        ("repo:", "is a whole repository"),
        ("repo:../../etc/passwd", "no address of an image"),
        ("root@far:/x.tar.zst", "on another machine"),
    ],
)
async def test_what_can_not_be_imported_is_said_in_the_form(
    small_site: Path, typed: str, said: str
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.expect("Import a root")
        await tui.type(typed)
        await tui.expect(said)
        assert isinstance(tui.app.screen, ImportScreen)


async def test_an_archive_of_something_else_is_told_and_a_damaged_one_refused(
    small_site: Path,
) -> None:
    file = exported(small_site)
    hostile = file.with_name("evil\x1b[31m\n.tar")
    hostile.write_bytes(b"\0" * 4096)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 0xFF
    file.write_bytes(data)
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.expect("Import a root")
        await tui.type(f"{file.parent}/evil")
        await picking(tui)
        await tui.expect("evil")
        assert "\x1b" not in tui.text.replace("\x1b[0m", "")
        await tui.press("escape")
        await tui.expect("Import a root")
        await tui.press("ctrl+u")
        await tui.type(str(file))
        await tui.expect("golden-2")
        await tui.press("enter")
        await tui.expect("The plan")
        await tui.awake()
        await tui.press("y")
        await tui.expect_jobs_over()
        await tui.until(lambda: tui.app.feeds.world.jobs[0].failed == 1, "it was taken")
    assert "golden-2" not in Engine(small_site).site().nodes
    assert not list((small_site / "nodes").glob(".*golden-2*"))


async def test_a_root_in_use_says_what_its_export_is_worth(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        imagine(tui, runs)
        tui.app.screen.focused.move_to("root:rescue-07")
        await tui.press("x")
        await tui.expect("Export rescue-07", "120K of it held here")
        await tui.press("escape")
        await tui.press("slash", *"pi-01", "enter", "j", "x")
        await tui.expect("Export pi-01", "is running from it", "at one instant, then repaired")


async def test_nobody_who_only_looks_exports(small_site: Path) -> None:
    async with open_tui(small_site, read_only=True) as tui:
        await tui.press("x")
        await tui.expect("not possible", "opened with --read-only")
        await tui.press("m")
        await tui.expect("not possible")


MAC = "dc:a6:32:0a:00:01"


def difference(site: Path, packing: str) -> Path:
    """The board's leaf as a difference to its root; the leaf itself is gone."""
    file = site.parent / "diff"
    request = ExportLeaf(
        name=dashed(MAC),
        target=Engine(site).target(str(file)),
        difference=True,
        packing=Packing.model_validate({"compression": packing}),
    )
    do(site, request, DeleteLeaves(root="debian12", macs=(MAC,)))
    return file


@pytest.mark.parametrize("packing", ["gzip", "xz", "none"])
async def test_a_difference_is_told_before_it_is_taken(small_site: Path, packing: str) -> None:
    file = difference(small_site, packing)
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.type(str(file))
        await tui.expect("over    the root debian12: only what differs is in it", MAC)
        await tui.press("enter")
        await start(tui, "import the leaf pi-01 of debian12")
        await tui.until(lambda: dashed(MAC) in site(tui).nodes, "no leaf was made")


async def test_a_difference_in_one_piece_is_told_by_its_beginning(small_site: Path) -> None:
    file = difference(small_site, "none")
    file.write_bytes(bz2.compress(file.read_bytes()))
    async with open_tui(small_site) as tui:
        await tui.press("m")
        await tui.type(str(file))
        await tui.expect(f"an archive of the leaf of {MAC}", "the root debian12: only what differs")
        await tui.expect(f"--mac {MAC}")
