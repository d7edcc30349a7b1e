from __future__ import annotations

import pytest

from sbctui import format as fmt
from sbctui.engine.model.requests import DeleteRoot
from sbctui.engine.plan import Plan, Report, Unit, UnitResult


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1K"),
        (1024, "1K"),
        (1536, "1.5K"),
        (16 * 1024**2, "16M"),
        (4.8 * 1024**3, "4.8G"),
        (541 * 1024**3, "541G"),
        (1023 * 1024**3, "1T"),
        (64 * 1024**4, "64T"),
    ],
)
def test_sizes_are_short(count: float, text: str) -> None:
    assert fmt.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0s"), (3.9, "3s"), (59, "59s"), (60, "1m"), (3599, "59m"), (86400, "1d"), (9e7, "2y")],
)
def test_ages(seconds: float, text: str) -> None:
    assert fmt.age(seconds) == text


def test_durations() -> None:
    assert [fmt.duration(s) for s in (None, 9, 72, 7380)] == ["--", "0:09", "1:12", "2:03:00"]


def test_eta_looks_back_sixty_seconds_only() -> None:
    samples = [(0.0, 0.0), (100.0, 10.0), (130.0, 40.0), (160.0, 70.0)]
    assert fmt.rate(samples) == 1.0
    assert fmt.eta(samples, 100) == 30.0


def test_eta_is_unknown_without_progress() -> None:
    assert fmt.eta([], 10) is None
    assert fmt.eta([(0.0, 1.0), (0.5, 2.0)], 10) is None
    assert fmt.eta([(0.0, 1.0), (9.0, 1.0)], 10) is None


def test_bar_and_cut() -> None:
    assert fmt.bar(5, 10, 12) == "[#####.....]"
    assert fmt.bar(0, 0, 6) == "[....]"
    assert fmt.cut("abcdef", 4) == "abc~"
    assert [fmt.plural(n, "leaf") for n in (1, 2)] == ["1 leaf", "2 leaves"]


def plan(count: int) -> Plan:
    units = [Unit(title=f"leaf-{n}", detail="10.0.0.1", actions=()) for n in range(count)]
    return Plan(
        title="Create\x1b[2J leaves",
        request=DeleteRoot(name="x"),
        generation=1,
        made=0.0,
        units=(*units, Unit(title="services", actions=(), always=True)),
        needs=1024**3,
        notes=("a\nb",),
        command="sbctui root delete x",
    )


def test_a_plan_shows_first_last_and_how_many_between() -> None:
    lines = fmt.plan_lines(plan(40), most=5)
    assert lines == [
        "Create\\x1b[2J leaves",
        "  leaf-0  10.0.0.1",
        "  leaf-1  10.0.0.1",
        "  leaf-2  10.0.0.1",
        "  ... 36 more ...",
        "  leaf-39  10.0.0.1",
        "  services",
        "  needs 1G of disk",
        "  note: a\\x0ab",
        "  $ sbctui root delete x",
    ]


def test_a_report_says_what_failed_and_why() -> None:
    results = (
        UnitResult(title="a", outcome="done", data={"reboot": "unreachable"}),
        UnitResult(title="d", outcome="done", data={"reboot": "unreachable"}),
        UnitResult(title="b", outcome="failed", error="disk full\x1b"),
        UnitResult(title="c", outcome="skipped"),
    )
    report = Report(title="T", verb="v", results=results, code=7, error="it\nstopped")
    assert fmt.report_lines(report) == [
        "T: 2 done, 1 failed, 1 skipped",
        "  it\\x0astopped",
        "  failed   b: disk full\\x1b",
        "  skipped  c",
        "  a and 1 more: reboot unreachable",
    ]
