"""Every verb, killed or out of space at every step: wholly old or wholly new, and nothing left.

Then the recovery of the next start; then the invariants, the audit, and the verb once more.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from tests.faults import harness
from tests.faults.grounds import ground
from tests.faults.harness import Fault, Outcome
from tests.faults.invariants import State, state, violations
from tests.faults.verbs import Verb, make_site, make_source, verbs

MOST = 400
MODES = {
    "KILL": Fault(kill=True),
    "ENOSPC once": Fault(errno=errno.ENOSPC),
    "ENOSPC from then on": Fault(errno=errno.ENOSPC, sticky=True),
}
STEPS = {"ENOSPC once": slice(1, MOST, 2), "ENOSPC from then on": slice(2, MOST, 2)}
"""Which steps are played, where not all are: each is without space in one of the two ways."""
TABLE = verbs(Path("/nowhere"))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Bench:
    """The verbs, the sites they start from and where cases are played."""

    folder: Path
    verbs: dict[str, Verb]
    sites: dict[bool, Path]
    _after: dict[str, State] = field(default_factory=dict)

    def after(self, verb: Verb) -> State:
        """The new state, from a run without a fault."""
        if verb.name not in self._after:
            site = self.prepare(verb)
            outcome = harness.run(site, verb.asks, Fault())
            assert (outcome.code, outcome.untyped) == (0, ""), outcome
            self._after[verb.name] = state(site)
        return self._after[verb.name]

    def prepare(self, verb: Verb) -> Path:
        case = self.folder / "case"
        shutil.rmtree(case, ignore_errors=True)
        harness.copy_site(self._start(verb), case)
        return case

    def _start(self, verb: Verb) -> Path:
        """The site that each of the verb's cases is a copy of."""
        site = self.sites[verb.personal]
        if not verb.spoil:
            return site
        spoiled = self.folder / f"spoiled-{verb.name.replace(' ', '-')}"
        if not spoiled.exists():
            harness.copy_site(site, spoiled)
            verb.spoil(spoiled)
        return spoiled


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with ground("sweep") as folder:
        source = make_source(folder / "source")
        sites = {p: make_site(folder / f"site-{p}", source, personal=p) for p in (False, True)}
        yield Bench(folder, {verb.name: verb for verb in verbs(source)}, sites)


@pytest.mark.parametrize("verb", [verb.name for verb in TABLE])
@pytest.mark.parametrize("mode", MODES)
def test_any_step(bench: Bench, verb: str, mode: str) -> None:
    played = sweep(bench, bench.verbs[verb], MODES[mode], STEPS.get(mode))
    assert 4 < played < MOST


def sweep(bench: Bench, verb: Verb, mode: Fault, steps: slice | None = None) -> int:
    """Play the fault at step 1, 2, … until the verb is through; the last of them."""
    for at in range(MOST)[steps or slice(1, MOST)]:
        fault = Fault(at, mode.kill, mode.errno, mode.sticky)
        outcome, wrong = play(bench, verb, fault)
        assert not wrong, f"{verb.name}, {fault}: {outcome}: {wrong}"
        if outcome.code is not None and outcome.hits < at:
            return at
    return MOST


def play(
    bench: Bench, verb: Verb, fault: Fault, mutant: Callable[[], None] | None = None
) -> tuple[Outcome, list[str]]:
    """One case: what came of it, and what is wrong."""
    after = bench.after(verb)
    site = bench.prepare(verb)
    before = state(site)
    outcome = harness.run(site, verb.asks, fault, mutant)
    if outcome.untyped:
        return outcome, [outcome.untyped]
    if mutant:
        harness.recover_in_child(site, Fault(), mutant)
    else:
        harness.recover(site)
    return outcome, _wrong(site, verb, before, after, outcome)


def _wrong(site: Path, verb: Verb, before: State, after: State, outcome: Outcome) -> list[str]:
    found = harness.judge(
        before, after, state(site), outcome, whole=verb.whole, disks=not verb.checks
    )
    engine = Engine(site)
    if not verb.spoil:
        found += violations(site)
        found += [f.title for f in engine.audit() if f.id != "services:services"]
    if outcome.code is None and not found:
        found += _again(engine, verb, after, before)
    if verb.settled:
        found += verb.settled(site, outcome.code is None)
    return found


def _again(engine: Engine, verb: Verb, after: State, before: State) -> list[str]:
    """Run once more, the verb does what is missing, or says that there is nothing to do."""
    try:
        report = engine.apply(engine.plan(verb.asks(engine)))
    except SbcError as error:
        report = None
        said = str(error)
    else:
        said = str(report)
    outcome = Outcome(0, 0)
    wrong = harness.judge(
        before, after, state(engine.path), outcome, whole=verb.whole, disks=not verb.checks
    )
    return [f"again: {one} ({said})" for one in wrong]


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("leaf create", "file.forget"),
        ("leaf create", "disk.fsync"),
        ("leaf create", "rename.fsync-target"),
        ("leaf delete", "rename.fsync-source"),
        ("root resize", "disk.resize-filesystem"),
        ("root resize", "file.create"),
        ("root rename", "rename.fsync-target"),
        ("root rename", "file.fsync-folder"),
        ("trash purge", "rmtree"),
        ("root allocate", "derived.link"),
    ],
)
def test_recovery_itself_is_killed(bench: Bench, verb: str, step: str) -> None:
    """At each of its steps in turn, until it is through: then all is as after one recovery."""
    about = bench.verbs[verb]
    site = bench.prepare(about)
    before, after = state(site), bench.after(about)
    site = bench.prepare(about)
    whole = harness.run(site, about.asks, Fault())
    at = len(whole.names) - whole.names[::-1].index(step)
    site = bench.prepare(about)
    assert harness.run(site, about.asks, Fault(at, kill=True)).code is None
    for number in range(1, MOST):
        again = bench.folder / "again"
        shutil.rmtree(again, ignore_errors=True)
        harness.copy_site(site, again)
        through = harness.recover_in_child(again, Fault(number, kill=True))
        harness.recover(again)
        wrong = harness.judge(
            before,
            after,
            state(again),
            Outcome(0, None),
            whole=about.whole,
            disks=not about.checks,
        )
        wrong += violations(again)
        assert not wrong, f"{verb}, {step}, recovery killed at {number}: {wrong}"
        if through:
            break
    assert number > 1
