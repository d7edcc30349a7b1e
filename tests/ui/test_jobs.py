"""Jobs at the console: killed, resumed, waiting, read, left and found again. Real processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.events import Finished, Note, Output, Started, UnitFinished
from sbctui.engine.journal import Writer
from sbctui.engine.model.requests import (
    CreateLeaves,
    CreateRoot,
    DeleteLeaves,
    EditNode,
    ResizeRoot,
)
from sbctui.screens.job import JobScreen
from tests.driver import Tui, open_tui
from tests.ui.conftest import MIB, do, specs

HOLD = """
import sys
from pathlib import Path
from sbctui.engine.lockfile import SiteLock
with SiteLock(Path(sys.argv[1]), what=sys.argv[2]).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(site: Path, what: str) -> Iterator[subprocess.Popen[bytes]]:
    """The site's lock in the hand of another process, until its stdin is closed."""
    argv = [sys.executable, "-c", HOLD, str(site), what]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.stdin.close()


def kill_in_the_middle(site: Path, count: int, after: int) -> str:
    """A job of its own that makes leaves of golden, killed with -9 while it makes one."""
    engine = Engine(site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(count, 100))))
    while engine.jobs()[0].done < after:
        time.sleep(0.001)
    with open(site / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it can publish no more
        os.kill(engine.jobs()[0].pid, signal.SIGKILL)
        while not engine.jobs()[0].over:
            time.sleep(0.001)
    assert after <= engine.jobs()[0].done < count
    return job


async def open_job(tui: Tui, job: str) -> None:
    """Its row in pane 4, then enter."""
    await tui.until(
        lambda: any(j.id == job for j in tui.app.feeds.world.jobs), "the job is not there"
    )
    await tui.press("4")
    tui.app.screen.jobs.rows.move_to(f"job:{job}")
    await tui.press("enter")
    await tui.expect(f"Job {job}")


async def agree(tui: Tui) -> None:
    """See the plan and start it."""
    await tui.expect("The plan")
    await tui.awake()
    await tui.press("y")
    await tui.expect_gone("The plan")


async def test_a_killed_job_is_resumed_and_makes_none_twice(small_site: Path) -> None:
    job = kill_in_the_middle(small_site, 20, 6)
    async with open_tui(small_site) as tui:
        await tui.expect("1 job interrupted")
        await open_job(tui, job)
        await tui.expect("interrupted", "something is left to do", "left to do: create")
        await tui.press("E")
        await tui.expect("The plan", "leaves of golden")
        assert tui.app.screen.plan.command == f"sbctui job resume {job}"
        await agree(tui)
        await tui.until(lambda: getattr(tui.app.screen, "job", job) != job, "no new job shown")
        await tui.expect_jobs_over()
        await tui.press("escape")
        await tui.expect_gone("1 job interrupted")
        await tui.expect("resumed     create 20 leaves of golden")
    site = Engine(small_site).site(full=True)
    made = [n for n in site.leaves if n.config.parent == "golden"]
    assert len(made) == len(site.nodes["golden"].config.children) == 20
    assert len({n.config.mac for n in made}) == len({n.config.ip for n in made}) == 20
    assert not site.strays
    first, second = sorted(Engine(small_site).jobs(), key=lambda j: j.id)[-2:]
    assert (first.id, first.resumed_by, first.done + second.done) == (job, second.id, 20)


async def test_a_job_killed_while_one_looks_is_interrupted_soon(small_site: Path) -> None:
    engine = Engine(small_site)
    async with open_tui(small_site) as tui:
        with held_by_another(small_site, "something long"):
            job = engine.start(engine.plan(EditNode(name="golden", notes="x")))
            await tui.expect("waiting", "for something long")
            os.kill(next(j.pid for j in engine.jobs() if j.id == job), signal.SIGKILL)
            killed = time.monotonic()
            await tui.expect("interrupted")
            assert time.monotonic() - killed < 4  # two seconds on a machine that is not busy
            await tui.expect("its process has gone")


async def test_an_interrupted_job_can_be_let_be(small_site: Path) -> None:
    job = kill_in_the_middle(small_site, 20, 3)
    async with open_tui(small_site) as tui:
        await tui.expect("1 job interrupted")
        await open_job(tui, job)
        await tui.expect("something is left to do")
        await tui.press("K")
        await tui.expect("it is left at that")
        await tui.press("escape")
        await tui.expect_gone("1 job interrupted")


async def test_the_second_of_two_waits_says_for_whom_and_runs(small_site: Path) -> None:
    engine = Engine(small_site)
    async with open_tui(small_site) as tui:
        with held_by_another(small_site, "delete 300 leaves") as holder:
            job = engine.start(engine.plan(CreateRoot(name="late", size=16 * MIB)))
            await tui.expect("waiting", f"for delete 300 leaves (pid {holder.pid}, since ")
            await open_job(tui, job)
            await tui.expect("waiting", f"waits for delete 300 leaves (pid {holder.pid}, since ")
        await tui.expect("goes on", "ok", "done    make late")
    assert "late" in Engine(small_site).site().nodes


async def test_a_waiting_job_is_stopped(small_site: Path) -> None:
    engine = Engine(small_site)
    async with open_tui(small_site) as tui:
        with held_by_another(small_site, "something long"):
            job = engine.start(engine.plan(CreateRoot(name="late", size=16 * MIB)))
            await open_job(tui, job)
            await tui.expect("waits for something long")
            await tui.press("X")
            await tui.expect("stopped while waiting")
    assert "late" not in Engine(small_site).site().nodes


async def test_a_job_is_stopped_by_its_key_and_the_rest_resumed(small_site: Path) -> None:
    engine = Engine(small_site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(600, 100))))
    async with open_tui(small_site) as tui:
        await open_job(tui, job)
        await tui.expect("running", "/600")
        await tui.press("X")
        await tui.expect("stopping: what is done stays", "stopped")
        await tui.expect("left to do: create")
        await tui.press("E")
        await agree(tui)
        await tui.expect_jobs_over()
    assert len(Engine(small_site).site().nodes["golden"].config.children) == 600


