from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import EditNode
from sbctui.engine.model.site import Lease, Seen, Session
from sbctui.screens.filtering import parse, passing
from tests.driver import open_tui
from tests.ui.conftest import do


async def test_the_filter_narrows_as_it_is_typed(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash")
        await tui.expect("text  !not  st:up  root:NAME")
        await tui.type("pi-0")
        await tui.expect("/pi-0_ 3/4")
        await tui.type("2")
        await tui.until(lambda: "dc:a6:32:0a:00:01" not in tui.text, "the filter did nothing")
        assert "dc:a6:32:0a:00:02" in tui.text
        await tui.press("enter")
        await tui.expect("/pi-02 1/4", " ? Help")
        await tui.press("escape")
        await tui.expect("dc:a6:32:0a:00:01")


async def test_the_tree_keeps_the_roots_of_what_passes_and_shows_them_open(
    small_site: Path,
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("h", "slash")
        await tui.expect("> debian12")
        await tui.type("pi-02")
        await tui.expect("v debian12", "/pi-02_ 1/6")
        assert not any("golden" in row[:28] for row in tui.screen)
        await tui.press("escape")
        await tui.expect("> debian12", "golden")


async def test_filters_by_field_and_not(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash")
        await tui.type("root:debian12 !pi-02")
        await tui.until(lambda: not any("01:02:03" in row for row in tui.screen[:9]), "no root:")
        assert "dc:a6:32:0a:00:01" in tui.text
        assert "dc:a6:32:0a:00:02" not in tui.text


async def test_a_field_there_is_not_is_named(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.press("2", "slash")
        await tui.type("stat:up")
        await tui.until(lambda: "? no field stat; there are st root" in tui.screen[1], "not said")
        assert "no field stat; there are st root group mac ip" in tui.screen[-1]
        await tui.expect("nothing matches", "esc to see all")
        await tui.press("escape")
        await tui.expect_gone("no field")
        await tui.expect("dc:a6:32:0a:00:01")


async def test_one_line_can_be_pasted_into_a_filter(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "slash")
        await tui.paste("DC-A6-32-0a-00-03")
        await tui.expect("/DC-A6-32-0a-00-03_ 1/4")


async def test_the_cursor_comes_back_when_nothing_matched(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("2", "j", "j", "slash")
        await tui.type("zzz")
        await tui.expect("nothing matches")
        await tui.press("D")
        await tui.expect("/zzzD_")
        await tui.press("escape")
        await tui.until(lambda: "> pi-03" in tui.screen[0], "the cursor is elsewhere")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", None),
        ("pi-0", {"01", "02", "03"}),
        ("PI-02", {"02"}),
        ("pi !02", {"01", "03"}),
        ("!", None),
        ("st:up", {"01"}),
        ("st:dh", {"02"}),
        ("st:down", {"03", "lost", "rescue-07"}),
        ("!st:down pi", {"01", "02"}),
        ("st:orphan", {"lost"}),
        ("st:leaf", {"01", "02", "03"}),
        ("st:free", {"golden"}),
        ("st:broken", {"half"}),
        ("st:ask", {"b8:27:eb:00:00:01"}),
        ("st:alloc", {"rescue-07"}),
        ("root:deb", {"01", "02", "03", "debian12"}),
        ("group:rack", {"02"}),
        ("!group:rack pi", {"01", "03"}),
        ("mac:dca632.0a00.03", {"03"}),
        ("mac:b827", {"b8:27:eb:00:00:01"}),
        ("ip:10.77.0.51", {"01"}),
        ("dc:a6:32:0a", {"01", "02", "03"}),
        ("raspberry", {"b8:27:eb:00:00:01"}),
        ("nothing-like-it", set()),
    ],
)
def test_the_language(mixed: Engine, query: str, expected: set[str] | None) -> None:
    site = mixed.site()
    leaves = {f"dc-a6-32-0a-00-{n}": n for n in ("01", "02", "03")}
    sessions = (Session("dc-a6-32-0a-00-01", "10.77.0.51", 1.0),)
    leases = (Lease("dc:a6:32:0a:00:02", site.nodes["golden"].config.ip, "", 0),)  # type: ignore[arg-type]
    seen = (Seen("b8:27:eb:00:00:01", 1.0, 2.0, 3, "Raspberry"),)
    facts = replace(site.facts, sessions=sessions, leases=leases, seen=seen)
    found = passing(site.with_facts(facts), query)
    lost = {"dc-a6-32-99-00-01": "lost"}
    named = None if found is None else {(leaves | lost).get(n, n) for n in found}
    assert named == expected


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("st:up root:x mac:1 ip:1 group:g", ""),
        ("dc:a6:32", ""),
        ("a !dc:a6", ""),
        ("state:up", "no field state; there are st root group mac ip"),
        ("!foo:x", "no field foo"),
        ("st:asleep", "no state asleep"),
        ("st:", ""),
    ],
)
def test_what_is_not_understood(query: str, problem: str) -> None:
    told = parse(query).problem
    assert told.startswith(problem) if problem else not told


@pytest.fixture
def mixed(small_site: Path) -> Engine:
    """The small site with an orphan, a broken node and a group."""
    do(small_site, EditNode(name="dc-a6-32-0a-00-02", group="rack-1"))
    nodes = small_site / "nodes"
    lost = nodes / "dc-a6-32-99-00-01"
    lost.mkdir()
    config = json.loads((nodes / "dc-a6-32-0a-00-03/config.json").read_text())
    config |= {"name": lost.name, "mac": "dc:a6:32:99:00:01", "alias": "lost", "ip": None}
    (lost / "config.json").write_text(json.dumps(config))
    (nodes / "half").mkdir()
    (nodes / "half/config.json").write_text("{")
    return Engine(small_site)


async def test_a_filter_that_hides_the_cursors_row_begins_at_its_first_match(
    small_site: Path,
) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("G")
        await tui.expect("> rescue-07")
        await tui.press("slash", "p", "i", "enter")
        await tui.expect("> debian12")
