"""Overlays follow their groups, boards and images; adding to them and taking away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.overlay import Place
from sbctui.engine.repository.group_plan import groups
from tests.repository.overlaid import Seen, do, leaf, mac, make_site, name, put

KITCHEN, BOARD = "groups/kitchen", f"clients/{name(1)}"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An empty root, a leaf in the kitchen, files for both."""
    (tmp_path / "tree/etc").mkdir(parents=True)
    engine = make_site(tmp_path / "site", tmp_path / "tree", size=4 * 1024**2)
    put(engine.path, KITCHEN, "etc/motd", "kitchen\n")
    put(engine.path, BOARD, "etc/own", "own\n")
    leaf(engine, 1, "kitchen")
    return engine


def overlays(engine: Engine) -> set[str]:
    return {place.path for place in engine.site(full=True).overlays}


def quiet(engine: Engine) -> bool:
    """Nothing of overlays, strays and leftovers for the audit to tell."""
    return not [f.id for f in engine.audit() if not f.id.startswith("services")]


def test_a_group_takes_all_that_is_its_along(engine: Engine) -> None:
    template = engine.path / "templates/groups/kitchen/boot.cmd"
    template.parent.mkdir(parents=True)
    template.write_text("echo kitchen\n")
    do(engine, ask.RegisterBoards(boards=(ask.BoardSpec(mac=mac(7), group="kitchen"),)))
    do(engine, ask.RenameGroup(name="kitchen", to="hall"))
    (hall,) = groups(engine.site(full=True))
    assert hall.name == "hall"
    assert hall.members == (name(1),)
    assert hall.overlays == (Place("group", "hall", "deb"),)
    assert (hall.templates, hall.registered) == (("boot.cmd",), (mac(7),))
    assert {row.state for row in engine.overlay(name(1)).rows} == {"applied"}
    assert b"echo kitchen" in (engine.path / "nodes" / name(1) / "boot/boot.scr").read_bytes()
    assert quiet(engine)
    do(engine, ask.RenameGroup(name="hall", to="kitchen"))
    assert template.exists()


def test_a_group_that_can_not_be_renamed_stays_as_it_was(engine: Engine) -> None:
    leaf(engine, 2, "hall")
    with pytest.raises(Refused, match="there is a group hall already"):
        engine.plan(ask.RenameGroup(name="kitchen", to="hall"))
    with pytest.raises(NoSuchNode, match="no group 'cellar'"):
        engine.plan(ask.RenameGroup(name="cellar", to="attic"))
    plan = engine.plan(ask.RenameGroup(name="kitchen", to="attic"))
    (engine.path / "repo/groups/attic").mkdir()
    report = engine.apply(plan)
    assert "repo/groups/attic is there already" in report.results[0].error
    assert engine.site(full=True).nodes[name(1)].config.group == "kitchen"


def test_two_groups_become_one_when_that_is_said(engine: Engine) -> None:
    leaf(engine, 2, "hall")
    do(engine, ask.RenameGroup(name="kitchen", to="hall", merge=True))
    (hall,) = groups(engine.site(full=True))
    assert hall.members == (name(1), name(2))
    assert overlays(engine) == {"repo/groups/hall/deb", f"repo/{BOARD}/deb"}
    put(engine.path, "groups/attic", "etc/x")
    with pytest.raises(Refused, match="both repo/groups/hall/deb and repo/groups/attic/deb"):
        engine.plan(ask.RenameGroup(name="attic", to="hall", merge=True))


def test_a_deleted_group_leaves_its_files_in_the_trash(engine: Engine, tmp_path: Path) -> None:
    plan = engine.plan(ask.DeleteGroup(name="kitchen"))
    assert any("the old ones until sbctui overlay apply" in note for note in plan.notes)
    assert engine.apply(plan).code == 0
    assert engine.site().nodes[name(1)].config.group == ""
    assert overlays(engine) == {f"repo/{BOARD}/deb"}
    do(engine, ask.ApplyOverlays(names=(name(1),)))
    assert Seen(engine, 1, tmp_path).facts("/etc/motd") == ("", "", "")
    do(engine, engine.undo())
    assert overlays(engine) == {f"repo/{BOARD}/deb", f"repo/{KITCHEN}/deb"}


