"""Durable writes: whole old or whole new, and nothing left behind by a failure."""

from __future__ import annotations

import errno
import os

import pytest

from sbctui.engine import files


@pytest.fixture
def fail_at(monkeypatch):
    def install(name, code=errno.ENOSPC):
        def failpoint(step):
            if step == name:
                raise OSError(code, os.strerror(code))

        monkeypatch.setattr(files, "failpoint", failpoint)

    return install


@pytest.mark.parametrize("step", ["file.create", "file.write", "file.fsync", "file.rename"])
def test_a_failed_write_keeps_the_old_and_leaves_nothing(tmp_path, fail_at, step):
    path = tmp_path / "config.json"
    files.write_atomic(path, b"old")
    fail_at(step)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["config.json"]


def test_mode_is_ours_whatever_the_umask(tmp_path):
    old = os.umask(0o077)
    try:
        files.write_atomic(tmp_path / "a", b"x", mode=0o644)
        files.make_dir(tmp_path / "d", mode=0o750)
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o750


def test_rename_never_replaces_even_an_empty_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(FileExistsError):
        files.rename_noreplace(tmp_path / "a", tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_write_new_never_follows_a_planted_link(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(FileExistsError):
        files.write_new(tmp_path / "link", b"theirs")
    assert (tmp_path / "victim").read_text() == "mine"


def test_remove_tree_does_not_follow_links(tmp_path):
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "x").touch()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "keep")
    files.remove_tree(tmp_path / "gone")
    assert (tmp_path / "keep" / "x").exists()
    files.remove_tree(tmp_path / "gone")


def test_flock_is_exclusive_and_seen(tmp_path):
    with files.flocked(tmp_path):
        assert files.is_held(tmp_path)
        with pytest.raises(BlockingIOError), files.flocked(tmp_path, blocking=False):
            pass
    assert not files.is_held(tmp_path)
