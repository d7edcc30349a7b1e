"""The way to every screen, from home on the same morning; for text snapshots and pictures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from sbctui.screens.home import HomeScreen
from sbctui.widgets.rows import Rows
from tests.driver import Tui
from tests.ui.morning import transfers

PASTED = (
    "b8:27:eb:0c:00:[01-28],rack-{001..040},room-c\n"
    "B8-27-EB-0D-00-01,desk-1\ndc:a6:32:0a:00:01\nb8:27:eb:0d:00\n01:00:5e:00:00:01\n"
)
Way = Callable[[Tui], Awaitable[None]]


LEARNED = ("config.json", "alone", "jobs ")
"""What the details tell of a node once its folder has been looked at."""


async def at_home(tui: Tui) -> None:
    """Back from wherever, the cursor on the first root, nothing marked, no toast."""
    while not isinstance(tui.app.screen, HomeScreen):
        tui.app.pop_screen()
        await tui.settled()
    tui.app.clear_notifications()
    await tui.press("escape", "escape", "escape", "1")
    _rows(tui).move_to("root:debian12")
    await tui.settled()
    if _detailed(tui):
        await tui.expect("debian12", *LEARNED)


async def _home(tui: Tui) -> None:
    await tui.press("j", "j")
    told = ("asks for an address", "from golden", *LEARNED)
    await tui.expect(*(told if _detailed(tui) else ("1 Tree",)))


async def _marked(tui: Tui) -> None:
    await tui.press("2", "slash", *"st:down", "enter", "asterisk")
    await tui.expect("marked")
    if _detailed(tui):  # an overlay's size: what stood there before was told of a root
        await tui.expect("192K, ", *LEARNED)


def _detailed(tui: Tui) -> bool:
    """Whether home has room for the details."""
    screen = tui.app.screen
    return isinstance(screen, HomeScreen) and screen.detail.display


async def _bulk(tui: Tui) -> None:
    _rows(tui).move_to("root:golden")
    await tui.paste(PASTED)
    await tui.expect("41 ok  3 bad")
    await tui.press("up", "up")


async def _bulk_plan(tui: Tui) -> None:
    await _bulk(tui)
    await tui.press("ctrl+g")
    await tui.expect("The plan", "create 41 leaves")


async def _running(tui: Tui) -> None:
    await tui.press("W")
    await tui.expect("boards are running")


async def _delete_plan(tui: Tui) -> None:
    await _running(tui)
    await tui.press("space", "enter")
    await tui.expect("The plan", "to start:")


async def _create(tui: Tui) -> None:
    await tui.press("n")
    await tui.type("Debian_13")
    await tui.expect("can't be a name")


async def _leaf(tui: Tui) -> None:
    await tui.press("L")
    await tui.expect("Create a leaf")
    await tui.type("b8-27-eb-0d-00-09")
    await tui.expect("the next free one")


async def _allocate(tui: Tui) -> None:
    _rows(tui).move_to("root:golden-2")
    await tui.press("a")
    await tui.expect("Allocate golden-2")


async def _audit(tui: Tui) -> None:
    await tui.press("o")
    await tui.expect("is an orphan")


async def _evidence(tui: Tui) -> None:
    await _audit(tui)
    await tui.press("slash", *"orphan", "enter", "g", "down", "enter")
    await tui.expect("Evidence", "1. nodes/debian12")


async def _keep(tui: Tui) -> None:
    await _audit(tui)
    await tui.press("slash", *"notes", "enter", "K")
    await tui.expect("Until")


async def _boards(tui: Tui) -> None:
    await tui.press("w")
    await tui.expect("unknown, asking", "stopped")
    await tui.press("down", "down", "down")


async def _boots(tui: Tui) -> None:
    await _boards(tui)
    await tui.press("enter")
    await tui.expect("Boots of", "Boot of 2026")


async def _compare(tui: Tui) -> None:
    await tui.press("w", "c")
    await tui.expect("VERDICT", "was never")


async def _trash(tui: Tui) -> None:
    await tui.press("t")
    await tui.expect("GONE SINCE")


async def _job(tui: Tui) -> None:
    failed = next(j for j in tui.app.feeds.world.jobs if j.failed)
    await tui.press("4")
    rows = _rows(tui)
    rows.move_to(f"job:{failed.id}")
    await tui.press("enter")
    await tui.expect(f"Job {failed.id}", "$ sbctui leaf create", "left to do")


async def _settings(tui: Tui) -> None:
    await tui.press("comma")
    await tui.expect("theme", "confirmations")


async def _columns(tui: Tui) -> None:
    await _settings(tui)
    while "columns" not in _cursor(tui):
        await tui.press("down")
    await tui.press("enter")
    await tui.expect("Columns")


async def _help(tui: Tui) -> None:
    await tui.press("question_mark")
    await tui.expect("This screen")


async def _palette(tui: Tui) -> None:
    await tui.press("ctrl+p")
    await tui.type("al")
    await tui.expect("root allocate")


async def _command(tui: Tui) -> None:
    await tui.press("colon")
    await tui.type("leaf ")
    await tui.expect("create")


async def _copy(tui: Tui) -> None:
    await tui.press("y")
    await tui.settled()


async def _leaving(tui: Tui) -> None:
    await tui.press("q")
    await tui.expect("1 job running")


async def _export(tui: Tui) -> None:
    _rows(tui).move_to("root:golden")
    await tui.press("x")
    await tui.expect("Export golden")
    await tui.press("tab", "space", "tab", *"hard")
    await tui.expect("is no level", "(x) none")


async def _import(tui: Tui) -> None:
    await tui.press("m")
    await tui.expect("Import a root")
    await tui.paste("repo:lab/golden.tar.zst")
    await tui.expect("root golden, made", "golden-3")


async def _picker(tui: Tui) -> None:
    await _import(tui)
    await tui.press("ctrl+o")
    await tui.expect("root golden, disk 16M")


async def _images(tui: Tui) -> None:
    world = tui.app.feeds.world
    tui.app.feeds.world = replace(world, jobs=(*transfers(), *world.jobs))
    await tui.press("i")
    await tui.expect("Transfers", "running     send")
    _rows(tui).move_to("img:repo:raspios/ubuntu-24-04.tar.zst")
    await tui.expect("f makes them")


def _rows(tui: Tui) -> Rows:
    focused = tui.app.focused
    assert isinstance(focused, Rows)
    return focused


def _cursor(tui: Tui) -> str:
    return _rows(tui).cursor


SCREENS: Mapping[str, Way] = {
    "home": _home,
    "marked": _marked,
    "bulk": _bulk,
    "bulk-plan": _bulk_plan,
    "running": _running,
    "delete-plan": _delete_plan,
    "create": _create,
    "leaf": _leaf,
    "allocate": _allocate,
    "audit": _audit,
    "evidence": _evidence,
    "keep": _keep,
    "boards": _boards,
    "boots": _boots,
    "compare": _compare,
    "trash": _trash,
    "job": _job,
    "settings": _settings,
    "columns": _columns,
    "help": _help,
    "palette": _palette,
    "command": _command,
    "copy": _copy,
    "leaving": _leaving,
    "export": _export,
    "import": _import,
    "picker": _picker,
    "images": _images,
}