async def test_progress_counts_leaves_and_no_other_steps(small_site: Path) -> None:
    engine = Engine(small_site)
    job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(50, 100))))
    seen = []
    for event in engine.events(job, threading.Event()):
        if isinstance(event, (Started, Finished)):
            seen.append(event)
    assert (seen[0].total, seen[-1].done) == (50, 50)
    async with open_tui(small_site) as tui:
        await tui.expect("50/50")


async def test_commands_and_what_they_said_are_there_whole(
    small_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that fails, with escapes in what it says."""
    tools = tmp_path / "tools"
    tools.mkdir()
    fake = tools / "resize2fs"
    fake.write_text('#!/bin/sh\necho fine so far\nprintf "\\033[2Jbad \\007magic\\n" >&2\nexit 3\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    engine = Engine(small_site)
    job = engine.start(engine.plan(ResizeRoot(name="golden", size=32 * MIB)))
    async with open_tui(small_site, (100, 30)) as tui:
        await open_job(tui, job)
        await tui.expect("$ resize2fs", "fine so far", r"\x1b[2Jbad \x07magic", "! exit code 3")
        await tui.expect("! failed", "left to do")
        screen = tui.app.screen
        assert isinstance(screen, JobScreen)
        text, what = screen.copyable()
        assert what == "the errors with their commands"
        assert text.index("$ resize2fs") < text.index(r"\x1b[2Jbad \x07magic") < len(text)
        await tui.press("n")
        await tui.until(lambda: "exit code" in screen.copyable()[0], "n goes to no error")
        await tui.press("slash", *"fine")
        await tui.until(lambda: "fine so far" in screen.copyable()[0], "nothing found")
        await tui.press("enter", "escape", "escape")
        await tui.expect_gone(f"Job {job}")


async def test_leaving_in_the_middle_and_coming_back(small_site: Path) -> None:
    engine = Engine(small_site)
    with held_by_another(small_site, "something long"):
        job = engine.start(engine.plan(CreateLeaves(root="golden", leaves=specs(40, 100))))
        async with open_tui(small_site) as tui:
            await tui.expect("waiting", "for something long")
            await tui.press("q")
            await tui.expect("1 job running", "l leave them running")
            await tui.press("l")
            await tui.until(lambda: tui.app._exit, "it did not leave")
    async with open_tui(small_site) as tui:
        await tui.expect_jobs_over()
        await open_job(tui, job)
        await tui.expect("ok", "40 of 40 done", "create 40 leaves of golden: 40 done")
        await tui.press("g")
        await tui.expect("waits for something long")


def big_journal(site: Path, leaves: int) -> str:
    """A finished job with a journal of five events a leaf."""
    do(site, EditNode(name="golden", notes="y"))
    engine = Engine(site)
    job = engine.jobs()[0].id
    path = site / "jobs" / job / "events.jsonl"
    path.unlink()
    with path.open("ab", buffering=0) as file:
        writer = Writer(file)
        for n in range(leaves):
            bad = n == leaves // 2
            writer.write(Note(level="command", text=f"tool {n}", at=1.0))
            writer.write(Output(code=int(bad), seconds=1.5, text=f"said {n}", at=2.0))
            writer.write(
                UnitFinished(
                    index=n, title=f"leaf {n}", outcome="failed" if bad else "done",
                    error="bad luck" if bad else "", done=n, at=3.0,
                )
            )  # fmt: skip
    return job


async def test_a_journal_of_ten_thousand_events_opens_at_once(small_site: Path) -> None:
    job = big_journal(small_site, 3334)
    async with open_tui(small_site) as tui:
        began = time.thread_time()
        await open_job(tui, job)
        screen = tui.app.screen
        assert isinstance(screen, JobScreen)
        await tui.until(lambda: screen._ended, "it is never read")
        spent = time.thread_time() - began
        await tui.press("n")
        await tui.until(lambda: "exit code 1" in screen.copyable()[0], "n finds no error")
        assert spent < 1.0  # 0.14 s on a machine that is not busy


def test_a_journal_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with path.open("ab", buffering=0) as file:
        writer = Writer(file)
        for _ in range(3000):
            writer.write(Output(code=0, seconds=1.0, text="x" * 4000, at=1.0))
        writer.write(UnitFinished(index=0, title="leaf", outcome="done", done=1, at=1.0))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert path.stat().st_size < 4.1 * MIB
    assert [line["kind"] for line in lines[-2:]] == ["note", "unit-finished"]


async def test_one_toast_says_how_a_job_ended(small_site: Path) -> None:
    engine = Engine(small_site)
    async with open_tui(small_site) as tui:
        with held_by_another(small_site, "something long"):
            engine.start(engine.plan(DeleteLeaves(root="debian12")))
            await tui.expect("waiting")
        await tui.expect_jobs_over()
        await tui.until(lambda: bool(tui.app._notifications), "no toast")
        assert len(tui.app._notifications) == 1


async def test_a_source_that_hangs_takes_one_thread(small_site: Path) -> None:
    """A job whose file never answers, as on a dead file system."""
    async with open_tui(small_site) as tui:
        folder = small_site / "jobs" / "20990101T000000000Z-dead"
        folder.mkdir()
        os.mkfifo(folder / "result.json")
        (folder / "run").touch()
        await tui.until(lambda: "jobs" in tui.app.feeds.world.late, "it is not missed")
        await tui.until(lambda: tui.app.feeds.world.late.get("jobs", 0) > 4, "it came back")
        assert [one.name for one in threading.enumerate()].count("feed-jobs") == 1
        await tui.press("n")
        await tui.expect("Create a root")
        with open(folder / "result.json", "wb"):
            pass  # lets the thread go
