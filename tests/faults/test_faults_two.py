"""Two processes × 500 mixed verbs, with readers: no lost update, nothing twice."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateRoot
from tests.faults import two
from tests.faults.grounds import ground
from tests.faults.harness import recover
from tests.faults.invariants import violations
from tests.faults.verbs import MIB, do, make_site, make_source

TURNS = 500
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def site() -> Iterator[Path]:
    with ground("two") as folder:
        path = make_site(folder / "site", make_source(folder / "source"), personal=False)
        do(Engine(path), CreateRoot(name="more", size=MIB * 4))
        yield path


def play(
    site: Path, turns: int, mutant: Callable[[], None] | None = None
) -> tuple[list[two.Ack], list[str]]:
    """Two workers and two readers; what was answered, and all that is wrong."""
    parent = os.getpid()
    readers = [two.start(lambda: two.read(site, parent)) for _ in range(2)]
    workers = [two.start(lambda w=w: two.work(site, w, turns, mutant)) for w in (1, 2)]
    answers = [two.answer(one) for one in workers]
    read = [two.stop(one) for one in readers]
    found = [str(one) for one in (*answers, *read) if not isinstance(one, list)]
    acks = [tuple(ack) for one in answers if isinstance(one, list) for ack in one]
    start = [("allocate", "lent", "")]
    return acks, [*found, *(w for one in read for w in one), *two.wrong(site, [*start, *acks])]


def test_two_processes(site: Path) -> None:
    acks, wrong = play(site, TURNS)
    assert wrong == []
    done = Counter(kind for kind, _, _ in acks)
    assert all(done[kind] > 20 for kind in ("create", "delete", "allocate", "deallocate", "note"))
    assert [f.id for f in Engine(site).audit()] == ["services:services"]


def test_a_worker_that_is_killed_takes_nothing_with_it(site: Path) -> None:
    """Workers killed at random; the others go on, and recovery settles the rest."""
    survivor = two.start(lambda: two.work(site, 3, 60, None))
    for round_ in range(12):
        pid, reading = two.start(lambda r=round_: two.work(site, 10 + r, 500, None))
        time.sleep(0.1 + 0.037 * round_)
        os.kill(pid, signal.SIGKILL)
        os.close(reading)
        os.waitpid(pid, 0)
    assert isinstance(two.answer(survivor), list)
    recover(site)
    assert violations(site) == []
