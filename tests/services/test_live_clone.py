"""A root is copied while its board writes: as it was at one instant, or not at all."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.context import Context
from sbctui.engine.disks.perform import clone_disk
from sbctui.engine.errors import Cancelled, NoSpace, Refused, SbcError, ServiceFailed
from sbctui.engine.model.node import DiskSpec, NodeConfig, StoreKind
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Node, Site, Stamp
from sbctui.engine.plan import CloneDisk
from sbctui.engine.services.control import restart_services, start_services
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.port import Target
from sbctui.engine.services.supervise_holder import read_holder
from tests.disks.place import MIB, allocated, mounted
from tests.nbdclient import Board, until
from tests.services.nbd_place import NOBODY
from tests.services.test_control_real import ONE, Served

SIZE = 64 * MIB
BLOCK = 4096
SPOTS = [number * (SIZE // 512) for number in range(512)]
"""Where the numbered blocks go: all over the disk, in holes and in data."""
BOARD = "127.0.0.11"


def numbered(number: int) -> bytes:
    return struct.pack(">Q", number) * (BLOCK // 8)


class Writer:
    """A board that writes numbered blocks, one after the other, and waits for each answer."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.number = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.write)

    def write(self) -> None:
        order = random.Random(7).sample(SPOTS, len(SPOTS))
        while not self.over.is_set():
            self.board.write(order[self.number % len(order)], numbered(self.number + 1))
            self.number += 1

    def __enter__(self) -> Writer:
        self.thread.start()
        assert until(lambda: self.number > 2 * len(SPOTS))
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join(20)
        assert not self.thread.is_alive()

    def went_on(self) -> bool:
        before = self.number
        return until(lambda: self.number > before + 10)


def instant(disk: Path) -> tuple[int, bool]:
    """The last number in a copy, and whether all before it are there and none is torn."""
    order = random.Random(7).sample(SPOTS, len(SPOTS))
    found = {}
    with open(disk, "rb") as file:
        for at, spot in enumerate(order):
            file.seek(spot)
            block = file.read(BLOCK)
            found[at] = struct.unpack_from(">Q", block)[0]
            if block != numbered(found[at]):
                return 0, False
    last = max(found.values())
    first = last - len(order) + 1
    wanted = {(number - 1) % len(order): number for number in range(first, last + 1)}
    return last, found == wanted


