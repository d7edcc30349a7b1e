"""Ignoring, registering and comparing boards: plans, verbs, bad files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sbctui.engine.boards.compare import compare
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model.requests import (
    BoardSpec,
    IgnoreBoards,
    RegisterBoards,
    UnignoreBoards,
    UnregisterBoards,
)
from sbctui.engine.model.roster import ROSTER
from sbctui.engine.model.settings import Settings

ONE, TWO, THREE = (f"dc:a6:32:00:00:{n:02x}" for n in (1, 2, 3))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    init_site(tmp_path / "site", Settings())
    return Engine(tmp_path / "site")


def test_boards_are_ignored_once_and_seen_again(engine: Engine) -> None:
    assert engine.apply(engine.plan(IgnoreBoards(macs=(ONE, TWO, ONE), note="laptops"))).code == 0
    assert engine.site().ignored == {ONE, TWO}
    assert not engine.plan(IgnoreBoards(macs=(ONE,))).units
    assert engine.apply(engine.plan(UnignoreBoards(macs=(ONE,)))).code == 0
    assert Engine(engine.path).site().ignored == {TWO}
    with pytest.raises(NoSuchNode, match=f"{ONE} is not ignored"):
        engine.plan(UnignoreBoards(macs=(ONE,)))
    (entry,) = engine.site().roster.ignored
    assert entry.note == "laptops"


def test_a_list_is_registered_changed_and_struck_off(engine: Engine) -> None:
    boards = (BoardSpec(mac=ONE, alias="pi-01"), BoardSpec(mac=TWO))
    assert engine.apply(engine.plan(RegisterBoards(boards=boards))).code == 0
    assert not engine.plan(RegisterBoards(boards=boards)).units
    moved = (BoardSpec(mac=ONE, alias="pi-09", group="window"), BoardSpec(mac=TWO))
    plan = engine.plan(RegisterBoards(boards=moved))
    assert plan.title == "register 1 board"
    engine.apply(plan)
    listed = {one.mac: (one.alias, one.group) for one in engine.site().roster.registered}
    assert listed == {ONE: ("pi-09", "window"), TWO: ("", "")}
    engine.apply(engine.plan(UnregisterBoards(macs=(TWO,))))
    engine.apply(engine.plan(UnregisterBoards()))
    assert engine.site().roster.registered == ()
    with pytest.raises(NoSuchNode, match="is not registered"):
        engine.plan(UnregisterBoards(macs=(ONE,)))


def test_unknown_keys_survive_and_a_file_that_cannot_be_read_is_not_overwritten(
    engine: Engine,
) -> None:
    path = engine.path / ROSTER
    path.write_text(json.dumps({"schema": 1, "later": {"x": 1}}))
    engine.apply(engine.plan(IgnoreBoards(macs=(ONE,))))
    assert json.loads(path.read_text())["later"] == {"x": 1}
    for bad in ("{", '{"schema": 2}', '{"ignored": [{"mac": "\\u001b[2J", "made": "x"}]}'):
        path.write_text(bad)
        engine = Engine(engine.path)
        with pytest.raises(Refused, match=ROSTER):
            engine.plan(IgnoreBoards(macs=(TWO,)))
        (found,) = [one for one in engine.audit() if one.subject == ROSTER]
        assert "\x1b" not in found.title
        assert path.read_text() == bad
    path.unlink()
    os.mkfifo(path)
    assert Engine(engine.path).site().roster_fault


def test_a_write_that_fails_leaves_the_list_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.apply(engine.plan(IgnoreBoards(macs=(ONE,))))
    before = (engine.path / ROSTER).read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sbctui.engine.boards.perform.swap_in", full)
    assert engine.apply(engine.plan(IgnoreBoards(macs=(TWO,)))).code == 9
    assert (engine.path / ROSTER).read_bytes() == before


def test_the_three_are_compared(engine: Engine) -> None:
    engine.apply(engine.plan(RegisterBoards(boards=(BoardSpec(mac=ONE), BoardSpec(mac=TWO)))))
    engine.apply(engine.plan(IgnoreBoards(macs=("02:00:00:00:00:09",))))
    seen = {ONE: 5.0, THREE: 6.0, "02:00:00:00:00:09": 7.0}
    found = {one.mac: one for one in compare(engine.site(), {"02:00:00:00:00:01"}, seen)}
    assert found.keys() == {ONE, TWO, THREE, "02:00:00:00:00:01"}
    assert found[ONE].verdict == "asks and has no node"
    assert found[TWO].verdict == "registered, has no node and was never seen"
    assert found[THREE].verdict == "a stranger: asks and is not registered"
    assert found["02:00:00:00:00:01"].verdict.startswith("DHCP knows it and it has no node")
    assert (found[THREE].registered, found[THREE].seen, found[THREE].last) == (False, True, 6.0)
