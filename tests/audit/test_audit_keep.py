"""A finding that is kept as it is: for how long, until it changes, and what the file says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from sbctui.engine.audit.finding import Finding
from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, NoSuchNode, PlanChanged, Refused
from sbctui.engine.model.requests import KeepFindings, Request, UnkeepFindings
from sbctui.engine.plan import Report
from tests.audit.lab_site import L1, PI1, LabSite
from tests.audit.planted import FAULTS, Fault

STRAY = "stray:nodes/notes.txt"
ORPHAN = f"orphan:{L1}"
SWEPT = "trash_past_its_time"
"""The next change mends it before it begins."""
TODAY = datetime.now(UTC).date()


def do(lab: LabSite, request: Request) -> Report:
    engine = Engine(lab.path)
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return report


def keep(lab: LabSite, *ids: str, note: str = "ours", until: date | None = None) -> Report:
    return do(lab, KeepFindings(findings=ids, note=note, until=until))


def the(lab: LabSite, name: str) -> Finding:
    return next(one for one in lab.audit() if one.id == name)


@pytest.fixture
def stray(lab: LabSite) -> LabSite:
    lab.file("nodes/notes.txt").write_text("who is who\n")
    return lab


def test_it_is_kept_for_thirty_days_with_note_and_name(stray: LabSite) -> None:
    keep(stray, STRAY, note="the rack's list")
    kept = the(stray, STRAY).kept
    assert kept is not None
    assert kept.note == "the rack's list"
    assert kept.until == TODAY + timedelta(days=30)
    assert kept.by
    assert abs((datetime.now(UTC) - kept.made).total_seconds()) < 60


def test_what_is_kept_comes_last(stray: LabSite) -> None:
    stray.children("alpha", **{PI1: None})
    keep(stray, ORPHAN)
    assert [one.id for one in stray.audit()] == [STRAY, ORPHAN]


def test_it_holds_through_its_last_day_and_no_longer(stray: LabSite) -> None:
    keep(stray, STRAY, until=TODAY)
    assert the(stray, STRAY).kept
    pins = stray.file("pins.json")
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    pins.write_text(pins.read_text().replace(TODAY.isoformat(), yesterday, 1))
    found = the(stray, STRAY)
    assert found.kept is None
    assert yesterday in found.lapsed
    assert "ours" in found.lapsed


def test_a_finding_that_says_something_else_is_not_hidden(lab: LabSite) -> None:
    """The same id: the leaf is unlisted still, but its own word names another parent now."""
    lab.children("alpha", **{PI1: None})
    keep(lab, ORPHAN)
    assert the(lab, ORPHAN).kept
    lab.edit(L1, parent="nobody")
    found = the(lab, ORPHAN)
    assert found.kept is None
    assert "says something else" in found.lapsed


def test_what_grew_to_more_than_twice_its_size_is_not_hidden(stray: LabSite) -> None:
    keep(stray, STRAY)
    stray.file("nodes/notes.txt").write_bytes(b"x" * 4096)
    assert the(stray, STRAY).kept, "a little growth is nothing new"
    stray.file("nodes/notes.txt").write_bytes(b"x" * (3 << 20))
    found = the(stray, STRAY)
    assert found.kept is None
    assert "it takes" in found.lapsed or "takes" in found.lapsed


def test_a_pin_whose_finding_is_gone_goes_at_the_next_keep(stray: LabSite) -> None:
    keep(stray, STRAY)
    stray.file("nodes/notes.txt").unlink()
    assert [pin.finding for pin in stray.load().pins.pins] == [STRAY]
    stray.children("alpha", **{PI1: None})
    keep(stray, ORPHAN)
    assert [pin.finding for pin in stray.load().pins.pins] == [ORPHAN]


def test_keeping_again_changes_note_and_day(stray: LabSite) -> None:
    keep(stray, STRAY)
    keep(stray, STRAY, note="for good", until=TODAY + timedelta(days=900))
    kept = the(stray, STRAY).kept
    assert kept is not None
    assert (kept.note, kept.until) == ("for good", TODAY + timedelta(days=900))
    assert len(stray.load().pins.pins) == 1


def test_it_is_counted_again_when_let_go(stray: LabSite) -> None:
    keep(stray, STRAY)
    do(stray, UnkeepFindings(findings=(STRAY,)))
    found = the(stray, STRAY)
    assert (found.kept, found.lapsed) == (None, "")
    with pytest.raises(NoSuchNode, match="is not kept"):
        Engine(stray.path).plan(UnkeepFindings(findings=(STRAY,)))


def test_bad_asks_are_refused(stray: LabSite) -> None:
    engine = Engine(stray.path)
    with pytest.raises(BadInput, match="note"):
        engine.plan(KeepFindings(findings=(STRAY,), note="  "))
    with pytest.raises(BadInput, match="a day to come"):
        engine.plan(KeepFindings(findings=(STRAY,), note="x", until=TODAY - timedelta(days=1)))
    with pytest.raises(NoSuchNode, match="no finding"):
        engine.plan(KeepFindings(findings=("orphan:nobody",), note="x"))
    with pytest.raises(Refused, match="nothing is named"):
        engine.plan(KeepFindings(findings=(), note="x"))


def test_a_plan_to_keep_what_changed_meanwhile_is_not_run(lab: LabSite) -> None:
    lab.children("alpha", **{PI1: None})
    engine = Engine(lab.path)
    plan = engine.plan(KeepFindings(findings=(ORPHAN,), note="x"))
    lab.edit(L1, parent="nobody")
    Engine(lab.path).site(full=True)
    with pytest.raises(PlanChanged):
        Engine(lab.path).apply(plan)
    assert not lab.file("pins.json").exists()


def test_unknown_keys_of_the_file_survive(stray: LabSite) -> None:
    stray.children("alpha", **{PI1: None})
    keep(stray, STRAY)
    path = stray.file("pins.json")
    raw = json.loads(path.read_text())
    raw["team"], raw["pins"][0]["ticket"] = "lab", 77
    path.write_text(json.dumps(raw))
    keep(stray, ORPHAN)
    raw = json.loads(path.read_text())
    assert raw["team"] == "lab"
    assert raw["pins"][0]["ticket"] == 77
    assert raw["schema"] == 1


@pytest.mark.parametrize("text", ["", "{", '{"schema": 2, "pins": []}', '{"pins": [{}]}'])
def test_a_file_that_cant_be_read_is_named_and_never_written(stray: LabSite, text: str) -> None:
    stray.file("pins.json").write_text(text)
    found = [one.id for one in stray.audit()]
    assert found == ["pins:pins.json", STRAY]
    with pytest.raises(Refused, match=r"pins\.json can't be read"):
        Engine(stray.path).plan(KeepFindings(findings=(STRAY,), note="x"))
    assert stray.file("pins.json").read_text() == text


def test_a_hostile_note_is_shown_as_text(stray: LabSite) -> None:
    keep(stray, STRAY, note="[red]x\x1b[2J\u202e\udcff")
    kept = the(stray, STRAY).kept
    assert kept is not None
    assert kept.note == "[red]x\\x1b[2J\\u202e\\udcff"
    assert kept.note.isprintable()


@pytest.mark.parametrize(
    "fault", [f for f in FAULTS if f.name != SWEPT], ids=lambda fault: fault.name
)
def test_every_fault_can_be_kept(lab: LabSite, fault: Fault) -> None:
    """And stays so from one look to the next: nothing in what it says changes by itself."""
    fault.plant(lab)
    ids = [one.id for one in Engine(lab.path).audit()]
    keep(lab, *ids)
    for one in Engine(lab.path).audit():
        if one.id in ids:
            assert one.kept, (one.id, one.lapsed)
