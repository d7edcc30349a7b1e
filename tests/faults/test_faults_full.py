"""A disk that fills up midway: the verb fails in words, leaves nothing behind, gives space back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbctui.engine import files
from tests.faults import cuts, grounds, harness
from tests.faults.harness import Fault, Outcome
from tests.faults.invariants import state, violations
from tests.faults.test_faults_power import Ground
from tests.faults.verbs import MIB, Verb, make_site, make_source, verbs

SIZE = 16 * MIB
LEFT = (0, 4096, 24 * 1024, 160 * 1024)
"""Bytes left free when somebody else takes the rest."""
TOLERANCE = 64 * 1024
"""What the journal of one job may take."""
VERBS = (
    "root create",
    "root create from a directory",
    "root clone",
    "root allocate",
    "root deallocate",
    "root resize",
    "leaf create",
    "leaf create personalised",
    "leaf edit",
    "leaf delete",
    "trash restore",
)
pytestmark = [
    pytest.mark.loop,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(cuts.unable()), reason=cuts.unable() or "-"),
]


@pytest.fixture(scope="module")
def small() -> Iterator[Ground]:
    with grounds.ground("full") as folder:
        source = make_source(folder / "source")
        for personal in (False, True):
            image = folder / f"site-{personal}.img"
            cuts.make_image(image, SIZE)
            cuts.in_namespace(lambda i=image, p=personal: _fill(i, folder, source, personal=p))
        yield Ground(folder, tuple(v for v in verbs(source) if v.name in VERBS))


def _fill(image: Path, folder: Path, source: Path, *, personal: bool) -> None:
    with cuts.mounted(image, folder / "mnt") as place:
        make_site(place / "site", source, personal=personal)


def take(place: Path, left: int) -> Path:
    """Somebody else's file that leaves ``left`` bytes free."""
    filler = place / "filler"
    with open(filler, "wb") as file:
        while (room := _free(place) - left) > 0:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), room)
            except OSError:
                file.seek(0, os.SEEK_END)
                if room <= 8192:
                    break
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, room // 2)
            file.seek(0, os.SEEK_END)
    return filler


def _free(place: Path) -> int:
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("left", LEFT)
def test_full_midway(small: Ground, name: str, left: int) -> None:
    verb = next(v for v in small.verbs if v.name == name)
    before, after, steps = small.known(verb)
    for at in range(2, steps, max(1, steps // 4)):

        def body(at: int = at) -> Any:
            with cuts.mounted(small.case(verb), small.folder / "mnt") as place:
                return case(place, verb, at, left)

        found, outcome = cuts.in_namespace(body)
        outcome = Outcome(**outcome)
        now, wrong = found
        wrong += harness.judge(before, after, now, outcome, whole=verb.whole, disks=not verb.checks)
        assert not wrong, f"{name}, {left} left at step {at} of {steps}: {outcome}: {wrong}"


def case(place: Path, verb: Verb, at: int, left: int) -> tuple[Any, dict[str, Any]]:
    """Play it; the state afterwards, what is wrong in itself, and what the verb answered."""
    site = place / "site"
    free = _free(place)

    def fill_up() -> None:
        steps = 0

        def failpoint(name: str) -> None:
            nonlocal steps
            steps += 1
            if steps == at:
                take(place, left)

        files.failpoint = failpoint

    outcome = harness.run(site, verb.asks, Fault(), fill_up)
    filler = place / "filler"
    filler.unlink(missing_ok=True)
    os.sync()
    wrong = [outcome.untyped] if outcome.untyped else []
    if outcome.code not in (0, 7, 9):
        wrong.append(f"the exit code is {outcome.code}: {outcome.error}")
    if outcome.code not in (0, 7) and free - _free(place) > TOLERANCE:
        wrong.append(f"{free - _free(place)} bytes were not given back")
    harness.recover(site)
    return (state(site), wrong + violations(site)), outcome.__dict__
