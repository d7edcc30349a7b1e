"""What the command line makes of a plan that stood only in part, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from sbctui.engine import files
from sbctui.engine.model.site import STAGING
from tests.cli.program import MAC, Program

MACS = [MAC.format(number) for number in (0x31, 0x32, 0x33)]


def folder(mac: str) -> str:
    return mac.replace(":", "-")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Let the making of one node's folder fail with an error of the operating system."""
    real = os.mkdir

    def arrange(name: str, number: int) -> None:
        def mkdir(path: str | os.PathLike[str], *args: int, **more: int) -> None:
            if os.fspath(path).endswith(STAGING + name):
                raise OSError(number, os.strerror(number), os.fspath(path))
            real(path, *args, **more)

        monkeypatch.setattr(os, "mkdir", mkdir)

    return arrange


def test_one_of_three_failing_is_7_and_json_says_which(
    sbctui: Program, failing: Callable[[str, int], None]
) -> None:
    failing(folder(MACS[1]), errno.EIO)
    ran = sbctui("leaf", "create", "spare", *MACS, "-y", "--json")
    assert ran.code == 7, ran
    report = ran.json["report"]
    assert (report["done"], report["failed"], report["skipped"]) == (2, 1, 0)
    outcomes = {one["node"]: one["outcome"] for one in report["results"]}
    assert outcomes == dict(zip(map(folder, MACS), ("done", "failed", "done"), strict=True))
    assert ran.json["error"]["code"] == 7
    last = ran.err.splitlines()[-1]
    assert "2 done, 1 failed" in last
    assert "Input/output error" in last
    assert "the rest again with: sbctui leaf create spare" in last
    leaves = sbctui.ok("leaf", "list", "spare", "--json").json["leaves"]
    assert [one["mac"] for one in leaves] == [MACS[0], MACS[2]]


def test_the_same_command_then_makes_only_the_rest(
    sbctui: Program, failing: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(folder(MACS[1]), errno.EIO)
    assert sbctui("leaf", "create", "spare", *MACS, "-y").code == 7
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(sbctui.site.parent))
    again = sbctui.ok("leaf", "create", "spare", *MACS, "-y", "--json")
    assert again.json["report"]["done"] == 1
    assert len(sbctui.ok("leaf", "list", "spare", "--json").json["leaves"]) == 3


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 9), (errno.EROFS, 5), (errno.EACCES, 5), (errno.EIO, 1)]
)
def test_a_single_unit_that_fails_has_its_own_code(
    sbctui: Program, failing: Callable[[str, int], None], number: int, code: int
) -> None:
    failing("x", number)
    ran = sbctui("root", "create", "x", "--size", "32M", "-y")
    assert ran.code == code, ran
    assert os.strerror(number).split()[0].lower() in ran.sentence.lower() or code == 9
    assert not (sbctui.site / "nodes" / "x").exists()


def test_nothing_is_acknowledged_when_the_commit_fails(
    sbctui: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str) -> None:
        if name == "rename":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "failpoint", stop)
    assert sbctui("root", "delete", "spare", "-y").code == 1
    monkeypatch.setattr(files, "failpoint", None)
    assert "spare" in sbctui.ok("root", "list").out
