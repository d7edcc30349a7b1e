"""The program among others: terminals, signals, locks, jobs in sessions of their own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.model.requests import CreateRoot
from tests.cli.program import MAC, Program, Terminal, environment, tree, until
from tests.ui.terminal import Pty


@contextmanager
def locked(site: Path, what: str) -> Iterator[None]:
    with SiteLock(site, what=what).held():
        yield


@contextmanager
def large_source(folder: Path) -> Iterator[Path]:
    """A rootfs that takes its time."""
    path = folder / "rootfs"
    path.mkdir()
    for number in range(20):
        (path / f"data-{number}").write_bytes(os.urandom(8 << 20))
    yield path


# the console


def console(program: Program, home: Path) -> Pty:
    """It sends what differs, in pieces: only a screen puts them together."""
    return Pty(program.argv(), environment(home) | {"TERM": "xterm"}, (80, 24), home)


def test_without_a_verb_it_is_the_console(sbctui: Program, home: Path) -> None:
    with console(sbctui, home) as terminal:
        terminal.until("debian12")
        terminal.send("q")
        assert terminal.ended() == 0


def test_the_console_opens_where_there_is_no_site_yet(fresh: Program, home: Path) -> None:
    with console(fresh, home) as terminal:
        terminal.until("There is no site here yet", "empty: the interface's", "enter make the site")
        terminal.send("\x1b")
        assert terminal.ended() == 0
    assert not fresh.site.exists()


def test_the_console_refuses_a_folder_of_something_else(fresh: Program, home: Path) -> None:
    fresh.site.mkdir()
    (fresh.site / "thesis.tex").write_text("x")
    terminal = Terminal(fresh.argv(), home)
    assert terminal.end() == 3
    assert "not empty" in terminal.shown


# what a person answers


def test_creation_asks_for_a_y(sbctui: Program, home: Path) -> None:
    terminal = Terminal(sbctui.argv("root", "create", "x", "--size", "32M"), home)
    terminal.expect("Do it? [y/N]")
    assert "make x" in terminal.shown
    terminal.type("y\n")
    assert terminal.end() == 0
    assert (sbctui.site / "nodes" / "x").is_dir()


@pytest.mark.parametrize("answer", ["n\n", "\n", "maybe\n", "\x04"])
def test_anything_else_declines_with_1(sbctui: Program, home: Path, answer: str) -> None:
    before = tree(sbctui.site)
    terminal = Terminal(sbctui.argv("root", "create", "x", "--size", "32M"), home)
    terminal.expect("Do it? [y/N]")
    terminal.type(answer)
    assert terminal.end() == 1
    assert "declined; nothing was changed" in terminal.shown
    assert tree(sbctui.site) == before


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("root", "delete", "spare"), "spare"),
        (("leaf", "delete", "debian12", "--all"), "2"),
    ],
)
def test_what_destroys_wants_a_name_or_a_count(
    sbctui: Program, home: Path, words: tuple[str, ...], word: str
) -> None:
    for answer, code in (("y", 1), (word, 0)):
        terminal = Terminal(sbctui.argv(*words), home)
        terminal.expect(f"Type {word} to do it")
        terminal.type(f"{answer}\n")
        assert terminal.end() == code


def test_ctrl_c_at_the_question_is_130(sbctui: Program, home: Path) -> None:
    before = tree(sbctui.site)
    terminal = Terminal(sbctui.argv("root", "create", "x", "--size", "32M"), home)
    terminal.expect("Do it? [y/N]")
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "interrupted" in terminal.shown
    assert tree(sbctui.site) == before


def test_progress_is_shown_on_a_terminal_only(sbctui: Program, home: Path, tmp_path: Path) -> None:
    with large_source(tmp_path) as source:
        words = ("root", "create", "x", "--size", "512M", "--from", str(source), "-y")
        terminal = Terminal(sbctui.argv(*words), home)
        terminal.expect("0/1")
        assert terminal.end() == 0
        words = ("root", "create", "y", "--size", "512M", "--from", str(source), "-y")
        assert sbctui.alone(*words).err == ""
        quiet = Terminal(sbctui.argv("root", "clone", "x", "z", "-y", "--quiet"), home)
        assert quiet.end() == 0
        assert "\r" not in quiet.shown


# signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_mid_work_stops_cleanly_with_130(
    sbctui: Program, tmp_path: Path, number: int
) -> None:
    with large_source(tmp_path) as source:
        process = sbctui.start(
            "root", "create", "x", "--size", "512M", "--from", str(source), "-y", "--json"
        )
        until(lambda: list((sbctui.site / "nodes").glob(".new-x/*")), 20)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, (out, err)
    document = json.loads(out)
    assert document["error"]["code"] == 130
    assert document["report"]["code"] == 130
    assert "interrupted" in err
    assert not (sbctui.site / "nodes" / "x").exists()
    assert not list((sbctui.site / "nodes").glob(".*"))
    assert sbctui.ok("root", "list").err == ""


# two at once


def test_a_lock_is_waited_for_and_then_its_holder_is_named_with_75(sbctui: Program) -> None:
    with locked(sbctui.site, "clone spare to y"):
        process = sbctui.start("root", "clone", "spare", "x", "-y", "--json")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 75
    assert f"clone spare to y (pid {os.getpid()}" in err
    assert json.loads(out)["error"]["kind"] == "locked"
    assert not (sbctui.site / "nodes" / "x").exists()


def test_a_lock_that_is_let_go_in_time_is_no_error(sbctui: Program) -> None:
    with locked(sbctui.site, "something short"):
        process = sbctui.start("root", "clone", "spare", "x", "-y")
        until(lambda: len(list((sbctui.site / "jobs").iterdir())) > 3, 20)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_reading_needs_no_lock(sbctui: Program) -> None:
    with locked(sbctui.site, "long work"):
        sbctui.ok("root", "list")
        sbctui.ok("node", "show", "pi-01")


def test_two_at_once_lose_nothing(sbctui: Program) -> None:
    started = [
        sbctui.start("leaf", "create", "spare", MAC.format(number), "-y")
        for number in (0x21, 0x22, 0x23, 0x24)
    ]
    ended = [(process.communicate(timeout=90), process.returncode) for process in started]
    made = sum(code == 0 for _, code in ended)
    refused = [out[1] for out, code in ended if code]
    reasons = ("the site changed since", "was taken meanwhile")
    assert all(any(reason in err for reason in reasons) for err in refused), ended
    leaves = sbctui.ok("leaf", "list", "spare", "--json").json["leaves"]
    assert len(leaves) == made >= 1
    assert len({one["ip"] for one in leaves}) == made


# jobs


def test_a_job_of_its_own_is_followed_and_cancelled(sbctui: Program, tmp_path: Path) -> None:
    with large_source(tmp_path) as source:
        engine = Engine(sbctui.site)
        request = CreateRoot(name="x", size=512 << 20, source=engine.source(source))
        job = engine.start(engine.plan(request))
        until(lambda: list((sbctui.site / "nodes").glob(".new-x/*")), 20)
        running = sbctui.ok("job", "list", "--json").json["jobs"][0]
        assert (running["id"], running["state"], running["finished"]) == (job, "running", None)
        follower = sbctui.start("job", "follow", job, "--json")
        asked = sbctui.ok("job", "cancel", job)
        assert job in asked.out
        out, _ = follower.communicate(timeout=30)
        assert follower.returncode == 130
        assert json.loads(out)["report"]["job"] == job
    assert sbctui("job", "cancel", job).code == 4
    assert not (sbctui.site / "nodes" / "x").exists()


def test_a_job_that_ends_well_is_followed_to_its_end(sbctui: Program) -> None:
    engine = Engine(sbctui.site)
    job = engine.start(engine.plan(CreateRoot(name="x", size=32 << 20)))
    assert sbctui.alone("job", "follow", job).code == 0
    assert sbctui.ok("job", "show", job, "--json").json["job"]["state"] == "done"
