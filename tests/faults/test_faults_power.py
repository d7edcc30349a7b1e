"""Sixty power cuts on ext4: what was answered is there, what was not is wholly old or new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults import cuts, grounds
from tests.faults.invariants import State
from tests.faults.verbs import Verb, make_site, make_source, verbs

MIB = 1024**2
CUTS = 60
pytestmark = [
    pytest.mark.loop,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(cuts.unable()), reason=cuts.unable() or "-"),
]


@dataclass
class Ground:
    """An ext4 image with a site in it, copied for every cut."""

    folder: Path
    verbs: tuple[Verb, ...]
    _known: dict[str, tuple[State, State, int]] = field(default_factory=dict)

    def case(self, verb: Verb) -> Path:
        case = self.folder / "case.img"
        shutil.copyfile(self.folder / f"site-{verb.personal}.img", case)
        return case

    def known(self, verb: Verb) -> tuple[State, State, int]:
        if verb.name not in self._known:
            case = self.case(verb)
            self._known[verb.name] = cuts.through(case, self.folder / "mnt", verb)
        return self._known[verb.name]

    def cut(self, verb: Verb, at: int, mutant: cuts.Mutant = None) -> list[str]:
        before, after, _ = self.known(verb)
        return cuts.cut(self.case(verb), self.folder / "mnt", verb, (before, after), at, mutant)


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with grounds.ground("cuts") as folder:
        source = make_source(folder / "source")
        for personal in (False, True):
            _fill(folder, source, personal)
        yield Ground(folder, tuple(v for v in verbs(source) if v.spoil is None))


def _fill(folder: Path, source: Path, personal: bool) -> None:
    image = folder / f"site-{personal}.img"
    cuts.make_image(image, 48 * MIB)

    def fill() -> None:
        with cuts.mounted(image, folder / "mnt") as place:
            make_site(place / "site", source, personal=personal)

    cuts.in_namespace(fill)


def _spread(ground: Ground) -> list[tuple[Verb, int]]:
    """Every verb once right after its answer, and the rest of the cuts evenly over all steps."""
    steps = [(verb, at) for verb in ground.verbs for at in range(1, ground.known(verb)[2] + 1)]
    ends = [(verb, ground.known(verb)[2] + 1) for verb in ground.verbs]
    wanted = CUTS - len(ends)
    return [*ends, *(steps[i * len(steps) // wanted] for i in range(wanted))]


def test_sixty_cuts(ground: Ground) -> None:
    places = _spread(ground)
    assert len(places) >= CUTS
    for verb, at in places:
        wrong = ground.cut(verb, at)
        assert not wrong, f"{verb.name}, cut at step {at} of {ground.known(verb)[2]}: {wrong}"
