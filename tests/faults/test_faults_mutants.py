"""Engines with a safeguard taken out: one that passes is a fault of these tests."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import cuts, mutants, two
from tests.faults.harness import Fault
from tests.faults.test_faults_power import Ground, ground  # noqa: F401 a fixture
from tests.faults.test_faults_sweep import MOST, Bench, bench, play  # noqa: F401 a fixture
from tests.faults.test_faults_two import play as play_two
from tests.faults.test_faults_two import site  # noqa: F401 a fixture

KILL = Fault(kill=True)
FULL = Fault(errno=errno.ENOSPC, sticky=True)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Mutant = Callable[[], None]


@pytest.mark.parametrize(
    ("mutant", "verb", "mode"),
    [
        (mutants.in_place, "leaf edit", KILL),
        (mutants.no_stage, "root create", KILL),
        (mutants.no_undo, "root allocate", FULL),
        (mutants.no_recovery, "leaf create", KILL),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_sweep_catches(bench: Bench, mutant: Mutant, verb: str, mode: Fault) -> None:  # noqa: F811
    about = bench.verbs[verb]
    assert any(
        play(bench, about, Fault(at, mode.kill, mode.errno, mode.sticky), mutant)[1]
        for at in range(1, MOST // 4)
    )


@pytest.mark.loop
@pytest.mark.skipif(bool(cuts.unable()), reason=cuts.unable() or "-")
@pytest.mark.parametrize(
    ("mutant", "verb"),
    [
        (mutants.no_fsync, "leaf edit"),
        (mutants.no_fsync, "root create from a directory"),
        (mutants.no_folder_fsync, "root clone"),
        (mutants.no_folder_fsync, "root delete"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_power_cut_catches(ground: Ground, mutant: Mutant, verb: str) -> None:  # noqa: F811
    about = next(one for one in ground.verbs if one.name == verb)
    steps = ground.known(about)[2]
    assert any(ground.cut(about, at, mutant) for at in range(steps + 1, 0, -1))


@pytest.mark.parametrize("mutant", [mutants.no_lock], ids=lambda value: value.__name__)
def test_two_processes_catch(site: Path, mutant: Mutant) -> None:  # noqa: F811
    _, wrong = play_two(site, 200, mutant)
    assert wrong
    assert two.BOARDS
