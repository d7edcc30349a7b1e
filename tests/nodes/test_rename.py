"""Another name for a root: what is planned and refused, and what becomes of it on a disk."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from sbctui.engine import files
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import BadInput, NoSuchNode, PlanChanged, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Broken
from sbctui.engine.nodes.plan import plan_for
from tests.faults import harness
from tests.nodes.sites import family, leaf, mac, root, site
from tests.nodes.test_plan_leaves import trashed
from tests.store.test_engine import SETTINGS

MIB = 1024**2
ASKED = ask.RenameRoot(name="r", to="new")


def test_the_rename_is_one_unit_and_its_reverse_is_named():
    plan = plan_for(ASKED, site(root("r")))
    assert [[a.kind for a in unit.actions] for unit in plan.units] == [["rename"], ["refresh"]]
    assert plan.command == "sbctui root rename r new"
    assert plan.notes == ("it goes back with: sbctui root rename new r",)


def test_orphans_are_told_before_the_root_is_renamed():
    orphan = leaf(9, "r")
    raw = orphan.config.disk.model_copy(update={"format": "raw", "base": None, "base_made": None})
    orphan = replace(orphan, config=orphan.config.model_copy(update={"disk": raw}))
    plan = plan_for(ASKED, site(root("r"), orphan, *family(1, "other")))
    told, renamed = plan.units[0].actions
    assert (told.name, told.after.parent, renamed.kind) == (orphan.name, "new", "rename")


def test_leaves_in_the_trash_that_need_the_old_name_are_said():
    gone = trashed(leaf(1, "r"))
    raw = gone.config.disk.model_copy(update={"format": "raw", "base": None, "base_made": None})
    gone = replace(gone, config=gone.config.model_copy(update={"disk": raw}))
    plan = plan_for(ASKED, replace(site(root("r")), trash=(gone,)))
    assert plan.notes[1] == (
        "1 leaf of r in the trash can be restored only while a root has that name"
    )


def kept_elsewhere(**more):
    """A site where boards get the root r by default, and r has templates of its own."""
    models = {"Raspberry Pi 4*": "r", "Orange Pi*": "other"}
    here = replace(site(root("r")), templates={"roots/r/boot.cmd": "x", "boot.cmd": "y", **more})
    return here.with_rest(settings=here.settings.model_copy(update={"models": models}))


def test_what_is_kept_under_its_name_follows_it_in_the_same_unit():
    plan = plan_for(ASKED, kept_elsewhere())
    models, templates, renamed = plan.units[0].actions
    assert models.after == {"Raspberry Pi 4*": "new", "Orange Pi*": "other"}
    assert (templates.path, templates.to) == ("templates/roots/r", "templates/roots/new")
    assert renamed.kind == "rename"
    assert plan.notes[1:] == (
        "it stays the default root of boards of the model Raspberry Pi 4*",
        "its templates, in templates/roots/r, go with it",
    )


def test_templates_that_wait_for_the_new_name_are_not_mixed_with_its_own():
    with pytest.raises(Refused, match="there are templates for new already"):
        plan_for(ASKED, kept_elsewhere(**{"roots/new/boot.cmd": "z"}))


def test_a_default_root_that_goes_says_whom_that_leaves_without():
    plan = plan_for(ask.DeleteRoot(name="r"), kept_elsewhere())
    assert plan.notes[1] == (
        "new leaves of boards of the model Raspberry Pi 4* get r by default and will have no "
        "root: sbctui image model 'Raspberry Pi 4*' ROOT, or --none"
    )
    assert len(plan_for(ask.DeleteRoot(name="r"), site(root("r"))).notes) == 1


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (site(root("r", mac=mac(1))), "allocated to"),
        (site(*family(2, "r")), "r has 2 leaves"),
        (site(root("r"), leaf(1, "r")), "stand on the disk of r"),
        (replace(site(root("r")), trash=(trashed(leaf(1, "r")),)), "in the trash still use"),
        (site(root("r"), root("new")), "there is a node new already"),
        (replace(site(root("r")), broken={"new": Broken("new", "?", 0, 0)}), "there is a node new"),
        (site(leaf(1, "x", alias="r")), "is a leaf, not a root"),
        (site(root("r"), writable=False), "can't be written"),
        (replace(site(), broken={"r": Broken("r", "no config", 0, 0)}), "r is broken: no config"),
    ],
)
def test_what_stands_against_it_is_said(here, why):
    with pytest.raises(Refused, match=why):
        plan_for(ASKED, here)


def test_a_root_that_is_not_there_and_a_name_that_is_none():
    with pytest.raises(NoSuchNode):
        plan_for(ASKED, site())
    for name in ("", "New", "a/b", "dc-a6-32-00-00-01", ".x", "a" * 64):
        with pytest.raises((ValueError, BadInput)):
            ask.RenameRoot(name="r", to=name)
    with pytest.raises(Refused, match="there is a node r already"):
        plan_for(ask.RenameRoot(name="r", to="r"), site(root("r")))


@pytest.fixture
def engine(tmp_path):
    tmp_path.chmod(0o755)
    init_site(tmp_path / "site", SETTINGS)
    made = Engine(tmp_path / "site")
    do(made, ask.CreateRoot(name="r", size=16 * MIB))
    return made


def do(engine, request):
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return report


def files_of(engine, name):
    folder = engine.path / "nodes" / name
    return sorted(p.name for p in folder.iterdir()), (folder / "root.img").stat().st_ino


def test_it_is_the_same_root_under_another_name(engine):
    before, (names, inode) = engine.site().nodes["r"].config, files_of(engine, "r")
    watching = Engine(engine.path)
    watching.site()
    do(engine, ASKED)
    for one in (engine, watching, Engine(engine.path)):
        assert list(one.site().nodes) == ["new"]
        after = one.site().nodes["new"].config
        assert after == before.model_copy(update={"name": "new"})
    assert files_of(engine, "new") == (names, inode)
    assert {f.group for f in engine.audit()} <= {"service"}
    do(engine, ask.RenameRoot(name="new", to="r"))
    assert engine.site().nodes["r"].config == before


def test_it_can_be_used_like_any_root(engine):
    do(engine, ASKED)
    do(engine, ask.CreateLeaves(root="new", leaves=(ask.LeafSpec(mac=mac(1)),)))
    assert engine.site().leaves[0].config.parent == "new"
    do(engine, ask.DeleteLeaves(root="new"))
    do(engine, ask.PurgeTrash(folders=tuple(t.folder for t in engine.site().trash)))
    do(engine, ask.AllocateRoot(name="new", mac=mac(2)))
    link = engine.path / "derived" / "tftp" / mac(2).replace(":", "-")
    assert os.readlink(link) == "../../nodes/new/boot"


def test_a_root_whose_disk_is_open_is_left_alone(engine):
    plan = engine.plan(ASKED)
    with open(engine.path / "nodes" / "r" / "root.img", "rb"):
        report = engine.apply(plan)
    assert report.code == 3
    assert "is open by another program" in report.results[0].error
    assert list(engine.site(full=True).nodes) == ["r"]
    assert ".config.json.renamed" not in files_of(engine, "r")[0]


def test_an_orphan_remembers_the_new_name(engine):
    do(engine, ask.CreateRoot(name="other", size=16 * MIB))
    do(engine, ask.CreateLeaves(root="other", leaves=(ask.LeafSpec(mac=mac(1)),)))
    for path, old, new in (
        (engine.site().leaves[0].name, '"parent": "other"', '"parent": "r"'),
        ("other", f'"{mac(1)}": "{mac(1).replace(":", "-")}"', ""),
    ):
        config = engine.path / "nodes" / path / "config.json"
        text = config.read_text()
        assert old in text
        config.write_text(text.replace(old, new))
    engine.site(full=True)
    do(engine, ASKED)
    assert engine.site().leaves[0].config.parent == "new"


def killed_at(engine: Engine, step: str, number: int = 1) -> None:
    """Rename in a child that dies at the ``number``-th such step."""

    def body():
        other, seen = Engine(engine.path), []
        plan = other.plan(ASKED)

        def failpoint(name):
            seen.append(name)
            if seen.count(step) == number and name == step:
                os.kill(os.getpid(), signal.SIGKILL)

        files.failpoint = failpoint
        other.apply(plan)

    assert harness.in_child(body) is None, "it was not killed"


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("file.create", "r"),
        ("rename", "r"),
        ("rename.fsync-target", "new"),
        ("file.rename", "new"),
        ("file.forget", "new"),
    ],
)
def test_killed_anywhere_it_is_whole_under_one_name_before_anything_is_mended(engine, step, name):
    killed_at(engine, step)
    looked = Engine(engine.path).site(full=True)
    assert (list(looked.nodes), dict(looked.broken)) == ([name], {})
    assert looked.nodes[name].config.name == name
    harness.recover(engine.path)
    mended = Engine(engine.path).site(full=True)
    assert list(mended.nodes) == [name]
    folder = engine.path / "nodes" / name
    assert f'"name": "{name}"' in (folder / "config.json").read_text()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_folder_renamed_by_hand_is_still_broken(engine):
    nodes = engine.path / "nodes"
    (nodes / "r").rename(nodes / "mine")
    assert engine.site(full=True).broken["mine"].reason == "config.json names it 'r'"
    (nodes / "mine" / ".config.json.renamed").write_text("{")
    harness.recover(engine.path)
    assert "mine" in engine.site(full=True).broken


def test_what_changed_since_the_plan_stops_it(engine):
    plan = engine.plan(ASKED)
    do(Engine(engine.path), ask.AllocateRoot(name="r", mac=mac(1)))
    with pytest.raises((PlanChanged, Refused)):
        engine.apply(plan)
    assert list(engine.site().nodes) == ["r"]
