"""The leaf of a running board is exported, and something goes wrong at each of its stages.

Every time: a typed error, nothing left in the site, beside the archive or in the storage daemon,
the root's disk free, and the board goes on writing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sbctui.engine.archive.look import verified
from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, Cancelled, NoSpace, SbcError, ServiceFailed
from sbctui.engine.events import Event, Progress
from sbctui.engine.model.requests import ExportLeaf
from sbctui.engine.plan import Report
from tests.archives.thin import thin_lab
from tests.disks.place import MIB, mounted, tool
from tests.nbdclient import until
from tests.services.test_control_real import ONE
from tests.services.test_live_clone import Lab, Writer, alive, instant

pytestmark = [pytest.mark.lab, pytest.mark.loop]
COPYING, READING, WRITING = "copying the overlay", "reading the overlay", "exporting"
BEGUN = "unit-started"
STAGES = [COPYING, READING, WRITING]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The site lies on a file system of its own."""
    folder = tmp_path_factory.mktemp("faults")
    with mounted("ext4", 320 * MIB, folder) as point, thin_lab(point / "site") as made:
        yield made


class Export:
    """An export to ``target``; at the first sign of life of ``stage``, ``act`` is called once."""

    def __init__(self, here: Lab, target: Path, *, difference: bool = False) -> None:
        engine = Engine(here.path)
        self.engine, self.stop = engine, threading.Event()
        file = engine.target(str(target / "leaf.tar.zst"))
        self.plan = engine.plan(ExportLeaf(name=ONE, target=file, difference=difference))
        self.stages: list[str] = []

    def run(self, stage: str = "", act: Callable[[], object] = lambda: None) -> Report:
        def emit(event: Event) -> None:
            what = event.what if isinstance(event, Progress) else event.kind
            if what not in self.stages:
                self.stages.append(what)
                if stage and what.startswith(stage):
                    act()

        return self.engine.apply(self.plan, emit, self.stop)


def require_failed(report: Report, error: type[SbcError], why: str) -> None:
    (failed,) = report.of("failed")
    assert failed.code == error.code, failed
    assert why in failed.error


def require_clean(here: Lab, target: Path, writer: Writer) -> None:
    """Nothing is left anywhere, and the board and its root are as free as before."""
    assert [one.name for one in target.iterdir() if one.name != "lost+found"] == []
    assert Engine(here.path).site(full=True).strays == ()
    assert until(lambda: here.state("storage").state == "running")
    assert until(lambda: held(here) == []), held(here)
    with open(here.path / "nodes/golden/root.img", "rb") as file:
        assert leases(file.fileno()) == []
    assert writer.went_on()


def held(here: Lab) -> list[str]:
    """What the storage daemon has open in a staging folder, also of files that are deleted."""
    folder = Path(f"/proc/{here.state('storage').pid}/fd")
    names = [os.readlink(one) for one in folder.iterdir() if os.path.lexists(one)]
    return [name for name in names if "/.new-" in name]


def leases(fd: int) -> list[str]:
    """The kernel's lines about leases of a file (proc(5), /proc/locks)."""
    facts = os.fstat(fd)
    device = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
    return [
        line
        for line in Path("/proc/locks").read_text().splitlines()
        if "LEASE" in line and device in line.split()
    ]


@contextmanager
def free(place: Path, wanted: int) -> Iterator[None]:
    """A file system with only so many free bytes."""
    with taken(place) as take:
        take(wanted)
        yield


def _room(place: Path) -> int:
    space = os.statvfs(place)
    return space.f_bfree * space.f_frsize


