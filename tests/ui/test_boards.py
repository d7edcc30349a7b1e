"""The wall of boards: who asks, how far each boot came, and what can be done about it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sbctui.engine.boards.history import History
from sbctui.engine.boards.timeline import judge
from sbctui.engine.engine import Engine
from sbctui.engine.files import remove_tree
from sbctui.engine.model.boots import Boot, Fetched, Timeline
from sbctui.engine.model.requests import CreateRoot, IgnoreBoards
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Seen
from sbctui.engine.services.control import stop_services
from sbctui.engine.services.rundir import run_dir
from sbctui.screens.boards import BoardsScreen
from sbctui.screens.bulk import BulkScreen
from sbctui.terminal import Terminal
from tests.driver import Tui, open_tui
from tests.lab import Lab, needs
from tests.services import dhcp_client as dhcp
from tests.services.test_control_lab import Served
from tests.ui.conftest import MIB, do
from tests.ui.terminal import open_pty

NOW = 1_800_000_000.0
PI = Seen(
    "dc:a6:32:41:7f:22", NOW - 60, NOW - 2, 12, "PXEClient:Arch:00000:UNDI:002001",
    "Raspberry Pi Trading Ltd", model="Raspberry Pi 4B, 4 GB", serial="9ffefdef",
    architecture="ARM64",
)  # fmt: skip
NUC = Seen("a0:36:9f:77:01:0c", NOW - 900, NOW - 31, 40, "PXEClient:Arch:00007", "Intel Corporate")
FILES = (
    Fetched("recovery.elf", NOW, "missing"),
    Fetched("vmlinuz", NOW, "sent", size=29_400_000, seconds=6.2),
)
WANTED = Fetched("initrd.img", NOW, "missing", times=3)
WHY = "asked for initrd.img, not there: the root has no initramfs of that name"


def mac(number: int) -> str:
    return f"dc:a6:32:0a:00:{number:02x}"


def boot(number: int, began: float, **more: object) -> Boot:
    at = began + 0.3
    made = Boot(mac(number), began, at, f"10.77.0.{number}", 1, asked=began, offered=at, leased=at)
    return replace(made, **more)  # type: ignore[arg-type]


def got(began: float, *files: Fetched) -> tuple[Fetched, ...]:
    return tuple(replace(one, at=began + 8) for one in files)


def wants_initrd(number: int, began: float) -> Boot:
    return boot(number, began, last=began + 8, files=got(began, *FILES, WANTED))


def is_up(number: int, began: float) -> Boot:
    ways = {"disk": began + 12, "write": began + 20, "up": began + 30, "last": began + 30}
    return boot(number, began, files=got(began, *FILES), **ways)


def judged(*boots: Boot) -> tuple[Timeline, ...]:
    return tuple(judge(one, NOW, one.mac.replace(":", "-"), f"pi-{one.mac[-2:]}") for one in boots)


WALL = judged(is_up(1, NOW - 7200), wants_initrd(2, NOW - 300), boot(3, NOW - 4))


def freeze(tui: Tui, *seen: Seen, boots: tuple[Timeline, ...] = WALL) -> None:
    """The same moment from now on, with these boards that ask and these boots."""
    feeds = tui.app.feeds
    feeds._feeds.clear()
    site = Engine(feeds.path).site()
    facts = replace(site.facts, now=NOW, seen=seen, serving=True)
    feeds.world = replace(feeds.world, site=site.with_facts(facts), boots=boots)
    tui.app._publish(feeds.world)


def row(tui: Tui, word: str) -> str:
    return next((line for line in tui.screen if word in line), "")


def place(tui: Tui, word: str) -> int:
    return next(i for i, line in enumerate(tui.screen) if line.lstrip(" *").startswith(word))


# ── the wall ──────────────────────────────────────────────────────────────────────────────


async def test_stages_in_signs_and_what_stopped_or_boots_first(small_site: Path) -> None:
    mono = Terminal(colours=0, lines=False, encoding="ascii", wide=False)
    async with open_tui(small_site, terminal=mono) as tui:
        freeze(tui, PI, NUC)
        await tui.press("w")
        await tui.expect("2 unknown, asking", "Boards: 1 stopped, 1 booting, 1 up", "pi-02")
        places = [place(tui, word) for word in (PI.mac, "pi-02", "pi-03", "pi-01", "rescue-07")]
        assert places == sorted(places)
        assert row(tui, PI.mac).split()[:3] == [PI.mac, "12x", "<1m"]
        assert "Raspberry Pi 4B, 4 GB, serial 9ffefdef, ARM64" in row(tui, PI.mac)
        assert row(tui, "pi-02").split() == ["pi-02", "=0.0s", "=0.3s", "!", "-", "-", "-",
                                             "stopped", "5m"]  # fmt: skip
        assert row(tui, "pi-03").split()[1:4] == ["=0.0s", "=0.3s", "..3.7s"]
        assert row(tui, "pi-01").split()[-8:] == ["=0.0s", "=0.3s", "=7.7s", "=4.0s", "=8.0s",
                                                  "=10s", "up", "2h"]  # fmt: skip
        assert "no boot seen yet" in row(tui, "rescue-07")
        tui.app.focused.move_to(f"boot:{mac(2)}")  # type: ignore[union-attr]
        await tui.expect("stopped: asked for initrd.img, not there", "1 sent, 28M, 2 not there")


async def test_where_there_is_room_the_reason_stands_in_the_row(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        freeze(tui)
        await tui.press("w")
        await tui.expect("WHY", WHY)
        assert WHY in row(tui, "pi-02")


async def test_sorted_and_filtered_the_cursor_stays_on_its_board(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        freeze(tui, PI)
        await tui.press("w")
        await tui.expect("pi-03")
        tui.app.focused.move_to(f"boot:{mac(3)}")  # type: ignore[union-attr]
        await tui.press("s")
        await tui.expect("by name")
        assert place(tui, "pi-01") < place(tui, "pi-02") < place(tui, "pi-03")
        assert tui.app.focused.cursor == f"boot:{mac(3)}"  # type: ignore[union-attr]
        await tui.press("slash", *"initrd", "enter")
        await tui.expect_gone("pi-03  ")
        await tui.expect("pi-02")
        await tui.press("slash", *"zz")
        await tui.expect("no board has initrdzz in it; esc shows all")
        await tui.press("escape", "escape")
        await tui.expect("1 Tree")


async def test_home_tells_what_a_board_asks_with_and_why_a_leaf_stopped(small_site: Path) -> None:
    async with open_tui(small_site, (160, 48)) as tui:
        freeze(tui, PI)
        await tui.expect("(Pi 4B)", "asked 12 times, Raspberry Pi 4B, 4 GB, serial 9ffefdef")
        tui.app.focused.move_to("leaf:dc-a6-32-0a-00-02")  # type: ignore[union-attr]
        await tui.expect("boot     stopped at files, began 5m ago:", "asked for initrd.img")
        await tui.press("2", "g")
        await tui.expect("serial   9ffefdef", "maker    Raspberry Pi Trading Ltd")
    async with open_tui(small_site) as tui:
        freeze(tui, PI)
        await tui.expect("dc:a6:32:41:7f:22 (Pi 4B)")


async def test_an_empty_wall_says_what_to_do(empty_site: Path) -> None:
    async with open_tui(empty_site) as tui:
        await tui.press("w")
        await tui.expect("nobody listens: sbctui services start", "services stopped")
        freeze(tui, boots=())
        await tui.expect("appears here within two seconds", "b then makes it a leaf")
        await tui.press("b")
        await tui.expect("not possible", "leaves are made of boards that ask")


async def test_what_boards_say_is_text(small_site: Path) -> None:
    bad = replace(NUC, vendor_class="[red]x[/]", hostname="[@click=app.quit]y[/]")
    line = replace(WALL[1], reason="asked for [b]a[/b]")
    async with open_tui(small_site, (160, 48)) as tui:
        freeze(tui, bad, boots=(line,))
        await tui.press("w")
        await tui.expect("[red]x[/]", "[@click=app.quit]y[/]", "asked for [b]a[/b]")


# ── what can be done ──────────────────────────────────────────────────────────────────────


async def test_marked_boards_become_lines_of_the_bulk_screen(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        freeze(tui, PI, NUC)
        await tui.press("w")
        await tui.expect(NUC.mac)
        await tui.press("asterisk")
        await tui.expect("2 marked")
        await tui.press("b")
        await tui.expect("Bulk leaves", "2 ok")
        assert isinstance(tui.app.screen, BulkScreen)
        assert tui.app.screen.editor.text.split() == sorted([PI.mac, NUC.mac])


async def test_an_ignored_board_stays_ignored_until_it_is_let_be_seen(small_site: Path) -> None:
    def ignored() -> list[str]:
        return [one.mac for one in Engine(small_site).site().roster.ignored]

    async with open_tui(small_site) as tui:
        await tui.press("w")
        await tui.until(lambda: isinstance(tui.app.screen, BoardsScreen), "no wall")
        screen = tui.app.screen
        freeze(tui, PI, NUC)
        await tui.expect("2 unknown, asking")
        screen.pane.rows.move_to(f"ask:{PI.mac}")  # type: ignore[attr-defined]
        await tui.press("i")
        await tui.until(lambda: ignored() == [PI.mac], "it is not ignored")
        freeze(tui, NUC)
        await tui.expect("1 ignored")
        await tui.expect_gone(PI.mac)
        await tui.press("I")
        await tui.expect(PI.mac, "1 ignored         SINCE")
        screen.pane.rows.move_to(f"ignored:{PI.mac}")  # type: ignore[attr-defined]
        await tui.expect("i lets it be seen again")
        await tui.press("i")
        await tui.until(lambda: not ignored(), "it is still ignored")


async def test_a_console_that_only_looks_changes_nothing_here(small_site: Path) -> None:
    do(small_site, IgnoreBoards(macs=(NUC.mac,)))
    async with open_tui(small_site, (160, 48), read_only=True) as tui:
        freeze(tui, PI)
        await tui.press("w")
        await tui.expect("(b Leaves)", "(i Ignore)", PI.mac)
        for key in "bi":
            await tui.press(key)
            await tui.expect("opened with --read-only")
            assert isinstance(tui.app.screen, BoardsScreen)
            tui.app.clear_notifications()
            await tui.expect_gone("opened with --read-only")


async def test_what_is_copied(small_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_tui(small_site) as tui:
        freeze(tui, PI, NUC)
        await tui.press("w")
        await tui.expect(NUC.mac)
        screen = tui.app.screen
        assert isinstance(screen, BoardsScreen)
        screen.pane.rows.move_to(f"ask:{PI.mac}")
        assert "serial    9ffefdef" in screen.copyable()[0]
        screen.pane.rows.move_to(f"boot:{mac(2)}")
        assert WHY in screen.copyable()[0]
        screen.do_mark_all()
        assert screen.copyable() == (f"{NUC.mac}\n{PI.mac}", "2 MACs")


# ── one board, and the comparison ─────────────────────────────────────────────────────────


async def test_enter_tells_a_boards_last_boots_with_every_file(small_site: Path) -> None:
    now = time.time()
    state = small_site / "state"
    state.mkdir(exist_ok=True)
    History(state).append([is_up(2, now - 9000), wants_initrd(2, now - 300)], {})
    async with open_tui(small_site, (110, 48)) as tui:
        await tui.press("w")
        await tui.expect("pi-02", "stopped")
        tui.app.focused.move_to(f"boot:{mac(2)}")  # type: ignore[union-attr]
        await tui.press("enter")
        await tui.expect("Boots of pi-02 (dc:a6:32:0a:00:02)", "stopped at files", WHY)
        await tui.expect("! initrd.img", "not there  3 times", "= vmlinuz", "28M  6.2s")
        await tui.until(lambda: tui.text.count("Boot of 20") == 2, "not both boots")
        await tui.expect("create 3 leaves of debian12")
        assert "! initrd.img" in tui.app.screen.copyable()[0]  # type: ignore[attr-defined]
        await tui.press("d")
        await tui.expect("debian12 > pi-02", "boot     stopped at files")
        await tui.press("escape", "escape", "escape")
        await tui.expect("1 Tree")


async def test_registered_known_and_seen_side_by_side(small_site: Path) -> None:
    state = small_site / "state"
    state.mkdir(exist_ok=True)
    History(state).append([is_up(2, time.time() - 300)], {})
    async with open_tui(small_site) as tui:
        await tui.press("w")
        await tui.expect("Boards: 1 up")
        await tui.press("c")
        await tui.expect("VERDICT", "3 of 4 don't agree", "was never seen")
        assert place(tui, mac(1)) < place(tui, mac(2))
        await tui.press("slash", *"pi-02", "enter")
        await tui.expect_gone("pi-01")
        await tui.press("enter")
        await tui.expect("ok: nothing disagrees", "knows it")
        await tui.press("escape", "escape", "escape")
        await tui.until(lambda: isinstance(tui.app.screen, BoardsScreen), "not back")


# ── what it costs ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keys", ["2", "w"])
async def test_five_hundred_that_ask_at_once_hold_up_no_key(small_site: Path, keys: str) -> None:
    """Processor time of the UI's own thread for each look at them, with more requests each time."""
    many = [replace(PI, mac=f"dc:a6:32:aa:{n >> 8:02x}:{n & 255:02x}") for n in range(500)]
    async with open_tui(small_site, (160, 48)) as tui:
        freeze(tui, *many[:1])
        await tui.press(keys)
        await tui.pilot.pause()
        freeze(tui, *many)
        await tui.expect(many[9].mac)
        spent = []
        for count in range(12):
            before = time.thread_time()
            freeze(tui, *(replace(one, count=count, last=NOW - count) for one in many))
            await tui.pilot.pause()
            spent.append(time.thread_time() - before)
        before = time.thread_time()
        await tui.press("j", "j", "slash", "a")
        moved = time.thread_time() - before
        assert sorted(spent)[6] < 0.15, spent
        assert moved < 0.6, moved


