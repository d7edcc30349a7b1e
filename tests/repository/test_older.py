"""Older flat trees: every file goes with its image, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.requests import ImportTree
from sbctui.engine.repository.older import by_name
from tests.repository.places import put

LINBO = {
    "ubuntu22.04.qcow2": b"one", "ubuntu22.04.qcow2.desc": b"d", "ubuntu22.04.qcow2.info": b"i",
    "ubuntu22.04.qcow2.macct": b"m", "ubuntu22.04.qcow2.torrent": b"t",
    "ubuntu22.04.qcow2.md5": b"5", "ubuntu22.04.reg": b"r", "ubuntu22.04.postsync": b"p",
    "win10.cloop": b"two", "win10.cloop.info": b"i", "win10.rsync": b"diff", "win10-new.img": b"3",
    "start.conf": b"[LINBO]", "images/debian/debian.qcow2": b"four",
    "images/debian/debian.qcow2.desc": b"d", ".hidden.img": b"no",
}  # fmt: skip


@pytest.fixture
def older(tmp_path: Path) -> Path:
    folder = tmp_path / "hdimages"
    for path, data in LINBO.items():
        put(folder, path, data)
    return folder


def test_files_go_with_the_image_they_are_named_after() -> None:
    groups, rest = by_name(LINBO)
    assert groups["win10"] == ("win10.cloop", "win10.cloop.info", "win10.rsync")
    assert groups["win10-new"] == ("win10-new.img",)
    assert len(groups["ubuntu22.04"]) == 8
    assert groups["debian"] == ("images/debian/debian.qcow2", "images/debian/debian.qcow2.desc")
    assert "start.conf" in rest
    named = [path for files in groups.values() for path in files]
    assert sorted([*named, *rest]) == sorted(LINBO)


@pytest.mark.parametrize("move", [False, True])
def test_nothing_is_lost(engine: Engine, older: Path, move: bool) -> None:
    plan = engine.plan(ImportTree(folder=str(older), move=move))
    assert any("start.conf" in note for note in plan.notes)
    assert engine.apply(plan).code == 0
    images = engine.path / "repo/images"
    for path, data in LINBO.items():
        name = Path(path).name
        if name in ("start.conf", ".hidden.img"):
            assert (older / path).read_bytes() == data
            continue
        (found,) = images.rglob(name)
        assert found.read_bytes() == data
        assert (older / path).exists() is not move
    assert (images / "ubuntu22.04/ubuntu22.04.qcow2").stat().st_nlink == (1 if move else 2)
    assert engine.plan(ImportTree(folder=str(older))).units == () if not move else True


def test_what_fails_in_the_middle_is_taken_back(engine: Engine, older: Path) -> None:
    plan = engine.plan(ImportTree(folder=str(older), move=True))
    put(engine.path, "repo/images/win10/win10.rsync", b"in the way")
    report = engine.apply(plan)
    failed = [one.title for one in report.of("failed")]
    assert failed == ["import win10 to repo:win10/"] or report.changed
    assert all((older / name).exists() for name in LINBO if name.startswith("win10."))


def test_what_is_no_older_tree_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder"):
        engine.plan(ImportTree(folder=str(tmp_path / "nowhere")))
    put(tmp_path, "empty/start.conf", b"")
    with pytest.raises(Refused, match="no image"):
        engine.plan(ImportTree(folder=str(tmp_path / "empty")))
