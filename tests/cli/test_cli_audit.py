"""``sbctui audit``: what it prints, and mending, trashing, keeping by the id it printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.program import MAC, Program

LEAF = MAC.format(1).replace(":", "-")
ORPHAN = f"orphan:{LEAF}"
SERVICES = "services:services"
STRAY = "stray:nodes/notes.txt"


@pytest.fixture
def spoilt(sbctui: Program) -> Program:
    """The furnished site with an orphan, a stray, and services that don't run."""
    path = sbctui.site / "nodes" / "debian12" / "config.json"
    raw = json.loads(path.read_text())
    del raw["children"][MAC.format(1)]
    path.write_text(json.dumps(raw))
    (sbctui.site / "nodes" / "notes.txt").write_text("who is who")
    return sbctui


def finding(program: Program, name: str) -> Any:
    found = program("audit", "--json").json["findings"]
    return next((one for one in found if one["id"] == name), None)


def test_it_prints_groups_with_proof_and_the_line_that_mends(spoilt: Program) -> None:
    ran = spoilt("audit")
    assert ran.code == 8
    for words in (
        "orphans: leaves that no root lists (1",
        "pi-01 is an orphan: no root lists it",
        f"proof   nodes/{LEAF}/config.json: parent is debian12",
        "fix     list pi-01 in debian12 again (loses nothing)",
        f"sbctui audit --fix {ORPHAN}",
        "fix     move nodes/notes.txt to the trash (look at the plan first)",
        "no fix  start them: sbctui services start",
    ):
        assert words in ran.out, words
    assert "nothing disagrees" not in ran.out


def test_fix_without_ids_leaves_what_may_lose_something(spoilt: Program) -> None:
    ran = spoilt("audit", "--fix", "-y")
    assert ran.code == 8
    assert finding(spoilt, ORPHAN) is None
    assert finding(spoilt, STRAY) is not None


def test_trash_moves_it_away_and_undo_brings_it_back(spoilt: Program) -> None:
    assert finding(spoilt, ORPHAN)["trash"] == "move pi-01 to the trash"
    report = spoilt.ok("audit", "--trash", ORPHAN, STRAY, "-y", "--json").json["report"]
    assert (report["code"], report["verb"]) == (0, "audit trash")
    assert not (spoilt.site / "nodes" / LEAF).exists()
    assert not (spoilt.site / "nodes" / "notes.txt").exists()
    spoilt.ok("undo", "-y")
    assert (spoilt.site / "nodes" / LEAF).exists()
    assert (spoilt.site / "nodes" / "notes.txt").read_text() == "who is who"
    assert finding(spoilt, ORPHAN) is None, "undo lists it again"


def test_two_or_more_want_their_count_typed(spoilt: Program) -> None:
    ran = spoilt.alone("audit", "--trash", ORPHAN, STRAY, stdin="y\n")
    assert ran.code == 1
    assert (spoilt.site / "nodes" / "notes.txt").exists()


def test_what_is_kept_is_listed_and_not_counted(spoilt: Program) -> None:
    spoilt.ok("audit", "--trash", ORPHAN, "-y")
    keep = ("audit", "--keep", SERVICES, STRAY, "--note", "no boards yet", "--until", "2999-12-31")
    report = spoilt.ok(*keep, "-y", "--json").json["report"]
    assert report["done"] == 2
    assert report["command"] == f"sbctui {' '.join(keep[:4])} --note 'no boards yet' " \
        "--until 2999-12-31"  # fmt: skip
    ran = spoilt.ok("audit")
    assert "kept: left as they are by somebody's word, and not counted (2" in ran.out
    assert "until 2999-12-31" in ran.out
    assert "no boards yet" in ran.out
    assert "nothing disagrees" in ran.out
    kept = finding(spoilt, SERVICES)["kept"]
    assert (kept["note"], kept["until"]) == ("no boards yet", "2999-12-31")
    assert kept["made"].endswith("Z")
    assert spoilt.ok("audit", "--fix", "-y").out == (
        "nothing that can be mended without being named\n"
    )


def test_it_is_counted_again_when_let_go(spoilt: Program) -> None:
    spoilt.ok("audit", "--keep", STRAY, "--note", "ours", "-y")
    assert finding(spoilt, STRAY)["kept"]["note"] == "ours"
    spoilt.ok("audit", "--unkeep", STRAY, "-y")
    assert finding(spoilt, STRAY)["kept"] is None
    assert spoilt("audit").code == 8


def test_what_changed_is_said_to_be_another(spoilt: Program) -> None:
    spoilt.ok("audit", "--keep", ORPHAN, "--note", "later", "-y")
    path = spoilt.site / "nodes" / LEAF / "config.json"
    path.write_text(path.read_text().replace('"parent": "debian12"', '"parent": "spare"'))
    ran = spoilt("audit")
    assert ran.code == 8
    assert "says something else now: later" in ran.out
    assert "says something else now" in finding(spoilt, ORPHAN)["lapsed"]
