"""A job's journal: what its end tells, and what the commands in it said."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from sbctui.engine import commands
from sbctui.engine.commands import Done
from sbctui.engine.errors import Cancelled, ToolFailed
from sbctui.engine.events import Note, Output, Progress, Started, UnitFinished, Waiting
from sbctui.engine.journal import Standing, Writer, read, standing
from sbctui.engine.lockfile import SiteLock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.jsonl"


def write(path, *events):
    with path.open("ab", buffering=0) as file:
        writer = Writer(file)
        for event in events:
            writer.write(event)


def unit(done, failed=0):
    return UnitFinished(index=0, title="x", outcome="done", done=done, failed=failed, at=1.0)


def test_the_end_tells_how_far_it_is(path):
    assert standing(path) == Standing()
    path.touch()
    assert not standing(path).begun
    write(path, Waiting(holder="clone of a (pid 7)", at=1.0))
    assert standing(path) == Standing(True, "clone of a (pid 7)")
    write(path, Waiting(holder="", at=1.0), Started(title="t", total=9, at=1.0))
    assert standing(path) == Standing(True)
    write(path, unit(3, 1), Note(level="command", text="y", at=1.0))
    assert standing(path) == Standing(True, "", 3, 1)
    write(path, Waiting(holder="b", at=1.0))
    assert standing(path) == Standing(True, "b", 3, 1)


def test_a_long_talk_after_the_last_unit_hides_nothing(path):
    write(path, unit(5), *(Output(code=0, seconds=1.0, text="z" * 4000, at=1.0) for _ in range(40)))
    assert standing(path).done == 5


def test_a_torn_line_is_read_when_it_is_whole(path):
    write(path, unit(1))
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(whole[:20])
    (first, position), *more = read(path)
    assert (first.done, more, position) == (1, [], len(whole))
    with path.open("ab") as file:
        file.write(whole[20:])
    assert [event.done for event, _ in read(path, position)] == [1]


def test_progress_is_thinned_and_its_end_is_not_lost(path):
    write(path, *(Progress(what="x", done=n, total=1000) for n in range(1001)))
    kept = [event.done for event, _ in read(path)]
    assert len(kept) < 50
    assert kept[-1] == 1000


def test_what_a_command_said_is_cleaned_and_bounded():
    said = Done("x", 0, "a\tb\n" + "\n".join(str(n) for n in range(1000)), "\x1b[31mred\r\n", 0.1)
    lines = said.told().splitlines()
    assert lines[0] == "... more before this"
    assert lines[-1] == r"\x1b[31mred"
    assert len(lines) == 22
    assert len(Done("x", 0, "y" * 100_000, "z" * 100_000, 0.1).told()) < 9000
    assert Done("x", 0, "", "\n \n", 0.1).told() == ""


def python(code):
    return [sys.executable, "-c", code]


def test_how_a_command_ended_is_logged_however_it_ends():
    said = []
    commands.run(python("print('fine')"), log=said.append)
    with pytest.raises(ToolFailed):
        commands.run(python("print('bad'); raise SystemExit(3)"), log=said.append)
    assert [(d.returncode, d.stdout) for d in said[1::2]] == [(0, "fine\n"), (3, "bad\n")]


def test_what_a_command_had_said_when_it_was_stopped_is_kept():
    said, stop = [], threading.Event()
    code = "import time; print('so far', flush=True); time.sleep(60)"
    timer = threading.Timer(0.5, stop.set)
    timer.start()
    with pytest.raises(Cancelled):
        commands.run(python(code), log=said.append, stop=stop)
    assert said[1].returncode < 0
    with pytest.raises(ToolFailed, match="no answer"):
        commands.run(python(code), log=said.append, timeout=0.5)
    assert said[3].stdout == "so far\n"


def test_waiting_for_the_lock_names_the_holder_and_tells_when_it_goes_on(tmp_path):
    (tmp_path / "lock").touch()
    told, held = [], threading.Event()
    go = threading.Event()

    def hold():
        with SiteLock(tmp_path, "clone of debian12").held():
            held.set()
            go.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)

    def tell(who):
        told.append(who)
        go.set()

    with SiteLock(tmp_path, "mine", told=tell).held():
        assert told[-1] == ""
    holder.join()
    assert len(told) == 2
    assert told[0].startswith("clone of debian12 (pid ")
    began = time.monotonic()
    with SiteLock(tmp_path, "again", told=told.append).held():
        assert len(told) == 2
    assert time.monotonic() - began < 5
