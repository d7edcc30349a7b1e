"""Folders of an image that overlays hide, with all in them, and what stands there instead."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import Refused
from sbctui.engine.events import Note
from sbctui.engine.model import requests as ask
from tests.disks.place import tool
from tests.repository.overlaid import (
    Seen,
    do,
    image_tree,
    leaf,
    make_site,
    name,
    put,
    states,
    table,
)

KITCHEN, BOARD = "groups/kitchen", f"clients/{name(1)}"
HIDES = '[files."opt/app"]\nremove = true\n'


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the root alone, with much in /opt/app; not to be written."""
    folder = tmp_path_factory.mktemp("furnished")
    tree = image_tree(folder / "tree")
    deep = tree / 'opt/app/a "b" c/d'
    deep.mkdir(parents=True)
    (deep / "f #1").write_text("deep\n")
    (deep / "f #1").chmod(0o640)
    os.link(deep / "f #1", tree / "opt/app/again")
    (tree / "opt/app/to").symlink_to("/etc")
    (tree / "opt/app/to long").symlink_to("/" + "long/" * 40)
    (tree / "opt/app/empty").mkdir(mode=0o700)
    (tree / "opt/app/many").mkdir()
    for number in range(300):
        (tree / f"opt/app/many/{number:03}").write_text(f"{number}\n")
    engine = make_site(folder / "site", tree)
    disk = engine.path / "nodes/deb/root.img"
    for words in ('sif "/opt/app/a ""b"" c" uid 33', "sif /opt/app gid 44",
                  "ea_set /opt/app/again user.of root"):  # fmt: skip
        tool("debugfs", "-w", "-R", words, disk)
    return engine.path


@pytest.fixture
def engine(furnished: Path, tmp_path: Path) -> Engine:
    """An engine on a site of its own."""
    tool("cp", "-a", furnished, tmp_path / "site")
    return Engine(tmp_path / "site")


def apply(engine: Engine, number: int = 1) -> None:
    do(engine, ask.ApplyOverlays(names=(name(number),)))


def inside(engine: Engine, folder: str, tmp_path: Path) -> set[str]:
    """What a folder of the leaf's disk holds."""
    listed = tool("debugfs", "-R", f'ls -p "{folder}"', Seen(engine, 1, tmp_path).disk).stdout
    return set(re.findall(r"^/\d+/\d+/\d+/\d+/(.+?)/\d*/$", listed, re.MULTILINE)) - {".", ".."}


def whole(engine: Engine, path: str, tmp_path: Path) -> list[tuple[str, str]]:
    """All below a folder of a disk, with content and modes."""
    target = tmp_path / f"dump-{len(list(tmp_path.iterdir()))}"
    target.mkdir()
    tool("debugfs", "-R", f"rdump /opt {target}", engine.path / "nodes" / path / "root.img")
    return [
        (str(one.relative_to(target)), f"{one.lstat().st_mode:o} {one.lstat().st_uid} "
         f"{os.readlink(one) if one.is_symlink() else one.read_text() if one.is_file() else ''}")
        for one in sorted(target.rglob("*"))
    ]  # fmt: skip


def test_a_hidden_folder_goes_with_all_in_it_and_comes_back_as_the_root_has_it(
    engine: Engine, tmp_path: Path
) -> None:
    table(engine.path, KITCHEN, HIDES)
    leaf(engine, 1, "kitchen")
    seen = Seen(engine, 1, tmp_path)
    assert seen.sound()
    assert inside(engine, "/opt", tmp_path) == {"old"}
    assert states(engine, 1) == {"opt/app": "applied"}
    assert not [f for f in engine.audit() if f.id.startswith("overlay")]
    table(engine.path, KITCHEN, "")
    (row,) = engine.overlay(name(1)).rows
    assert (row.path, row.state, row.kind) == ("opt/app", "gone", None)
    apply(engine)
    seen = Seen(engine, 1, tmp_path)
    assert seen.sound()
    assert whole(engine, name(1), tmp_path) == whole(engine, "deb", tmp_path)
    assert "user.of (4)" in tool("debugfs", "-R", "ea_list /opt/app/again", seen.disk).stdout
    assert engine.plan(ask.ApplyOverlays(names=(name(1),))).units == ()


def test_what_the_board_has_in_what_its_group_hides_stands_alone_there(
    engine: Engine, tmp_path: Path
) -> None:
    table(engine.path, KITCHEN, HIDES)
    put(engine.path, BOARD, "opt/app/many/own", "mine\n")
    leaf(engine, 1, "kitchen")
    assert inside(engine, "/opt/app", tmp_path) == {"many"}
    assert inside(engine, "/opt/app/many", tmp_path) == {"own"}
    rows = {row.path: row for row in engine.overlay(name(1)).rows}
    assert set(rows) == {"opt/app", "opt/app/many/own"}
    assert rows["opt/app"].clears
    assert [place.said for place in rows["opt/app"].hides] == ["group kitchen"]
    table(engine.path, KITCHEN, "")
    assert states(engine, 1) == {"opt/app": "gone", "opt/app/many/own": "applied"}
    apply(engine)
    seen = Seen(engine, 1, tmp_path)
    assert seen.sound()
    assert len(inside(engine, "/opt/app/many", tmp_path)) == 301
    assert seen.read("/opt/app/many/own") == "mine\n"
    assert seen.facts("/opt/app")[2] == "0:44"
    (engine.path / "repo" / BOARD / "deb/opt/app/many/own").unlink()
    apply(engine)
    assert whole(engine, name(1), tmp_path) == whole(engine, "deb", tmp_path)


