"""Every planted fault is named exactly once, and what can be mended is mended by its fix."""

from __future__ import annotations

import fnmatch

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model.requests import FixFindings
from tests.audit.lab_site import LabSite
from tests.audit.planted import FAULTS, Fault

SERVICES = "services:services"


def test_the_table_is_long_enough() -> None:
    assert len(FAULTS) >= 40
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_a_healthy_site_has_no_findings(lab: LabSite) -> None:
    assert lab.audit() == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_once(lab: LabSite, fault: Fault) -> None:
    fault.plant(lab)
    found = lab.audit()
    ids = sorted(one.id for one in found)
    assert len(ids) == len(fault.expected), ids
    for got, wanted in zip(ids, sorted(fault.expected), strict=True):
        assert fnmatch.fnmatchcase(got, wanted.replace("[", "[[]")), ids
    for one in found:
        assert one.title.isprintable()
        assert one.why.isprintable()
        assert one.proof.isprintable()
        assert one.proof
        assert (one.fix is None) == bool(one.unfixable)
        assert (one.trash is None) == bool(one.untrashable)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.mends], ids=lambda fault: fault.name)
def test_the_fix_mends_it(lab: LabSite, fault: Fault) -> None:
    fault.plant(lab)
    engine = Engine(lab.path)
    fixable = tuple(one.id for one in engine.audit() if one.id != SERVICES)
    report = engine.apply(engine.plan(FixFindings(findings=fixable)))
    assert report.code == 0, report
    assert lab.audit() == ()


def test_a_fix_that_is_not_there_is_said(lab: LabSite) -> None:
    engine = Engine(lab.path)
    with pytest.raises(NoSuchNode, match="no finding"):
        engine.plan(FixFindings(findings=("orphan:nobody",)))
    with pytest.raises(Refused, match="services start"):
        engine.plan(FixFindings(findings=(SERVICES,)))
