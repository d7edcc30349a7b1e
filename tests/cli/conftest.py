"""A site for the command line, and the program on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.program import MAC, Program

NETWORK = ("--subnet", "10.77.0.0/24", "--pool", "10.77.0.50-10.77.0.99", "--server", "10.77.0.1")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No configuration of this machine, and no crash files outside."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def fresh(site_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    """The program, and no site yet."""
    return Program(site_path, capsys)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site to copy: the roots debian12 (two leaves, pi-01 and pi-02) and spare."""
    from sbctui.cli.main import run

    path = tmp_path_factory.mktemp("furnished") / "site"
    for words in (
        ("site", "init", *NETWORK),
        ("root", "create", "debian12", "--size", "32M", "-y"),
        ("root", "create", "spare", "--size", "32M", "-y"),
        ("leaf", "create", "debian12", f"{MAC.format(1)},pi-01,room-b", f"{MAC.format(2)},pi-02",
         "-y"),
    ):  # fmt: skip
        assert run(["--site", str(path), *words]) == 0, words
    return path


@pytest.fixture
def sbctui(furnished: Path, fresh: Program) -> Program:
    """The program on a furnished site of its own."""
    shutil.copytree(furnished, fresh.site, symlinks=True)
    return fresh
