"""What a finding is about, moved to the trash and back."""

from __future__ import annotations

import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoSuchNode, PlanChanged, Refused
from sbctui.engine.model.requests import FixFindings, RestoreTrash, TrashFindings
from sbctui.engine.model.site import Session
from sbctui.engine.model.trashname import origin, stray_name
from tests.audit.lab_site import L1, PI1, LabSite, back_date
from tests.audit.planted import FAULTS, Fault
from tests.audit.test_audit_keep import do

SERVICES = "services:services"


def test_an_orphan_that_could_be_listed_again_can_go_instead(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    found = lab.audit()[0]
    assert found.fix_title == "list pi-01 in alpha again"
    assert found.trash is not None
    report = do(lab, TrashFindings(findings=(found.id,)))
    assert report.results[0].title == "move pi-01 to the trash"
    assert not lab.node(L1).exists()
    assert lab.audit() == ()


def test_undo_brings_the_orphan_back_and_lists_it(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    do(lab, TrashFindings(findings=(f"orphan:{L1}",)))
    engine = Engine(lab.path)
    engine.apply(engine.plan(engine.undo()))
    assert lab.audit() == ()
    assert lab.node(L1).is_dir()


def test_a_leaf_with_a_board_on_it_is_left_alone(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    lab.facts = replace(lab.facts, sessions=(Session(L1, "10.77.0.61", 1.0),))
    found = lab.audit()[0]
    assert found.trash is None
    assert "a board is running" in found.untrashable


@pytest.mark.parametrize("name", ["notes.txt", "a b'c", "%2F", "ünï", "\udcff\x1b[31m", "x" * 190])
def test_a_stray_goes_and_comes_back(lab: LabSite, name: str) -> None:
    lab.file(f"nodes/{name}").write_text("who is who")
    engine = Engine(lab.path)
    found = next(one for one in engine.audit() if one.group == "stray")
    do(lab, TrashFindings(findings=(found.id,)))
    assert not lab.file(f"nodes/{name}").exists()
    assert lab.audit() == ()
    entry = next(t for t in Engine(lab.path).site().trash if t.origin)
    assert entry.origin == f"nodes/{name}"
    assert entry.allocated > 0
    do(lab, RestoreTrash(folders=(entry.folder,)))
    assert lab.file(f"nodes/{name}").read_text() == "who is who"


def test_a_broken_node_comes_back_as_it_was(lab: LabSite) -> None:
    (lab.node("delta") / "config.json").write_text("{")
    do(lab, TrashFindings(findings=("broken:delta",)))
    engine = Engine(lab.path)
    do(lab, engine.undo())
    assert (lab.node("delta") / "config.json").read_text() == "{"


def test_nothing_comes_back_over_something_else(lab: LabSite) -> None:
    lab.file("notes").mkdir()
    do(lab, TrashFindings(findings=("stray:notes",)))
    undo = Engine(lab.path).undo()
    plan = Engine(lab.path).plan(undo)
    lab.file("notes").write_text("new")
    with pytest.raises(Refused, match="something in its place"):
        Engine(lab.path).plan(undo)
    with pytest.raises((Refused, PlanChanged)):
        Engine(lab.path).apply(plan)
    assert lab.file("notes").read_text() == "new"


def test_a_place_taken_unseen_is_left_alone(lab: LabSite) -> None:
    """A file in a node's folder: only the move itself notices that its place is taken."""
    lab.file("nodes/alpha/note").write_text("old")
    do(lab, TrashFindings(findings=("stray:nodes/alpha/note",)))
    lab.file("nodes/alpha/note").write_text("new")
    engine = Engine(lab.path)
    report = engine.apply(engine.plan(engine.undo()))
    assert report.code == 3
    assert "something in its place" in report.results[0].error
    assert lab.file("nodes/alpha/note").read_text() == "new"


def test_a_dead_half_made_node_can_go_to_the_trash_and_a_live_one_not(lab: LabSite) -> None:
    folder = lab.node(".new-x")
    folder.mkdir()
    back_date(folder)
    found = lab.audit()[0]
    assert found.trash is not None
    fd = os.open(folder, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    live = lab.audit()[0]
    assert live.trash is None
    assert "wait for its job" in live.untrashable
    os.close(fd)
    do(lab, TrashFindings(findings=(found.id,)))
    assert lab.audit() == ()


def test_what_is_no_single_thing_says_so(lab: LabSite) -> None:
    engine = Engine(lab.path)
    with pytest.raises(Refused, match="no single thing"):
        engine.plan(TrashFindings(findings=(SERVICES,)))
    with pytest.raises(NoSuchNode, match="no finding"):
        engine.plan(TrashFindings(findings=("stray:nobody",)))


def test_what_was_mended_meanwhile_is_left_alone(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    engine = Engine(lab.path)
    plan = engine.plan(TrashFindings(findings=(f"orphan:{L1}",)))
    do(lab, FixFindings(findings=(f"orphan:{L1}",)))
    engine.apply(plan)
    assert lab.node(L1).is_dir()
    assert lab.audit() == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_can_go_leaves_no_trace_of_its_finding(lab: LabSite, fault: Fault) -> None:
    fault.plant(lab)
    engine = Engine(lab.path)
    able = tuple(one.id for one in engine.audit() if one.trash is not None)
    if able:
        do(lab, TrashFindings(findings=able))
        assert not set(able) & {one.id for one in Engine(lab.path).audit()}


@pytest.mark.parametrize("path", ["nodes/x", "x", "a b/ü", "nodes/%2F", "derived/tftp/\udcff"])
def test_a_place_survives_in_the_name(path: str) -> None:
    assert origin(stray_name(path)) == path
    assert "/" not in stray_name(path)


def test_names_that_lead_elsewhere_are_no_places() -> None:
    assert origin("%2F..%2F..%2Fetc%2Fpasswd") == ""
    assert origin("%2F%2Fetc") == ""
    assert origin("debian12") == ""
    long = stray_name("nodes/" + "%" * 200)
    assert len(long) <= 220
    assert origin(long) == ""
    assert Path(long).name == long