@contextmanager
def taken(place: Path) -> Iterator[Callable[[int], None]]:
    """What takes all of a file system's room but so many bytes, also what is kept for root."""
    filler = place / "filler"

    def take(but: int) -> None:
        with open(filler, "wb", buffering=0) as file, suppress(OSError):
            while (room := _room(place) - but) > 0:  # the file takes some for its own extents
                os.posix_fallocate(file.fileno(), file.tell(), most := room // 2 + 4096)
                file.seek(most, os.SEEK_CUR)

    try:
        yield take
    finally:
        filler.unlink(missing_ok=True)


@pytest.mark.parametrize("difference", [False, True], ids=["half", "first byte"])
def test_onto_a_full_disk(here: Lab, tmp_path: Path, *, difference: bool) -> None:
    with mounted("ext4", 12 * MIB, tmp_path) as target, here.writing() as writer:
        with free(target, 64 * 1024 if difference else 2 * MIB):
            report = Export(here, target, difference=difference).run()
        require_failed(report, NoSpace, f"the disk is full ({target}/leaf.tar.zst.part); make room")
        require_clean(here, target, writer)


@pytest.mark.parametrize(
    ("stage", "why"),
    [(BEGUN, "the copy takes"), (COPYING, "what an overlay shows takes")],
    ids=["copy", "flatten"],
)
def test_without_room_in_the_store(here: Lab, tmp_path: Path, stage: str, why: str) -> None:
    """Which somebody else takes before the copy, or while it is made; all room is given back."""
    with here.writing() as writer, taken(here.path.parent) as take:
        export = Export(here, tmp_path)
        report = export.run(stage, lambda: take(16 * MIB))
        assert not any(one.startswith(WRITING) for one in export.stages)
        require_failed(report, NoSpace, why)
        assert _room(here.path.parent) >= 15 * MIB
        require_clean(here, tmp_path, writer)


def test_the_storage_daemon_is_killed_while_it_copies(here: Lab, tmp_path: Path) -> None:
    with here.writing() as writer:
        report = Export(here, tmp_path).run(COPYING, lambda: kill(here))
        require_failed(report, ServiceFailed, "went away while it copied")
        require_clean(here, tmp_path, writer)
        again(here, tmp_path)


def test_the_storage_daemon_is_killed_when_it_has_copied(here: Lab, tmp_path: Path) -> None:
    """What it had in its memory of the copy is lost, though a new one answers."""
    with here.writing() as writer:
        export = Export(here, tmp_path)
        before = here.state("storage").pid

        def emit(event: Event) -> None:
            over = isinstance(event, Progress) and event.what.startswith(COPYING)
            if over and event.done == event.total and here.state("storage").pid == before:
                kill(here)
                assert until(lambda: here.state("storage").state == "running")

        report = export.engine.apply(export.plan, emit, export.stop)
        require_failed(report, ServiceFailed, "went away while it copied")
        require_clean(here, tmp_path, writer)


@pytest.mark.parametrize("stage", [READING, WRITING])
def test_what_is_copied_needs_no_storage_daemon(here: Lab, tmp_path: Path, stage: str) -> None:
    with here.writing() as writer:
        report = Export(here, tmp_path).run(stage, lambda: kill(here))
        assert report.code == 0, report
        (tmp_path / "leaf.tar.zst").unlink()
        require_clean(here, tmp_path, writer)


def kill(here: Lab) -> None:
    pid = here.state("storage").pid
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: not alive(pid))


@pytest.mark.parametrize("stage", STAGES)
def test_cancelled(here: Lab, tmp_path: Path, stage: str) -> None:
    with here.writing() as writer:
        export = Export(here, tmp_path)
        assert export.run(stage, export.stop.set).code == Cancelled.code
        assert [one for one in export.stages if one.startswith(tuple(STAGES))][-1].startswith(stage)
        require_clean(here, tmp_path, writer)


def again(here: Lab, target: Path) -> None:
    """Exported once more it is whole."""
    engine = Engine(here.path)
    file = engine.target(str(target / "leaf.tar.zst"))
    assert engine.apply(engine.plan(ExportLeaf(name=ONE, target=file))).code == 0
    verified(here.path, file.file, threading.Event(), lambda done, total: None)
    tool("tar", "-xf", file.file, "-C", target, "root.img")
    assert instant(target / "root.img")[1]


def test_an_exporter_that_is_killed_leaves_what_nobody_takes_for_an_archive(
    here: Lab, tmp_path: Path
) -> None:
    """And what the next one needs no help with."""
    part = tmp_path / "leaf.tar.zst.part"
    words = ["--site", here.path, "leaf", "export", ONE, part.with_suffix(""), "--yes", "--quiet"]
    with here.writing() as writer:
        with subprocess.Popen([sys.executable, "-P", "-m", "sbctui", *words]) as exporter:
            assert until(lambda: part.exists() and part.stat().st_size > MIB, 30)
            exporter.kill()
        with pytest.raises(BadInput, match="cut off"):
            verified(here.path, str(part), threading.Event(), lambda done, total: None)
        again(here, tmp_path)
        for file in tmp_path.iterdir():
            file.unlink()
        require_clean(here, tmp_path, writer)