def test_an_idle_wall_sends_nothing(small_site: Path) -> None:
    now = time.time()
    state = small_site / "state"
    state.mkdir(exist_ok=True)
    History(state).append([is_up(1, now - 9000), wants_initrd(2, now - 9000)], {})
    with open_pty(small_site) as tui:
        tui.until("3 leaves", "pi-03")
        tui.send("w")
        tui.until("Boards: 1 stopped, 1 up", "stopped", "no boot seen yet")
        tui.quiet(1.5)
        assert tui.read(5.0) == 0


# ── for real ──────────────────────────────────────────────────────────────────────────────


class Lab1(Served):
    """Leaves are made without looking into their disks."""

    def settings(self, **network: object) -> Settings:
        wanted = {"pool": {"first": "10.77.0.100", "last": "10.77.0.120"}, **network}
        own = {"hostname": False, "machine_id": False, "ssh_host_key": False}
        made = super().settings(**wanted).model_dump() | {"disk_kind": "copy", "personalise": own}
        return Settings.model_validate(made)


@pytest.fixture
def served() -> Iterator[Served]:
    needs("dnsmasq", "dhcp_release", "qemu-storage-daemon")
    folder = Path(f"/var/tmp/sbctui-wall-{os.getpid()}")
    remove_tree(folder)
    folder.mkdir(mode=0o755)
    with Lab() as lab:
        made = Lab1(lab, folder / "site")
        do(made.path, CreateRoot(name="debian12", size=16 * MIB))
        made.start()
        yield made
        stop_services(made.path, force=True)
    remove_tree(run_dir(made.path))
    remove_tree(folder)


