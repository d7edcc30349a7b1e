"""Growing a disk: whole afterwards, finished after a crash, never shrunk."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.resize import resize
from sbctui.engine.disks.usage import verify
from sbctui.engine.errors import Cancelled, Refused, ToolFailed
from tests import rootfs
from tests.disks.place import MIB, NEVER, allocated, silent, tool


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "golden"
    (folder / "boot").mkdir(parents=True)
    tar = rootfs.awkward_tar(tmp_path / "a.tar")
    make_root(folder / "root.img", 32 * MIB, inspect_source(tar), stop=NEVER, report=silent)
    return folder / "root.img"


def size(disk: Path) -> int:
    found = superblock(disk)
    assert found is not None
    return found.size


def test_it_grows_again_and_again_and_stays_sparse(disk: Path) -> None:
    before = allocated(disk)
    for wanted in (100 * MIB, 100 * MIB, 4096 * MIB):
        assert resize(disk, wanted, stop=NEVER)
        assert disk.stat().st_size == size(disk) == wanted
        assert verify(disk, "raw") == ""
    assert allocated(disk) < before + 4 * MIB
    assert "golden" in tool("debugfs", "-R", "cat /etc/hostname", disk).stdout


def test_it_never_shrinks(disk: Path) -> None:
    with pytest.raises(Refused, match="can't shrink"):
        resize(disk, 16 * MIB, stop=NEVER)
    assert disk.stat().st_size == 32 * MIB


def test_a_disk_without_a_file_system_only_grows(tmp_path: Path) -> None:
    disk = tmp_path / "root.img"
    disk.write_bytes(b"data" * 1000)
    assert resize(disk, MIB, stop=NEVER) is False
    assert disk.stat().st_size == MIB
    assert disk.read_bytes().startswith(b"datadata")


def test_a_step_that_fails_before_the_file_system_grew_gives_the_old_size_back(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("disk.repair", "disk.grow", "disk.resize-filesystem"):

        def fail(name: str, step: str = step) -> None:
            if name == step:
                raise ToolFailed("resize2fs", 1, "injected")

        monkeypatch.setattr(files, "failpoint", fail)
        with pytest.raises(ToolFailed):
            resize(disk, 64 * MIB, stop=NEVER)
        assert disk.stat().st_size == size(disk) == 32 * MIB, step
        assert verify(disk, "raw") == ""


def test_cancel_leaves_the_old_size(disk: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        resize(disk, 64 * MIB, stop=stop)
    assert disk.stat().st_size == size(disk) == 32 * MIB


def test_a_kill_at_any_write_is_rolled_forward(disk: Path, tmp_path: Path) -> None:
    if not os.access("/usr/bin/strace", os.X_OK):
        pytest.skip("no strace")
    tool("truncate", "-s", str(32 * MIB), disk)
    cut = tmp_path / "cut.img"
    kills = 0
    for number in itertools.count(1):
        tool("cp", "--sparse=always", disk, cut)
        os.truncate(cut, 600 * MIB)
        inject = f"inject=pwrite64,fallocate,fsync:signal=KILL:when={number}"
        argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, "resize2fs", str(cut)]
        died = tool(*argv, check=False).returncode != 0
        assert resize(cut, 600 * MIB, stop=NEVER)
        assert size(cut) == 600 * MIB
        assert verify(cut, "raw") == "", number
        assert "golden" in tool("debugfs", "-R", "cat /etc/hostname", cut).stdout
        kills += died
        if not died:
            break
    assert kills >= 5