def test_another_group_says_what_that_means(engine: Engine) -> None:
    plan = engine.plan(ask.SetGroup(names=(name(1),), group="hall"))
    assert "its disk keeps the old ones until sbctui overlay apply" in plan.notes[0]
    assert engine.plan(ask.EditNode(name=name(1), group="hall")).notes == plan.notes
    assert engine.apply(plan).code == 0
    assert {r.path: r.state for r in engine.overlay(name(1)).rows}["etc/motd"] == "gone"
    assert engine.plan(ask.SetGroup(names=(name(1),), group="hall")).units == ()


def test_a_deleted_leaf_has_its_files_with_it(engine: Engine) -> None:
    do(engine, ask.DeleteLeaves(root="deb"))
    assert overlays(engine) == {f"repo/{KITCHEN}/deb"}
    (entry,) = engine.site().trash
    assert entry.overlays == (f"repo/{BOARD}",)
    do(engine, engine.undo())
    assert overlays(engine) == {f"repo/{KITCHEN}/deb", f"repo/{BOARD}/deb"}
    assert sorted(os.listdir(engine.path / "nodes" / name(1))) == [
        "boot", "config.json", "overlay.json", "root.img",
    ]  # fmt: skip
    assert {row.state for row in engine.overlay(name(1)).rows} == {"applied"}
    assert quiet(engine)


def test_what_took_its_place_meanwhile_keeps_a_leaf_in_the_trash(engine: Engine) -> None:
    do(engine, ask.DeleteLeaves(root="deb"))
    put(engine.path, BOARD, "etc/new", "new\n")
    with pytest.raises(Refused, match=f"repo/{BOARD} is there already"):
        engine.plan(engine.undo())


def test_a_root_takes_the_overlays_over_it_along(engine: Engine) -> None:
    do(engine, ask.DeleteLeaves(root="deb"))
    do(engine, ask.PurgeTrash(folders=tuple(t.folder for t in engine.site().trash)))
    do(engine, ask.RenameRoot(name="deb", to="debian"))
    assert overlays(engine) == {f"repo/{KITCHEN}/debian"}
    do(engine, ask.DeleteRoot(name="debian"))
    assert overlays(engine) == set()
    (entry,) = engine.site().trash
    assert entry.overlays == (f"repo/{KITCHEN}/debian",)
    do(engine, engine.undo())
    assert overlays(engine) == {f"repo/{KITCHEN}/debian"}
    assert (engine.path / "repo" / KITCHEN / "debian/etc/motd").read_text() == "kitchen\n"


def test_a_root_can_not_take_a_name_over_which_files_lie(engine: Engine) -> None:
    do(engine, ask.CreateRoot(name="free", size=4 * 1024**2))
    (engine.path / "repo/groups/hall/free").mkdir(parents=True)
    (engine.path / "repo/groups/hall/taken").mkdir()
    with pytest.raises(Refused, match="repo/groups/hall/taken is there already"):
        engine.plan(ask.RenameRoot(name="free", to="taken"))


def add(engine: Engine, source: Path | str, target: str, **more: object) -> ask.AddOverlay:
    return ask.AddOverlay(source=str(source), target=target, image="deb", group="kitchen", **more)  # type: ignore[arg-type]


