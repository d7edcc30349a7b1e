"""The audit in the console: what is seen, what is explained, fixed, kept, trashed, reported."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.requests import KeepFindings
from sbctui.prefs import Prefs
from sbctui.screens.plan import PlanScreen
from tests.audit.lab_site import LabSite, leaf, root
from tests.driver import Tui, open_tui
from tests.stopwatch import Stopwatch
from tests.ui.conftest import SETTINGS, do
from tests.ui.test_flows import start, starts_at_once

MAC2 = "dc:a6:32:0a:00:02"
LEAF2 = dashed(MAC2)


def unlist(site: Path, mac: str) -> None:
    """Make an orphan, as a person with an editor would."""
    config = site / "nodes/debian12/config.json"
    root = json.loads(config.read_text())
    del root["children"][mac]
    config.write_text(json.dumps(root))


def edit(site: Path, node: str, before: str, after: str) -> None:
    path = site / "nodes" / node / "config.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def stray(site: Path, name: str = "notes.txt") -> Path:
    path = site / "nodes" / name
    path.write_text("who is who")
    return path


async def gone(tui: Tui, word: str) -> None:
    """Wait until no row of the list has this in it."""
    await tui.until(lambda: word not in "\n".join(tui.screen[:-12]), f"{word!r} is still there")


# ── seeing ────────────────────────────────────────────────────────────────────────────────


async def test_groups_have_counts_sizes_and_signs(small_site: Path) -> None:
    unlist(small_site, MAC2)
    stray(small_site)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect(
            "orphans: leaves that no root lists (1, ", "+ list pi-02 in debian12 again"
        )
        await tui.expect("strays: things that are no nodes (1, 4K)", "? move nodes/notes.txt to")
        await tui.expect("services: ", "(1)", "- no fix", "3 findings, ", "looked ")


async def test_the_story_tells_why_proof_keys_and_the_plan(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan", "why     A leaf belongs to the root whose children")
        await tui.expect("f       list pi-02 in debian12 again (loses nothing)")
        await tui.expect(f"proof   nodes/{LEAF2}/config.json: parent is debian12")
        await tui.expect(f"plan    1. nodes/debian12/config.json: children + {MAC2}")
        await tui.expect("D       move pi-02 to the trash", "K       keep it as it is")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (160, 48)])
async def test_it_fits(small_site: Path, size: tuple[int, int]) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site, size) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orph", "SUGGESTED", "why     ", "f       list pi-02")
        await tui.expect("f Fix", "esc Back")
        assert tui.screen[-1].strip().startswith("f Fix")


async def test_a_wide_screen_tells_all_beside_the_list(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.press("o")
        await tui.expect(f"line    sbctui audit --fix orphan:{LEAF2}")
        assert "Audit" in tui.screen[0]
        assert "Why, and what can be done" in tui.screen[0]


async def test_nothing_wrong_says_what_was_looked_at(empty_site: Path) -> None:
    async with open_tui(empty_site) as tui:
        await tui.press("o")
        await tui.expect("nothing disagrees; looked at:", "nodes      0 (0 roots, 0 leaves)")
        await tui.expect("dnsmasq    0 host lines, 0 leases", "TFTP ", "NBD ", "services ")


def many(path: Path, count: int) -> LabSite:
    """A root with ``count`` leaves, all there and derived."""
    init_site(path, SETTINGS)
    lab = LabSite(path)
    first = IPv4Address("10.77.0.2")
    macs = [f"dc:a6:32:0b:{n >> 8:02x}:{n & 255:02x}" for n in range(count)]
    for n, mac in enumerate(macs):
        lab.put(leaf(mac, "debian12", str(first + n), alias=f"pi-{n:04}"))
    lab.put(root("debian12", children={mac: dashed(mac) for mac in macs}))
    lab.apply()
    return lab


@pytest.mark.slow
async def test_an_orphan_of_a_thousand_is_seen_within_a_second(site_path: Path) -> None:
    """Made behind our back while the console is open: the key alone has it looked for.

    It stands above what was known before, and is in sight all the same.
    """
    many(site_path, 1000)
    for number in range(30):
        stray(site_path, f"stray-{number}")
    took: list[float] = []
    async with open_tui(site_path) as tui:
        for number in range(3):
            unlist(site_path, f"dc:a6:32:0b:01:{number:02x}")
            watch = Stopwatch()
            await tui.press("o")
            await tui.expect(f"pi-{0x100 + number:04} is an orphan")
            took.append(watch.seconds)
            await tui.press("escape")
            await tui.expect("1 Tree")
    assert min(took) < 1, took


# ── choosing ──────────────────────────────────────────────────────────────────────────────


async def test_findings_are_filtered_and_counted(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan", "- no fix")
        await tui.press("slash", *"orphan", "enter")
        await tui.expect("1 of 2 findings")
        await tui.expect_gone("- no fix")
        await tui.press("slash", *"!pi", "enter")
        await tui.expect("0 of 2 findings", "no finding has orphan!pi in it")
        await tui.press("escape")
        await tui.expect("- no fix")


async def test_findings_are_sorted_within_their_groups(small_site: Path) -> None:
    stray(small_site, "a-small")
    stray(small_site, "b-large").write_bytes(b"x" * 100_000)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("nodes/a-small", "nodes/b-large")
        assert tui.text.index("a-small") < tui.text.index("b-large")
        await tui.press("S")
        await tui.expect(", by size")
        assert tui.text.index("b-large") < tui.text.index("a-small")


async def test_marks_survive_a_filter_and_go_with_their_finding(small_site: Path) -> None:
    path = stray(small_site)
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("notes.txt")
        await tui.press("asterisk")
        await tui.expect("2 marked")
        await tui.press("slash", *"orphan", "enter")
        await tui.expect("2 marked", "1 of 3 findings")
        path.unlink()
        await tui.press("r")
        await tui.expect("1 mark dropped: no longer there", "1 marked")


# ── fixing ────────────────────────────────────────────────────────────────────────────────


async def test_an_orphan_is_fixed(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan")
        await tui.press("f")
        await start(tui, "pi-02")
        await gone(tui, "pi-02 is an orphan")
    assert LEAF2 in Engine(small_site).site().listed_by


async def test_safe_ones_are_marked_and_fixed_together(small_site: Path) -> None:
    for mac in ("dc:a6:32:0a:00:01", MAC2):
        unlist(small_site, mac)
    stray(small_site)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-01 is an orphan", "pi-02 is an orphan")
        await tui.press("s")
        await tui.expect("2 marked")
        await tui.press("f")
        await start(tui, "pi-01")
        await gone(tui, "is an orphan")
        await tui.expect("nodes/notes.txt")
        assert "marked" not in tui.text


async def test_all_safe_ones_are_fixed_by_one_key(small_site: Path) -> None:
    for mac in ("dc:a6:32:0a:00:01", MAC2):
        unlist(small_site, mac)
    path = stray(small_site)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-01 is an orphan")
        await tui.press("F")
        await start(tui, "mend 2 findings")
        await gone(tui, "is an orphan")
        await tui.press("F")
        await tui.expect("nothing that can be fixed without losing")
    assert path.exists()


async def test_what_has_no_fix_says_why(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("- no fix")
        await tui.press("G")
        await tui.expect("no fix  start them: sbctui services start", "(f Fix)")
        await tui.press("f")
        await tui.expect("not possible")
        assert "The plan" not in tui.text
        await tui.press("D")
        await tui.expect("no single thing")
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_what_changed_meanwhile_is_looked_at_again_under_the_lock(small_site: Path) -> None:
    """Mended by somebody else while the plan was shown: nothing is done twice, all is well."""
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan")
        await tui.press("D")
        await tui.expect("The plan", "move pi-02 to the trash")
        edit(small_site, "debian12", '"children": {', f'"children": {{"{MAC2}": "{LEAF2}", ')
        await tui.awake()
        await tui.press("y")
        await tui.expect_jobs_over()
        await gone(tui, "pi-02 is an orphan")
    assert (small_site / "nodes" / LEAF2).is_dir()


# ── trashing, keeping ─────────────────────────────────────────────────────────────────────


async def test_an_orphan_goes_to_the_trash_and_comes_back(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan")
        await tui.press("D")
        await start(tui, "move pi-02 to the trash")
        await gone(tui, "pi-02 is an orphan")
        assert not (small_site / "nodes" / LEAF2).exists()
        await tui.press("escape")
        await tui.expect("1 Tree")
        await tui.press("z")
        await tui.until(lambda: (small_site / "nodes" / LEAF2).is_dir(), "it never came back")
        await tui.expect_jobs_over()


async def test_a_stray_goes_to_the_trash(small_site: Path) -> None:
    path = stray(small_site, "notes [red]\x1b[31m.txt")
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect(r"notes [red]\x1b[31m.txt")
        await tui.press("D")
        await start(tui, "to the trash")
        await tui.expect_gone("strays:")
    assert not path.exists()


async def test_a_finding_is_kept_with_a_note_and_let_go_again(small_site: Path) -> None:
    stray(small_site)
    async with open_tui(small_site) as tui:
        await tui.expect("! 1 stray")
        await tui.press("o")
        await tui.expect("nodes/notes.txt")
        await tui.press("K")
        await tui.expect("Keep 1 finding as it is", "Until")
        await tui.press("enter")
        await tui.expect("say why")
        await tui.type("the rack list")
        await tui.press("enter")
        await starts_at_once(tui, "keep 1 finding: the rack list")
        await tui.expect("kept: left as they are", "1 kept", "kept until ", "the rack list")
        assert Engine(small_site).audit()[-1].kept
        await tui.press("escape")
        await tui.expect_gone("! 1 stray")
        await tui.press("o", "G")
        await tui.expect("K       count it again")
        await tui.press("K")
        await starts_at_once(tui, "count 1 finding again")
        await tui.expect_gone("kept: left as they are")
        await tui.press("escape")
        await tui.expect("! 1 stray")


async def test_a_bad_day_is_said(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("- no fix")
        await tui.press("K", *"why", "tab", *["backspace"] * 10, *"soon")
        await tui.expect("write the day as ")
        await tui.press(*["backspace"] * 4)
        await tui.type("2020-01-01")
        await tui.expect("that day is over")


async def test_what_was_kept_and_changed_is_counted_again(small_site: Path) -> None:
    unlist(small_site, MAC2)
    do(small_site, KeepFindings(findings=(f"orphan:{LEAF2}",), note="ask Bob"))
    async with open_tui(small_site, (80, 30)) as tui:
        await tui.press("o")
        await tui.expect("kept: left as they are", "1 kept")
        edit(small_site, LEAF2, '"parent": "debian12"', '"parent": "nobody"')
        await tui.press("r")
        await tui.expect("orphans: leaves that no root lists")
        await tui.press("g", "j")
        await tui.expect("again   it was kept as", "something else now: ask Bob")


async def test_a_console_that_only_looks_changes_nothing(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site, read_only=True) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan", "(f Fix)")
        for key in ("f", "F", "D", "K"):
            await tui.press(key)
            await tui.expect("--read-only")
        assert not isinstance(tui.app.screen, PlanScreen)
    assert LEAF2 not in Engine(small_site).site().listed_by


# ── evidence, report, copy ────────────────────────────────────────────────────────────────


async def test_enter_shows_the_evidence_and_fixes_from_there(small_site: Path) -> None:
    unlist(small_site, MAC2)
    async with open_tui(small_site) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan")
        await tui.press("enter")
        await tui.expect("Evidence", "path    /", "plan    1. ", "on disk", "ago")
        await tui.expect(f"line    sbctui audit --fix orphan:{LEAF2}")
        text, name = tui.app.screen.copyable()  # type: ignore[attr-defined]
        assert f"proof   nodes/{LEAF2}/config.json: parent is debian12" in text
        assert name == "the evidence"
        await tui.press("f")
        await start(tui, "pi-02")
        await tui.expect("there no more", "(f Fix)")
        await tui.press("escape")
        await tui.expect("SUGGESTED")


async def test_the_report_is_written_and_nothing_is_overwritten_unasked(
    small_site: Path, tmp_path: Path
) -> None:
    unlist(small_site, MAC2)
    place = tmp_path / "report.txt"
    place.write_text("mine")
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.press("o")
        await tui.expect("pi-02 is an orphan")
        await tui.press("e")
        await tui.expect("Report of the audit", "sbctui-audit-")
        await tui.press("ctrl+u")
        await tui.paste(str(place))
        await tui.press("enter")
        await tui.expect("Enter again writes over it")
        assert place.read_text() == "mine"
        await tui.press("enter")
        await tui.expect("written:")
        told = place.read_text()
        assert "Audit of " in told
        assert "pi-02 is an orphan: no root lists it" in told
        assert f"sbctui audit --fix orphan:{LEAF2}" in told
        assert "looked at" in told
        await tui.press("e")
        await tui.expect("Report of the audit")
        await tui.press("ctrl+u")
        await tui.paste(str(tmp_path / "report.json"))
        await tui.press("enter")
        await tui.until((tmp_path / "report.json").exists, "it was never written")
    found = json.loads((tmp_path / "report.json").read_text())["findings"]
    assert found[0]["id"] == f"orphan:{LEAF2}"


async def test_a_report_that_cant_be_written_says_why(small_site: Path, tmp_path: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        await tui.press("o")
        await tui.expect("- no fix")
        await tui.press("e")
        await tui.expect("Report of the audit")
        for place, why in (
            (tmp_path / "no" / "such", "such file or directory"),
            (tmp_path, "is no file"),
        ):
            await tui.press("ctrl+u")
            await tui.paste(str(place))
            await tui.press("enter", "enter")
            await tui.expect(f"{why}")


async def test_with_questions_wanted_even_a_note_is_asked_for(small_site: Path) -> None:
    async with open_tui(small_site, prefs=Prefs(confirm="always")) as tui:
        await tui.press("o")
        await tui.expect("- no fix")
        await tui.press("K", *"why", "enter")
        await start(tui, "keep 1 finding: why")
        await tui.expect("kept: left as they are")