@pytest.mark.lab
async def test_an_unknown_board_asks_becomes_a_leaf_and_boots(served: Served) -> None:
    board = served.lab.board("dc:a6:32:00:00:63")
    async with open_tui(served.path) as tui:
        with board.inside(), dhcp.Client(board.mac) as asking:
            assert asking.ask(dhcp.DISCOVER, dhcp.pi(board.mac), 0.2) is None
        began = time.monotonic()
        await tui.expect(f"{board.mac} (Pi 4B)")
        assert time.monotonic() - began < 2.5
        await tui.press("w")
        await tui.expect("1 unknown, asking", "Raspberry Pi 4B, 4 GB, serial 9ffefdef")
        await tui.press("b")
        await tui.expect("Bulk leaves", "1 ok")
        await tui.press("ctrl+g")
        await tui.expect("The plan")
        await tui.awake()
        await tui.press("y")
        await tui.expect_jobs_over()
        await tui.press("escape")
        await tui.until(lambda: isinstance(tui.app.screen, BoardsScreen), "not back on the wall")
        await tui.expect("no boot seen yet")
        with board.inside(), dhcp.Client(board.mac) as asking:
            assert asking.lease(dhcp.UBOOT) is not None
        await tui.expect("Boards: 1 booting", "10.77.0.100")
        assert ".." in row(tui, "booting  <1m")
