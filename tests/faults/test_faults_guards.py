"""A disk in use is left alone, a place that is taken too; the machine's word is not needed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model import requests as ask
from tests.faults import harness, mutants
from tests.faults.grounds import ground
from tests.faults.harness import Fault
from tests.faults.invariants import state, violations
from tests.faults.verbs import MIB, mac, make_site, make_source

Mutant = Callable[[], None] | None


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with ground("guards") as folder:
        yield make_site(folder / "site", make_source(folder / "source"), personal=False)


@pytest.fixture
def site(template: Path, tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    harness.copy_site(template, tmp_path / "site")
    return tmp_path / "site"


def in_use(site: Path, mutant: Mutant = None) -> list[str]:
    """Delete a root and a leaf whose disks somebody has open; what goes wrong."""
    wrong: list[str] = []
    leaf = mac(1).replace(":", "-")
    for name, disk, request in (
        ("bare", "root.img", ask.DeleteRoot(name="bare")),
        (leaf, "root.qcow2", ask.DeleteLeaves(root="full", macs=(mac(1),))),
    ):
        before = state(site)
        file = next(p for p in (site / "nodes" / name).iterdir() if p.name.startswith("root."))
        fd = os.open(file, os.O_RDWR)
        outcome = harness.run(site, lambda _, r=request: r, Fault(), mutant)
        os.close(fd)
        if outcome.code == 0 or state(site) != before:
            wrong.append(f"{name}/{disk} was taken away while it was open: {outcome}")
    return wrong + violations(site)


def taken_place(site: Path, mutant: Mutant = None) -> list[str]:
    """While a root is made somebody puts a folder where it will stand."""

    def body() -> list[str]:
        if mutant:
            mutant()
        engine = Engine(site)
        plan = engine.plan(ask.CreateRoot(name="new", size=4 * MIB))
        place = site / "nodes" / "new"

        def failpoint(name: str) -> None:
            if name == "rename":
                place.mkdir(exist_ok=True)

        harness.files.failpoint = failpoint
        report = engine.apply(plan)
        empty = place.is_dir() and not any(place.iterdir())
        return [] if report.code and empty else [f"code {report.code}, empty: {empty}"]

    data = harness.in_child(body)
    assert data is not None
    found: list[str] = json.loads(data)
    return found


def test_a_disk_in_use_is_left_alone(site: Path) -> None:
    assert in_use(site) == []


def test_a_place_that_is_taken_is_left_alone(site: Path) -> None:
    assert taken_place(site) == []


def test_the_harness_notices_a_missing_write_lease(site: Path) -> None:
    assert in_use(site, mutants.no_write_lease)


def test_the_harness_notices_a_rename_that_replaces(site: Path) -> None:
    assert taken_place(site, mutants.replacing_rename)