def test_a_board_hides_what_its_group_lays(engine: Engine, tmp_path: Path) -> None:
    put(engine.path, KITCHEN, "opt/app/many/own", "of the kitchen\n")
    leaf(engine, 1, "kitchen")
    table(engine.path, BOARD, HIDES)
    assert states(engine, 1) == {"opt/app": "changed"}
    apply(engine)
    assert inside(engine, "/opt", tmp_path) == {"old"}
    (row,) = engine.overlay(name(1)).rows
    assert [place.said for place in row.hides] == ["group kitchen"]
    table(engine.path, BOARD, '[files."opt"]\nremove = true\n')
    apply(engine)
    assert inside(engine, "/", tmp_path).isdisjoint({"opt"})
    table(engine.path, BOARD, "")
    apply(engine)
    seen = Seen(engine, 1, tmp_path)
    assert (seen.sound(), seen.read("/opt/app/many/own")) == (True, "of the kitchen\n")
    assert len(inside(engine, "/opt/app/many", tmp_path)) == 301


def test_a_file_or_link_in_place_of_a_folder(engine: Engine, tmp_path: Path) -> None:
    leaf(engine, 1, "kitchen")
    here = engine.path / "repo" / KITCHEN / "deb/opt/app"
    here.parent.mkdir(parents=True)
    here.symlink_to("/srv")
    report = engine.apply(engine.plan(ask.ApplyOverlays(names=(name(1),))))
    assert "/opt/app is a folder on the disk" in report.results[0].error
    table(engine.path, KITCHEN, HIDES)
    apply(engine)
    assert Seen(engine, 1, tmp_path).leads("/opt/app") == "/srv"
    here.unlink()
    table(engine.path, KITCHEN, "")
    apply(engine)
    assert whole(engine, name(1), tmp_path) == whole(engine, "deb", tmp_path)


def test_what_a_board_made_in_it_goes_too(engine: Engine, tmp_path: Path) -> None:
    leaf(engine, 1, "kitchen")
    disk = engine.path / "nodes" / name(1) / "root.img"
    made = tmp_path / "made"
    made.write_text("cd /opt/app\nmknod pipe p\nmknod null c 1 3\nmkdir more\n")
    tool("debugfs", "-w", "-f", made, disk)
    table(engine.path, KITCHEN, HIDES)
    apply(engine)
    seen = Seen(engine, 1, tmp_path)
    assert (seen.sound(), seen.facts("/opt/app")) == (True, ("", "", ""))


def test_devices_pipes_and_sockets_of_the_root_stay_away_and_that_is_said(tmp_path: Path) -> None:
    tree = image_tree(tmp_path / "tree")
    os.mkfifo(tree / "opt/old/pipe")
    engine = make_site(tmp_path / "site", tree)
    table(engine.path, KITCHEN, '[files."opt/old"]\nremove = true\n')
    leaf(engine, 1, "kitchen")
    table(engine.path, KITCHEN, "")
    plan = engine.plan(ask.ApplyOverlays(names=(name(1),)))
    told: list[Note] = []
    engine.apply(plan, emit=lambda event: told.extend([event] if isinstance(event, Note) else []))
    assert any("/opt/old/pipe stay away: devices" in one.text for one in told)
    assert inside(engine, "/opt/old", tmp_path) == {"thing"}


def test_names_that_no_script_can_hold_are_refused_and_nothing_changes(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    disk = engine.path / "nodes" / name(1) / "root.img"
    tool("debugfs", "-w", "-R", "ln /opt/app/again /opt/app/odd\x07one", disk)
    before = disk.read_bytes()
    table(engine.path, KITCHEN, HIDES)
    report = engine.apply(engine.plan(ask.ApplyOverlays(names=(name(1),))))
    assert "/opt/app on the disk holds a name with odd characters" in report.results[0].error
    assert report.results[0].error.isprintable()
    assert disk.read_bytes() == before


@pytest.mark.parametrize("path", ["etc", "etc/ssh"])
def test_what_is_each_boards_own_can_not_be_hidden(engine: Engine, path: str) -> None:
    table(engine.path, KITCHEN, f'[files."{path}"]\nremove = true\n')
    with pytest.raises(Refused, match="holds files that are each board's own"):
        leaf(engine, 1, "kitchen")
    with pytest.raises(Refused, match="holds files that are each board's own"):
        engine.plan(ask.HideOverlay(image="deb", group="kitchen", target=path))


def test_hiding_by_the_verb_and_laying_in_it_afterwards(engine: Engine, tmp_path: Path) -> None:
    kitchen = {"image": "deb", "group": "kitchen", "target": "/opt/app"}
    leaf(engine, 1, "kitchen")
    do(engine, ask.HideOverlay.model_validate(kitchen))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/file").write_text("own\n")
    source = {"source": str(tmp_path / "own")}
    do(engine, ask.AddOverlay.model_validate({**kitchen, **source, "owner": "7"}))
    apply(engine)
    assert inside(engine, "/opt/app", tmp_path) == {"file"}
    assert Seen(engine, 1, tmp_path).facts("/opt/app") == ("directory", "0755", "7:7")
    plan = engine.plan(ask.HideOverlay.model_validate(kitchen))
    assert "what repo/groups/kitchen/deb has in it stays" in plan.notes
    assert engine.apply(plan).code == 0
    plan = engine.plan(ask.RemoveOverlay.model_validate(kitchen))
    assert any("stays hidden; say this again to have it" in note for note in plan.notes)
    assert engine.apply(plan).code == 0
    assert states(engine, 1) == {"opt": "gone", "opt/app": "changed"}
