"""What the screens look like: as text at both sizes, and as one picture each.

The site is real; what changes from run to run (times, free space, paths) is set to the same.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from sbctui.app import SbcApp
from sbctui.engine.model.site import Disk, Facts, Lease, Seen, Session, Site
from sbctui.engine.services.port import Status
from sbctui.messages import LogLine, World
from tests.driver import Tui, open_tui
from tests.ui.test_audit_screen import unlist

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC).timestamp()
GIB = 1024**3
SIZES = ((80, 24), (160, 48))
MORNING = (
    "b8:27:eb:0c:00:[01-28],pi-{001..040},room-b\n"
    "B8-27-EB-0D-00-01,desk-1\ndc:a6:32:0a:00:01\nb8:27:eb:0d:00\n01:00:5e:00:00:01\n"
)


def _facts(site: Site) -> Facts:
    macs = ["dc:a6:32:0a:00:01", "dc:a6:32:0a:00:03"]
    ips = [n.config.ip for m in macs for n in site.nodes.values() if n.config.mac == m]
    first = macs[0].replace(":", "-")
    return Facts(
        now=NOW, total_bytes=1800 * GIB, free_bytes=541 * GIB, free_inodes=10**6,
        store="overlay", filesystem="ext4", serving=True,
        sessions=(Session(first, str(ips[0]), NOW - 7300, 3 * GIB, 40 << 20),),
        leases=tuple(
            Lease(m, ip, "x", int(NOW) + 3400) for m, ip in zip(macs, ips, strict=True) if ip
        ),
        seen=(Seen("dc:a6:32:41:7f:22", NOW - 60, NOW - 2, 12, "PXEClient:Arch:00011"),),
    )  # fmt: skip


def frozen(world: World) -> World:
    """The same world on a morning that is always the same."""
    assert world.site is not None
    made = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    nodes = {
        name: replace(
            n,
            config=n.config.model_copy(update={"created": made}),
            disk=Disk(n.config.disk.size, (1 + n.is_root * 9) << 20, NOW),
        )
        for name, n in world.site.nodes.items()
    }
    site = replace(world.site, path=Path("/srv/lab1"), nodes=nodes, facts=_facts(world.site))
    times = iter(range(60, 6000, 60))
    jobs = tuple(
        replace(j, id=f"job-{n}", started=NOW - t, finished=NOW - t + 4)
        for n, (j, t) in enumerate(zip(world.jobs, times, strict=False))
    )
    busy = replace(
        jobs[0], id="job-busy", title="create 50 leaves of golden", state="running", total=50,
        done=26, failed=0, samples=((NOW - 30, 5.0), (NOW, 26.0)), unit="leaf dc-a6-32-0b-00-1b",
    )  # fmt: skip
    services = tuple(
        Status(name, "running", pid=100, since=NOW - 90000)
        for name in ("dnsmasq", "storage", "gate")
    )
    log = (
        LogLine(NOW - 9, "warn", "dc:a6:32:41:7f:22 asks for an address: no node"),
        LogLine(NOW - 5, "", "pi-01 connected from 10.77.0.51"),
        LogLine(NOW - 4, "key", "job: create 50 leaves of golden"),
    )
    findings = tuple(
        f.model_copy(update={"since": NOW - 86400 if f.since else 0.0, "bytes": f.bytes and 4096})
        for f in world.findings or ()
        if f.group != "service"
    )
    return World(Path("/srv/lab1"), site, (busy, *jobs), services, findings, log)


def freeze(app: SbcApp) -> None:
    """Stop the clock: no source is asked any more, and the world stands still."""
    app.feeds._feeds.clear()
    app.feeds._views.clear()
    app.feeds.world = frozen(app.feeds.world)
    app._publish(app.feeds.world)


@pytest.fixture
def morning(small_site: Path) -> Path:
    """A site with what goes wrong in a lab: an orphan, a broken node, a stray folder."""
    unlist(small_site, "dc:a6:32:0a:00:02")
    broken = small_site / "nodes/cutoff"
    broken.mkdir()
    (broken / "config.json").write_text('{"schema": 1, "kin')
    debian = json.loads((small_site / "nodes/debian12/config.json").read_text())
    debian["notes"] = "the lab's image; kernel 6.1"
    (small_site / "nodes/debian12/config.json").write_text(json.dumps(debian))
    for disk in small_site.glob("nodes/*/root.*"):
        disk.chmod(0o640)
    shutil.rmtree(small_site / "nodes/golden/boot", ignore_errors=True)
    return small_site


async def _home(tui: Tui) -> None:
    await tui.press("j", "j")


async def _bulk(tui: Tui) -> None:
    await tui.paste(MORNING)
    await tui.expect("41 ok  2 bad")
    await tui.press("up", "up")


async def _audit(tui: Tui) -> None:
    await tui.press("o")
    await tui.expect("is an orphan")


async def _help(tui: Tui) -> None:
    await tui.press("question_mark")


async def _form(tui: Tui) -> None:
    await tui.press("n")
    await tui.type("Debian_13")


SCREENS: dict[str, Callable[[Tui], object]] = {
    "home": _home,
    "bulk": _bulk,
    "audit": _audit,
    "help": _help,
    "form": _form,
}


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("screen", SCREENS)
async def test_text(
    morning: Path, screen: str, size: tuple[int, int], snapshot: SnapshotAssertion
) -> None:
    async with open_tui(morning, size) as tui:
        freeze(tui.app)
        await tui.expect("asks for an address" if size[1] >= 24 else "1 Tree")
        await SCREENS[screen](tui)
        await tui.pilot.pause()
        assert tui.text + "\n" == snapshot
        assert all(len(row) <= size[0] for row in tui.screen)


@pytest.mark.parametrize("screen", SCREENS)
def test_picture(morning: Path, screen: str, snap_compare: Callable[..., bool]) -> None:
    app = SbcApp(morning)

    async def before(pilot: Pilot[int]) -> None:
        tui = Tui(app, pilot)
        await tui.ready()
        freeze(app)
        await tui.expect("asks for an address")
        await SCREENS[screen](tui)
        await pilot.pause()

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


@pytest.mark.parametrize("color", ["NO_COLOR", ""])
async def test_nothing_is_told_by_colour_alone(
    morning: Path, color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mono the same words are there, and the cursor is reversed."""
    if color:
        monkeypatch.setenv(color, "1")
    async with open_tui(morning) as tui:
        freeze(tui.app)
        await tui.expect("! orphans", "up", "ask", "! 1 orphan", "(a Alloc)")
        strips = tui.app.screen._compositor.render_strips()
        looks = [s.style for strip in strips for s in strip if s.style and s.text.strip()]
        assert any(look.reverse for look in looks)
        coloured = [look for look in looks if look.color and look.color.name != "default"]
        assert bool(coloured) != bool(color)
