"""What a file system can do is found out by trying it, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine import programs
from sbctui.engine.disks.probe import choose, filesystem_of, probe
from sbctui.engine.errors import Refused
from tests.disks.place import MIB, mounted, tool

pytestmark = pytest.mark.loop


@pytest.mark.parametrize(
    ("filesystem", "kind"), [("btrfs", "reflink"), ("xfs", "reflink"), ("ext4", "overlay")]
)
def test_the_kind_follows_the_file_system(tmp_path: Path, filesystem: str, kind: str) -> None:
    with mounted(filesystem, 320 * MIB, tmp_path) as point:
        nodes = point / "with a space"
        nodes.mkdir()
        found = probe(nodes)
        assert (found.store, found.filesystem) == (kind, filesystem)
        assert filesystem in found.reason
        assert list(nodes.iterdir()) == []
        assert choose(nodes, "auto") == found
        assert choose(nodes, "copy").store == "copy"
        assert choose(nodes, "overlay").store == "overlay"
        if kind == "reflink":
            assert choose(nodes, "reflink") == found
        else:
            with pytest.raises(Refused, match=r"ext4 can't share extents .*disk_kind"):
                choose(nodes, "reflink")


def test_without_qemu_img_it_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "search_path", lambda: str(tmp_path))
    with mounted("ext4", 64 * MIB, tmp_path) as point:
        found = probe(point)
        assert found.store == "copy"
        assert "apt-get install qemu-utils" in found.reason
        with pytest.raises(Refused, match="qemu-utils"):
            choose(point, "overlay")


def test_a_read_only_file_system_is_no_error(tmp_path: Path) -> None:
    with mounted("btrfs", 128 * MIB, tmp_path) as point:
        tool("mount", "-o", "remount,ro", point)
        found = probe(point)
        assert (found.store, found.filesystem) == ("overlay", "btrfs")
        assert "Read-only" in found.reason


def test_the_innermost_mount_counts(tmp_path: Path) -> None:
    with (
        mounted("xfs", 320 * MIB, tmp_path) as outer,
        mounted("ext4", 32 * MIB, outer) as inner,
    ):
        assert filesystem_of(outer) == "xfs"
        assert filesystem_of(inner) == "ext4"
        (outer / "link").symlink_to(inner)
        assert filesystem_of(outer / "link") == "ext4"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "nothing")
