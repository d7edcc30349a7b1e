"""A root is exported while its board writes: as it was at one instant, and nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.engine import Engine
from sbctui.engine.events import Event, Progress
from sbctui.engine.model.requests import ExportLeaf, ExportRoot
from tests.archives.place import do, export, import_of
from tests.archives.thin import thin_lab
from tests.disks.place import MIB, mounted, tool
from tests.services.test_control_real import ONE
from tests.services.test_live_clone import BLOCK, SIZE, Lab, instant, lab

pytestmark = [pytest.mark.lab, pytest.mark.loop]


@pytest.fixture(scope="module", params=["ext4", "xfs"])
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A served site without and with reflinks, its one root on disk as others are."""
    folder = tmp_path_factory.mktemp("live")
    with mounted(request.param, 512 * MIB, folder) as point, lab(point / "site") as made:
        config = made.site.nodes["golden"].config
        (made.root.parent / "config.json").write_bytes(config.to_json())
        yield made


def test_it_is_one_instant(here: Lab, tmp_path: Path) -> None:
    engine, file = Engine(here.path), tmp_path / "golden.tar.zst"
    with here.writing() as writer:
        before = writer.number
        report = export(engine, "golden", file)
        assert report.code == 0, report
        assert writer.went_on()
        after = writer.number
    manifest = manifest_of(file)
    assert manifest is not None
    assert manifest.disk.promise == "crash-consistent"
    tool("tar", "-xf", file, "-C", tmp_path, "root.img")
    last, whole = instant(tmp_path / "root.img")
    assert whole
    assert before <= last <= after
    assert engine.site(full=True).strays == ()
    assert engine.apply(engine.plan(import_of(engine, file, "again"))).code == 0
    assert engine.site().nodes["again"].config.promise == "crash-consistent"
    tool("rm", "-r", engine.site().node_path("again"))


def test_stopped_it_leaves_nothing_and_the_board_goes_on(here: Lab, tmp_path: Path) -> None:
    engine, stop = Engine(here.path), threading.Event()

    def emit(event: Event) -> None:
        if isinstance(event, Progress):
            stop.set()

    target = engine.target(str(tmp_path / "golden.tar.zst"))
    with here.writing() as writer:
        plan = engine.plan(ExportRoot(name="golden", target=target))
        assert engine.apply(plan, emit, stop).code == 130
        assert list(tmp_path.iterdir()) == []
        assert engine.site(full=True).strays == ()
        assert writer.went_on()


def test_without_a_board_it_is_read_as_it_lies(here: Lab, tmp_path: Path) -> None:
    engine = Engine(here.path)
    assert export(engine, "golden", tmp_path / "golden.tar.zst").code == 0
    tool("tar", "-xf", tmp_path / "golden.tar.zst", "-C", tmp_path, "root.img")
    tool("cmp", tmp_path / "root.img", here.root)
    with here.writing():
        assert engine.site().sessions_of, "the board has its disk again"


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A served site whose board has its leaf open, an overlay on the root golden."""
    with thin_lab(tmp_path_factory.mktemp("thin") / "site") as made:
        yield made


def overlay_export(engine: Engine, file: Path, *, difference: bool = False) -> ExportLeaf:
    return ExportLeaf(name=ONE, target=engine.target(str(file)), difference=difference)


@pytest.mark.parametrize("difference", [False, True])
def test_an_overlay_is_one_instant_too(thin: Lab, tmp_path: Path, *, difference: bool) -> None:
    engine, file = Engine(thin.path), tmp_path / "leaf.tar.zst"
    with thin.writing() as writer:
        before = writer.number
        report = do(engine, overlay_export(engine, file, difference=difference))
        assert writer.went_on()
        after = writer.number
    assert report.of("failed") == ()
    manifest = manifest_of(file)
    assert manifest is not None
    assert manifest.disk.promise == "crash-consistent"
    assert manifest.disk.file == ("root.diff" if difference else "root.img")
    assert engine.site(full=True).strays == ()
    assert do(engine, import_of(engine, file, "again")).code == 0
    disk = engine.site().disk_path("again")
    last, whole = instant(disk)
    assert whole
    assert before <= last <= after
    untouched = 2 * MIB + BLOCK
    with open(disk, "rb") as mine, open(engine.site().disk_path("golden"), "rb") as its:
        mine.seek(untouched)
        its.seek(untouched)
        assert mine.read(SIZE // 512 - BLOCK) == its.read(SIZE // 512 - BLOCK)
    tool("rm", "-r", engine.site().node_path("again"))
