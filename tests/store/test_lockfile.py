"""The site's lock between real processes, and the generation number it carries."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading

import pytest

from sbctui.engine.errors import Cancelled, Locked
from sbctui.engine.lockfile import SiteLock, read_generation, read_lock

fork = mp.get_context("fork")


@pytest.fixture
def place(tmp_path):
    (tmp_path / "lock").touch()
    return tmp_path


def _hold(place, held, go):
    with SiteLock(place, "clone of debian12").held():
        held.set()
        go.wait(30)


@pytest.fixture
def holder(place):
    held, go = fork.Event(), fork.Event()
    process = fork.Process(target=_hold, args=(place, held, go))
    process.start()
    assert held.wait(10)
    yield process, go
    if process.is_alive():
        go.set()
    process.join(10)


def test_generation_is_odd_while_held_and_says_what_changed(place):
    lock = SiteLock(place, "test")
    with lock.held():
        assert read_generation(place) == 1
        lock.touch("debian12")
    state = read_lock(place)
    assert (state.generation, state.holder) == (2, "")
    assert state.since(0) == {"debian12"}
    assert state.since(2) == frozenset()


def test_since_is_unknown_when_too_old_or_a_wildcard(place):
    lock = SiteLock(place, "test")
    for number in range(70):
        with lock.held():
            lock.touch(f"n{number}")
    state = read_lock(place)
    assert state.since(state.generation - 4) == {"n68", "n69"}
    assert state.since(0) is None
    with lock.held():
        lock.touch("*")
    assert read_lock(place).since(state.generation) is None


def test_a_busy_lock_names_its_holder(place, holder):
    with pytest.raises(Locked, match="clone of debian12"), SiteLock(place, wait=0.1).held():
        pass


def test_waiting_can_be_stopped(place, holder):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled), SiteLock(place, wait=30).held(stop):
        pass


def test_the_lock_comes_free_when_it_is_let_go(place, holder):
    _, go = holder
    go.set()
    with SiteLock(place, wait=10).held():
        assert read_generation(place) == 3


def test_a_killed_holder_leaves_no_lock_but_a_sign(place, holder):
    process, _ = holder
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    before = read_generation(place)
    lock = SiteLock(place, wait=5)
    with lock.held():
        assert lock.after_crash
    assert read_lock(place).since(before - 1) is None
    with lock.held():
        assert lock.after_crash, "nobody has mended anything yet"
        lock.unmended = False
    with lock.held():
        assert not lock.after_crash


def _count(place, turns):
    for _ in range(turns):
        with SiteLock(place, wait=30).held():
            number = int((place / "n").read_text())
            (place / "n").write_text(str(number + 1))


def test_no_update_is_lost_between_processes(place):
    (place / "n").write_text("0")
    workers = [fork.Process(target=_count, args=(place, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert (place / "n").read_text() == "600"


def test_it_is_reentrant_and_counts_once(place):
    lock = SiteLock(place)
    with lock.held(), lock.held():
        assert read_generation(place) == 1
    assert read_generation(place) == 2
