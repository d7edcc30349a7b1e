"""The contract of ImageStore, held by every kind on every file system it works on."""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.disks.port import ImageStore
from sbctui.engine.disks.qcow2 import node_spec
from sbctui.engine.disks.stores import store_for
from sbctui.engine.disks.usage import verify
from sbctui.engine.errors import Cancelled, NoSpace, Refused
from sbctui.engine.model.node import DISK_FILES, StoreKind
from tests.disks.place import MIB, NEVER, allocated, fill, mounted, seen, silent, tool, worn

pytestmark = pytest.mark.loop
PLACES: list[tuple[str, StoreKind]] = [
    ("btrfs", "reflink"),
    ("btrfs", "overlay"),
    ("btrfs", "copy"),
    ("xfs", "reflink"),
    ("xfs", "overlay"),
    ("xfs", "copy"),
    ("ext4", "overlay"),
    ("ext4", "copy"),
]


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    folder = tmp_path_factory.mktemp("mounts")
    with (
        mounted("btrfs", 320 * MIB, folder) as btrfs,
        mounted("xfs", 320 * MIB, folder) as xfs,
        mounted("ext4", 320 * MIB, folder) as ext4,
    ):
        yield {"btrfs": btrfs, "xfs": xfs, "ext4": ext4}


@dataclass(frozen=True)
class Bench:
    store: ImageStore
    source: Path
    nodes: Path

    def target(self, name: str = "leaf") -> Path:
        folder = self.nodes / name
        folder.mkdir()
        return folder / DISK_FILES[self.store.format(leaf=True)]

    def clone(self, target: Path) -> None:
        self.store.clone(self.source, target, stop=NEVER, report=silent)

    def write(self, disk: Path) -> None:
        """What a board would write: a page of ones at 1 MiB."""
        if disk.suffix == ".qcow2":
            spec = node_spec(disk, self.source)
            tool("qemu-io", "-c", "write -P 1 1M 4k", "-c", "flush", spec)
            return
        with open(disk, "r+b") as file:
            file.seek(MIB)
            file.write(b"\1" * 4096)


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(place))
def bench(
    request: pytest.FixtureRequest, mounts: dict[str, Path], tmp_path: Path
) -> Iterator[Bench]:
    filesystem, kind = request.param
    nodes = mounts[filesystem] / tmp_path.name
    nodes.mkdir()
    (nodes / "root").mkdir()
    yield Bench(store_for(kind), worn(nodes / "root" / "root.img"), nodes)
    files.remove_tree(nodes)


def test_a_clone_reads_like_its_source_and_stays_sparse(bench: Bench) -> None:
    calls: list[tuple[int, int]] = []
    target = bench.target()
    bench.store.clone(
        bench.source, target, stop=NEVER, report=lambda *numbers: calls.append(numbers)
    )
    assert seen(target, bench.source) == seen(bench.source)
    assert allocated(target) <= allocated(bench.source)
    assert verify(target, bench.store.format(leaf=True)) == ""
    assert target.stat().st_mode & 0o7777 == 0o640
    assert calls[-1][0] == calls[-1][1] > 0
    assert list(target.parent.iterdir()) == [target]


def test_a_root_is_always_raw(bench: Bench) -> None:
    assert bench.store.format(leaf=False) == "raw"
    target = bench.nodes / "other.img"
    bench.clone(target)
    assert seen(target) == seen(bench.source)
    assert allocated(target) <= allocated(bench.source)


def test_what_one_leaf_writes_no_other_sees(bench: Bench) -> None:
    first, second = bench.target("first"), bench.target("second")
    before = seen(bench.source)
    bench.clone(first)
    bench.clone(second)
    bench.write(first)
    assert seen(first, bench.source) != before
    assert seen(second, bench.source) == before
    assert seen(bench.source) == before


def test_a_thing_that_is_there_is_never_replaced(bench: Bench) -> None:
    target = bench.target()
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        bench.clone(target)
    assert target.read_bytes() == b"mine"
    assert list(target.parent.iterdir()) == [target]


def test_a_cancelled_clone_leaves_nothing(bench: Bench) -> None:
    target = bench.target()
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        bench.store.clone(bench.source, target, stop=stop, report=silent)
    assert list(target.parent.iterdir()) == []


def test_a_fault_at_any_step_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    target = bench.target()
    steps: list[str] = []
    monkeypatch.setattr(files, "failpoint", steps.append)
    fresh(bench).clone(target)
    target.unlink()
    assert len(steps) >= 4
    for number in range(len(steps)):
        monkeypatch.setattr(files, "failpoint", failing_at(number))
        with pytest.raises((NoSpace, OSError)):
            fresh(bench).clone(target)
        assert list(target.parent.iterdir()) == [], steps[number]


def test_a_copy_stopped_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source.img"
    with open(source, "wb") as file:
        for _ in range(40):
            file.write(os.urandom(MIB))
    stop = threading.Event()
    reported: list[int] = []

    def report(done: int, total: int) -> None:
        reported.append(done)
        stop.set()

    with pytest.raises(Cancelled):
        store_for("copy").clone(source, tmp_path / "copy.img", stop=stop, report=report)
    assert 0 < reported[0] < 40 * MIB
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("kind", ["copy", "overlay"])
def test_a_full_disk_leaves_nothing(kind: StoreKind, tmp_path: Path) -> None:
    with mounted("ext4", 16 * MIB, tmp_path) as point:
        source = worn(tmp_path / "source.img")
        fill(point / "filler", spare=0)
        free = os.statvfs(point).f_bfree
        store = store_for(kind)
        target = point / DISK_FILES[store.format(leaf=True)]
        with pytest.raises(NoSpace, match="full"):
            store.clone(source, target, stop=NEVER, report=silent)
        assert sorted(p.name for p in point.iterdir()) == ["filler", "lost+found"]
        assert os.statvfs(point).f_bfree == free


def fresh(bench: Bench) -> Bench:
    """The same with a store that remembers nothing of earlier clones."""
    return replace(bench, store=type(bench.store)())


def failing_at(number: int) -> Callable[[str], None]:
    """A failpoint that says the disk is full at step ``number``, once."""
    steps = itertools.count()

    def fail(name: str) -> None:
        if next(steps) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fail


def test_a_reflink_where_there_is_none_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with mounted("ext4", 64 * MIB, tmp_path) as point:
        source = worn(point / "a.img")
        with pytest.raises(Refused, match="disk_kind"):
            store_for("reflink").clone(source, point / "b.img", stop=NEVER, report=silent)
        assert not (point / "b.img").exists()
