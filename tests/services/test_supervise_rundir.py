"""The runtime folder: short, ours alone, never one that somebody else prepared."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.errors import NotPermitted
from sbctui.engine.files import remove_tree
from sbctui.engine.services import rundir
from sbctui.engine.services.rundir import SOCKET_BYTES, prepare_run_dir, run_dir

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
OTHER = 54321


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "_base", lambda: tmp_path / "base")
    return tmp_path / "base"


@contextmanager
def acting_as(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def owner_and_mode(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_uid, stat.S_IMODE(facts.st_mode)


def test_one_folder_per_real_path_of_a_site(tmp_path: Path) -> None:
    site = tmp_path / ("long" * 40)
    site.mkdir()
    (tmp_path / "link").symlink_to(site)
    assert run_dir(tmp_path / "link") == run_dir(site) != run_dir(tmp_path)
    assert len(os.fsencode(run_dir(site) / "daemons" / ("x" * 31))) <= SOCKET_BYTES


@needs_root
def test_an_ordinary_user_gets_his_own_and_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
    long = mine / ("x" * 60)
    long.mkdir()
    for path in (mine, long):
        os.chown(path, OTHER, OTHER)
    fallback = Path(f"/tmp/sbctui-{OTHER}")
    try:
        with acting_as(OTHER):
            for given, base in ((mine, mine / "sbctui"), (long, fallback), ("/", fallback)):
                monkeypatch.setenv("XDG_RUNTIME_DIR", str(given))
                assert run_dir(Path("/etc")).parent == base
            made = prepare_run_dir(Path("/etc"), (0, 0))
        assert owner_and_mode(made) == owner_and_mode(made / "daemons") == (OTHER, 0o700)
    finally:
        remove_tree(fallback)
        remove_tree(mine)


@needs_root
def test_root_keeps_its_records_from_the_owner_of_the_site(base: Path, tmp_path: Path) -> None:
    made = prepare_run_dir(tmp_path, (OTHER, OTHER))
    assert owner_and_mode(made) == (0, 0o750)
    assert made.stat().st_gid == OTHER
    assert owner_and_mode(made / "daemons") == (OTHER, 0o700)
    assert prepare_run_dir(tmp_path, (OTHER, OTHER)) == made


@pytest.mark.parametrize("where", ["base", "site", "daemons"])
def test_a_planted_link_or_file_is_refused(base: Path, tmp_path: Path, where: str) -> None:
    folder = base / rundir.site_id(tmp_path)
    planted = {"base": base, "site": folder, "daemons": folder / "daemons"}[where]
    planted.parent.mkdir(parents=True, exist_ok=True)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    planted.symlink_to(victim)
    with pytest.raises(NotPermitted, match=str(planted)):
        prepare_run_dir(tmp_path, (os.geteuid(), os.getegid()))
    planted.unlink()
    planted.write_text("")
    with pytest.raises(NotPermitted, match=str(planted)):
        prepare_run_dir(tmp_path, (os.geteuid(), os.getegid()))
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755


@needs_root
def test_a_folder_of_another_user_is_refused(base: Path, tmp_path: Path) -> None:
    base.mkdir(mode=0o755)
    os.chown(base, OTHER, OTHER)
    with pytest.raises(NotPermitted, match=f"user {OTHER}"):
        prepare_run_dir(tmp_path, (0, 0))