def test_adding_hiding_and_taking_away(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/run").write_text("#!/bin/sh\n")
    (folder / "bin/run").chmod(0o755)
    (folder / "current").symlink_to("bin")
    do(engine, add(engine, folder, "/opt/app", owner="7"))
    do(engine, add(engine, folder / "bin/run", "/etc/motd", mode="0600"))
    here = engine.path / "repo" / KITCHEN / "deb"
    assert (here / "opt/app/bin/run").stat().st_mode & 0o777 == 0o755
    assert os.readlink(here / "opt/app/current") == "bin"
    rows = {row.path: row for row in engine.overlay(name(1)).rows}
    assert (rows["opt/app"].owner, rows["etc/motd"].mode) == ("7:7", 0o600)
    do(engine, add(engine, folder / "bin/run", "/etc/motd"))
    assert {r.path: r for r in engine.overlay(name(1)).rows}["etc/motd"].mode == 0o755
    nowhere = add(engine, folder, "/opt/app").model_copy(update={"image": "none"})
    assert (
        "there is no root none yet: until there is, no board gets it" in engine.plan(nowhere).notes
    )
    kitchen = {"image": "deb", "group": "kitchen"}
    do(engine, ask.RemoveOverlay(target="/opt/app/bin/run", **kitchen))  # type: ignore[arg-type]
    assert not (here / "opt/app/bin").exists()
    assert (here / "opt/app/current").is_symlink()
    do(engine, engine.undo())
    assert (here / "opt/app/bin/run").exists()
    do(engine, ask.HideOverlay(target="/etc/issue", **kitchen))  # type: ignore[arg-type]
    assert {r.path: r for r in engine.overlay(name(1)).rows}["etc/issue"].kind == "removed"
    do(engine, ask.RemoveOverlay(target="/etc/issue", **kitchen))  # type: ignore[arg-type]
    assert "etc/issue" not in {r.path for r in engine.overlay(name(1)).rows}
    with pytest.raises(NoSuchNode, match="holds no etc/issue"):
        engine.plan(ask.RemoveOverlay(target="/etc/issue", **kitchen))  # type: ignore[arg-type]
    with pytest.raises(Refused, match="take that out first"):
        engine.plan(ask.HideOverlay(target="/etc/motd", **kitchen))  # type: ignore[arg-type]
    assert not [p for p in here.parent.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize(
    ("target", "more", "why"),
    [
        ("/etc/motd/x", {}, "no folder in the overlay"),
        ("/etc", {}, "is a folder in the overlay"),
        ("/.overlay.toml", {}, "own table"),
    ],
)
def test_what_can_not_be_added_changes_nothing(
    engine: Engine, tmp_path: Path, target: str, more: dict[str, str], why: str
) -> None:
    (tmp_path / "file").write_text("x")
    report = engine.apply(engine.plan(add(engine, tmp_path / "file", target, **more)))
    assert why in report.results[0].error
    here = engine.path / "repo" / KITCHEN
    assert [p.name for p in here.iterdir()] == ["deb"]
    assert [str(p.relative_to(here)) for p in sorted(here.rglob("*"))] == [
        "deb", "deb/etc", "deb/etc/motd",
    ]  # fmt: skip


def test_bad_sources_and_templates_are_told_before_there_is_a_plan(
    engine: Engine, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "bad").write_text("a\n{{ b\n")
    (tmp_path / "binary").write_bytes(b"a\n\xff")
    for source, more, why in (
        (tmp_path / "none", {}, "there is no"),
        (tmp_path / "pipe", {}, "neither file"),
        (tmp_path / "bad", {"template": True}, "line 2, column 1: '{{' is never closed"),
        (tmp_path / "binary", {"template": True}, "line 2, column 1: a template is UTF-8"),
        (tmp_path / "bad", {"owner": "www-data"}, "write numbers"),
        (tmp_path / "bad", {"mode": "8"}, "octal"),
    ):
        with pytest.raises(BadInput, match=why):
            engine.plan(add(engine, source, "/etc/x", **more))  # type: ignore[arg-type]


def test_overlays_of_nobody_are_found_once_and_can_go(engine: Engine) -> None:
    put(engine.path, "groups/nobodys", "etc/x")
    (engine.path / "repo/groups/nobodys/other").mkdir()
    put(engine.path, f"clients/{name(9)}", "etc/x")
    (engine.path / "repo" / KITCHEN / "gone").mkdir()
    (engine.path / "repo/groups/bare").mkdir()
    found = [f for f in engine.audit() if not f.id.startswith("services")]
    assert sorted(f.id for f in found) == [
        f"overlay-orphan:repo/clients/{name(9)}",
        "overlay-orphan:repo/groups/bare",
        "overlay-orphan:repo/groups/kitchen/gone",
        "overlay-orphan:repo/groups/nobodys",
    ]
    do(engine, ask.FixFindings(findings=tuple(f.id for f in found)))
    assert quiet(engine)
