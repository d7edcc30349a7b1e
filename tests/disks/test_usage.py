"""Bytes that are a disk's own, and whether it is sound."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sbctui.engine.disks.create import make_root
from sbctui.engine.disks.stores import store_for
from sbctui.engine.disks.usage import usage, verify
from sbctui.engine.errors import Cancelled
from tests import lab
from tests.disks.place import MIB, NEVER, allocated, mounted, silent, worn


@pytest.mark.loop
@pytest.mark.parametrize("filesystem", ["btrfs", "xfs"])
def test_shared_extents_are_not_exclusive(tmp_path: Path, filesystem: str) -> None:
    with mounted(filesystem, 320 * MIB, tmp_path) as point:
        root, leaf = worn(point / "a.img"), point / "b.img"
        os.sync()
        alone = usage(root, NEVER)
        assert alone.exclusive == alone.allocated == allocated(root)
        store_for("reflink").clone(root, leaf, stop=NEVER, report=silent)
        both = usage(leaf, NEVER)
        assert both.apparent == root.stat().st_size
        assert both.allocated > MIB
        assert both.exclusive <= 64 * 1024
        with open(leaf, "r+b") as file:
            file.write(os.urandom(2 * MIB))
            os.fsync(file.fileno())
        assert 2 * MIB <= usage(leaf, NEVER).exclusive <= 2 * MIB + 256 * 1024
        leaf.unlink()
        os.sync()
        lab.until(lambda: usage(root, NEVER) == alone, 20, "the bytes are the root's own again")


def test_where_nothing_is_shared_all_is_exclusive(tmp_path: Path) -> None:
    disk = worn(tmp_path / "a.img")
    found = usage(disk, NEVER)
    assert found.exclusive == found.allocated == allocated(disk) < found.apparent
    store_for("overlay").clone(disk, tmp_path / "b.qcow2", stop=NEVER, report=silent)
    thin = usage(tmp_path / "b.qcow2", NEVER)
    assert thin.exclusive == thin.allocated <= 64 * 1024


@pytest.mark.loop
def test_many_extents_are_all_counted_and_can_be_stopped(tmp_path: Path) -> None:
    with mounted("btrfs", 320 * MIB, tmp_path) as point:
        disk = point / "a.img"
        with open(disk, "wb") as file:
            for page in range(5000):
                file.seek(page * 8192)
                file.write(b"\1" * 4096)
        store_for("reflink").clone(disk, point / "b.img", stop=NEVER, report=silent)
        assert usage(disk, NEVER).allocated == allocated(disk) >= 5000 * 4096
        assert usage(disk, NEVER).exclusive <= 64 * 1024
        stop = threading.Event()
        stop.set()
        with pytest.raises(Cancelled):
            usage(disk, stop)


def test_damage_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "a.img"
    make_root(disk, 32 * MIB, None, stop=NEVER, report=silent)
    store_for("overlay").clone(disk, tmp_path / "b.qcow2", stop=NEVER, report=silent)
    assert verify(disk, "raw") == ""
    assert verify(tmp_path / "b.qcow2", "qcow2") == ""
    with open(disk, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with open(tmp_path / "b.qcow2", "r+b") as file:
        file.seek(65536)
        file.write(b"\x7f" * 64)
    assert "e2fsck" in verify(disk, "raw")
    assert "qemu-img" in verify(tmp_path / "b.qcow2", "qcow2")
    for text in (verify(disk, "raw"), verify(tmp_path / "b.qcow2", "qcow2")):
        assert "\n" not in text
    disk.write_bytes(b"no file system" * 1000)
    assert verify(disk, "raw") == ""