class Lab(Served):
    """A site with the root ``golden``, whose disk its board has open."""

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        super().__init__(path)
        self.owner = owner
        config = NodeConfig(
            kind="root",
            name="golden",
            mac="dc:a6:32:00:00:01",
            ip=IPv4Address(BOARD),
            disk=DiskSpec(size=SIZE),
            created=datetime.now(UTC),
        )
        node = Node(config, None, Stamp(0, 0, 0))
        self.site = Site(path, Settings(), nodes={"golden": node})
        self.root = path / "nodes" / "golden" / "root.img"
        (self.root.parent / "boot").mkdir(parents=True)
        with open(self.root, "wb") as file:
            file.truncate(SIZE)
            for start in range(0, SIZE // 2, 2 * MIB):
                file.seek(start)
                file.write(random.Random(start).randbytes(MIB + MIB // 2))
        data = render_export(Target(ONE, self.root, "raw", IPv4Address(BOARD)), path)
        (path / "derived" / "exports" / f"{ONE}.json").write_bytes(data)
        self.give(path)

    def unit(self) -> Context:
        ctx = Context(
            site=self.site,
            emit=lambda event: None,
            stop=threading.Event(),
            control=self.control,
            reload=lambda: self.site,
            changed=lambda name: None,
            owner=self.owner,
        )
        (ctx.staged("copy") / "boot").mkdir(parents=True, exist_ok=True)
        self.give(ctx.staged("copy"))
        return ctx

    def give(self, folder: Path) -> None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, *(self.owner or (os.geteuid(), os.getegid())))

    def clone(self, store: StoreKind, ctx: Context | None = None) -> Path:
        ctx = ctx or self.unit()
        clone_disk(CloneDisk(name="copy", source="golden", store=store, live=True), ctx)
        assert ctx.found.promise == "crash-consistent"
        return ctx.staged("copy") / "root.img"

    def left(self) -> list[str]:
        return sorted(p.name for p in self.site.staging_path("copy").iterdir())

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        with self.board(ONE, BOARD) as board, Writer(board) as writer:
            yield writer


@contextmanager
def lab(path: Path, owner: tuple[int, int] | None = None) -> Iterator[Lab]:
    made = Lab(path, owner)
    try:
        start_services(path)
        yield made
    finally:
        made.close()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path / "site") as made:
        yield made


def test_by_the_storage_daemon_it_is_one_instant_and_its_holes_are_kept(here: Lab) -> None:
    with here.writing() as writer:
        for _ in range(2):
            before = writer.number
            copy = here.clone("copy")
            last, whole = instant(copy)
            assert whole
            assert before <= last < writer.number
            assert allocated(copy) <= allocated(here.root) + len(SPOTS) * 64 * 1024
            assert allocated(copy) < SIZE * 0.8
            assert writer.went_on()
            copy.unlink()


@pytest.mark.loop
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_by_reflink_it_is_one_instant(tmp_path: Path, kind: str) -> None:
    with (
        mounted(kind, 512 * MIB, tmp_path) as point,
        lab(point / "site") as here,
        here.writing() as writer,
    ):
        for _ in range(2):
            before = writer.number
            copy = here.clone("reflink")
            last, whole = instant(copy)
            assert whole
            assert before <= last <= writer.number + 1
            assert writer.went_on()
            copy.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a site of another user")
def test_of_another_users_site() -> None:
    """Whose storage daemon may write to his own files only."""
    folder = Path(tempfile.mkdtemp(prefix="sbc-"))
    folder.chmod(0o755)
    try:
        with lab(folder / "site", NOBODY) as here, here.writing():
            copy = here.clone("copy")
            assert instant(copy)[1]
            assert (copy.stat().st_uid, copy.stat().st_mode & 0o777) == (NOBODY[0], 0o640)
    finally:
        shutil.rmtree(folder)


def test_a_sparse_disk_stays_as_sparse(here: Lab) -> None:
    with here.board(ONE, BOARD) as board:
        board.write(SIZE - BLOCK, numbered(1))
        board.flush()
        copy = here.clone("copy")
        assert copy.read_bytes() == here.root.read_bytes()
    assert allocated(copy) <= allocated(here.root) + 2 * 64 * 1024


def test_cancelled_it_leaves_nothing(here: Lab) -> None:
    ctx = here.unit()
    with here.writing() as writer:
        ctx.progress = lambda what: lambda done, total: ctx.stop.set()  # type: ignore[method-assign]
        with pytest.raises(Cancelled, match="half copy is gone"):
            here.clone("copy", ctx)
        assert here.left() == ["boot"]
        assert writer.went_on()
        assert instant(here.clone("copy"))[1]


@pytest.mark.parametrize("victim", ["supervisor", "storage", "upgrade"])
def test_who_dies_in_the_middle_leaves_nothing(here: Lab, victim: str) -> None:
    ctx = here.unit()
    killed = threading.Event()

    def kill(done: int, total: int) -> None:
        if killed.is_set():
            return
        killed.set()
        holder = read_holder(here.path)
        assert holder is not None
        if victim == "upgrade":
            restart_services(here.path, ["gate"])
        else:
            pid = holder.pid if victim == "supervisor" else here.state("storage").pid
            os.kill(pid, signal.SIGKILL)
            assert until(lambda: not alive(pid))

    with here.writing() as writer:
        ctx.progress = lambda what: kill  # type: ignore[method-assign]
        with pytest.raises(ServiceFailed):
            here.clone("copy", ctx)
        assert here.left() == ["boot"]
        start_services(here.path)
        assert until(lambda: here.state("storage").state == "running")
        assert writer.went_on()
        assert instant(here.clone("copy"))[1]


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_whoever_asked_and_died_is_cleaned_up_after(here: Lab) -> None:
    """A job that is killed with -9: the disk can be withdrawn at once, and copied again."""
    ctx = here.unit()
    disk = ctx.staged("copy") / "root.img"
    disk.touch()
    os.truncate(disk, SIZE)
    ask = (
        "import sys; from pathlib import Path; "
        "from sbctui.engine.services.control_client import Caller; "
        "Caller(Path(sys.argv[1])).ask('copy', export=sys.argv[2], name='copy', seconds=20)"
    )
    with here.board(ONE, BOARD):
        done = subprocess.run([sys.executable, "-c", ask, here.path, ONE], check=False)
        assert done.returncode == 0
    assert until(lambda: free(here), 5)
    here.control.restore(ONE)
    disk.unlink()
    with here.board(ONE, BOARD):
        here.clone("copy")


def free(here: Lab) -> bool:
    try:
        here.control.withdraw(ONE, cut=False)
    except SbcError:
        return False
    return True


def test_while_it_is_copied_nobody_takes_the_disk_away(here: Lab) -> None:
    ctx = here.unit()
    refused: list[str] = []

    def withdraw(done: int, total: int) -> None:
        for act in (
            lambda: here.control.withdraw(ONE, cut=True),
            lambda: here.control.copy(ONE, "copy", threading.Event(), lambda done, total: None),
        ):
            try:
                act()
            except Refused as error:
                refused.append(str(error))

    ctx.progress = lambda what: withdraw  # type: ignore[method-assign]
    here.clone("copy", ctx)
    assert "it is being copied" in refused[0]
    assert "copied already" in refused[1]


@pytest.mark.loop
def test_without_room_the_board_does_not_notice(tmp_path: Path) -> None:
    with (
        mounted("ext4", 64 * MIB, tmp_path) as point,
        lab(point / "site") as here,
        here.writing() as writer,
    ):
        with pytest.raises(NoSpace, match="make room"):
            here.clone("copy")
        assert here.left() == ["boot"]
        assert writer.went_on()


def test_what_is_no_empty_file_of_that_size_is_refused(here: Lab) -> None:
    disk = here.unit().staged("copy") / "root.img"
    ctx = here.unit()
    for content in (b"", b"x" * 100):
        disk.write_bytes(content)
        with pytest.raises(ServiceFailed, match="no empty file"):
            here.control.copy(ONE, "copy", ctx.stop, lambda done, total: None)
    disk.unlink()
    disk.symlink_to("/etc/passwd")
    with pytest.raises(ServiceFailed):
        here.control.copy(ONE, "copy", ctx.stop, lambda done, total: None)


def test_with_no_services_it_is_a_plain_copy_under_a_lease(here: Lab) -> None:
    here.control.end()
    assert until(lambda: not here.control.running())
    assert here.clone("copy").read_bytes() == here.root.read_bytes()
