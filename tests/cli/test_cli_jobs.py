"""``sbctui job``: what was interrupted is resumed, what waits says so, what was run is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.model.requests import CreateLeaves, CreateRoot, DeleteLeaves, LeafSpec
from tests.cli.program import MAC, Program, until
from tests.cli.test_cli_processes import large_source
from tests.repository.interrupted import interrupted_seeding


def killed(site: Path, engine: Engine) -> str:
    """A job of six leaves, killed with -9 while it waits for the site's lock in the middle."""
    leaves = tuple(LeafSpec(mac=MAC.format(n)) for n in range(0x31, 0x37))
    job = engine.start(engine.plan(CreateLeaves(root="spare", leaves=leaves)))
    until(lambda: engine.jobs()[0].done > 1, 20)
    with SiteLock(site, what="the test").held():
        os.kill(engine.jobs()[0].pid, signal.SIGKILL)
        until(lambda: engine.jobs()[0].over, 5)
    return job


def test_an_interrupted_job_is_resumed(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    job = killed(sbctui.site, engine)
    told = sbctui.ok("job", "show", job, "--json").json["job"]
    assert (told["state"], told["total"], told["resumed_by"]) == ("interrupted", 6, None)
    assert 0 < told["done"] < 6
    plan = sbctui.ok("job", "resume", job, "--dry-run", "--json").json["plan"]
    assert plan["command"] == f"sbctui job resume {job}"
    assert sbctui.ok("job", "resume", job, "-y").out
    assert len(sbctui.ok("leaf", "list", "spare", "--json").json["leaves"]) == 6
    first = sbctui.ok("job", "show", job, "--json").json["job"]
    second = sbctui.ok("job", "list", "--json").json["jobs"][0]
    assert (first["resumed_by"], second["resumes"]) == (second["id"], job)
    again = sbctui("job", "resume", job, "-y")
    assert again.code == 3
    assert "nothing is left to do" in again.sentence


def test_leaves_made_since_are_not_deleted_by_the_rest(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    with SiteLock(sbctui.site, what="the test").held():
        job = engine.start(engine.plan(DeleteLeaves(root="debian12")))
        until(lambda: engine.jobs()[0].waits != "", 20)
        os.kill(engine.jobs()[0].pid, signal.SIGKILL)
        until(lambda: engine.jobs()[0].over, 5)
    sbctui.ok("leaf", "create", "debian12", f"{MAC.format(9)},late", "-y")
    sbctui.ok("job", "resume", job, "-y")
    left = sbctui.ok("leaf", "list", "debian12", "--json").json["leaves"]
    assert [leaf["alias"] for leaf in left] == ["late"]


def test_a_transfer_that_a_restart_interrupted_is_listed_with_what_resumes_it(
    sbctui: Program,
) -> None:
    engine = Engine(sbctui.site)
    image = sbctui.site / "repo/images/lab/x.img"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"x" * 4096)
    told = {"10.0.0.7": "verified", "10.0.0.8": "has 40 % of it"}
    job = interrupted_seeding(engine, "lab/x.img", told)
    (listed,) = sbctui.ok("repo", "transfers", "--json").json["transfers"]
    again = f"sbctui job resume {job} --background"
    assert (listed["state"], listed["receivers"]) == ("interrupted", told)
    assert listed["resume"] == again
    text = sbctui.ok("repo", "transfers").out
    assert all(line in text for line in ("10.0.0.7: verified", "10.0.0.8: has 40 %", again))
    plan = sbctui.ok(*again.split()[1:], "--dry-run", "--json").json["plan"]
    assert plan["title"] == "seed repo:lab/x.img on lo"
    sbctui.ok("job", "close", job)
    assert sbctui.ok("repo", "transfers", "--json").json["transfers"] == []


def test_a_job_that_ended_well_has_nothing_to_resume(sbctui: Program) -> None:
    job = sbctui.ok("job", "list", "--json").json["jobs"][0]["id"]
    assert sbctui("job", "resume", job, "-y").code == 3


def test_a_running_job_is_not_resumed(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    with SiteLock(sbctui.site, what="the test").held():
        job = engine.start(engine.plan(CreateRoot(name="x", size=32 << 20)))
        ran = sbctui("job", "resume", job, "-y")
        assert (ran.code, "waiting" in ran.sentence) == (3, True)
        assert sbctui("job", "close", job).code == 3
    sbctui.alone("job", "follow", job)


def test_a_waiting_job_says_for_whom_and_goes_on(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    with SiteLock(sbctui.site, what="clone spare to y").held():
        job = engine.start(engine.plan(CreateRoot(name="x", size=32 << 20)))
        until(lambda: engine.jobs()[0].waits != "", 20)
        told = sbctui.ok("job", "show", job, "--json").json["job"]
        assert told["state"] == "waiting"
        assert told["waits_for"].startswith(f"clone spare to y (pid {os.getpid()}, since ")
        assert "waits for  clone spare to y" in sbctui.ok("job", "show", job).out
    assert sbctui.alone("job", "follow", job).code == 0
    log = sbctui.ok("job", "show", job, "--log").out
    assert "waits for clone spare to y" in log
    assert "goes on" in log


def test_a_job_that_has_not_begun_is_stopped_all_the_same(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    job = engine.start(engine.plan(CreateRoot(name="x", size=32 << 20)))
    sbctui.ok("job", "cancel", job)
    assert sbctui.alone("job", "follow", job).code == 130
    assert not (sbctui.site / "nodes" / "x").exists()


def test_what_was_stopped_can_be_done_at_once(sbctui: Program, tmp_path: Path) -> None:
    """An engine that saw the half-made root does not see it any more."""
    engine = Engine(sbctui.site)
    with large_source(tmp_path) as source:
        request = CreateRoot(name="x", size=512 << 20, source=engine.source(source))
        job = engine.start(engine.plan(request))
        until(lambda: any(s.path == "nodes/.new-x" for s in engine.site().strays), 20)
        engine.cancel(job)
        until(lambda: engine.jobs()[0].over, 20)
        assert engine.jobs()[0].code == 130
        assert engine.plan(engine.rest(job)).title == "create the root x"


def test_an_interrupted_job_is_closed(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    job = killed(sbctui.site, engine)
    assert engine.undone(job)
    assert sbctui.ok("job", "close", job, "--json").json["job"]["closed"]


def test_what_a_failing_command_said_is_kept(
    sbctui: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "mke2fs").write_text(
        '#!/bin/sh\nseq 1 100\nprintf "no\\033[31m more\\n" >&2\nexit 4\n'
    )
    (tools / "mke2fs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert sbctui("root", "create", "x", "--size", "32M", "-y").code == 6
    job = sbctui.ok("job", "list", "--json").json["jobs"][0]["id"]
    log = sbctui.ok("job", "show", job, "--log", "--json").json["log"]
    command = next(one for one in log if one["kind"] == "command")
    said = next(one for one in log if one["kind"] == "output")
    assert command["text"].startswith("$ mke2fs ")
    assert said["error"]
    lines = said["text"].splitlines()
    assert lines[0].startswith("! exit code 4 after ")
    assert lines[-1] == r"no\x1b[31m more"
    assert "100" in lines
    assert len(lines) < 30
