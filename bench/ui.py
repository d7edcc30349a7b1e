"""The console beside an empty Textual app and htop, each a real program on a pseudo-terminal.

All are started in turn, several times: the fastest start counts, and the median key.

- First paint: from the start of the process to the first frame. "With the site" is until the first
  root is on the screen.
- Memory: the resident set once the screen is still.
- A key: from sending "down" or "up" until the first byte of its echo, and the bytes of that echo.
  The empty app has one line that counts keys.
- Idle: bytes a second while nothing changes. Live: while a leaf is edited every second.

Sites of 100, 1,000 and 10,000 leaves. Then the CPU time of the UI alone for what one does with
10,000 leaves, on a snapshot made in memory. Exits 1 when a limit is passed.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sbctui.app import SbcApp
from sbctui.engine.engine import Engine
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.requests import EditNode
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Disk, Facts, Node, Site, Stamp
from sbctui.engine.siteinit import init_site
from sbctui.messages import World
from tests.ui.terminal import ENV, Pty

RUNS = 7
SIZES = (100, 1_000, 10_000)
LEAVES = SIZES[-1]
KEYS = 12
IDLE_SECONDS, LIVE_SECONDS = 4.0, 8.0
PAINT_LIMIT = 1.5
"""Times the empty app's; the sites are read behind it, so the best of ours counts."""
MEMORY_LIMIT = 1.9
"""Times the empty app's, with 100 leaves."""
KEY_LIMIT = 6.0
"""Times the empty app's, with 10,000 leaves. 10 ms of it are patience: a key that comes alone is no
paste from a terminal that doesn't say so."""
SCALE_LIMIT = 1.5
"""Times a key among 100 leaves, with 10,000."""
ECHO_LIMIT, IDLE_LIMIT, LIVE_LIMIT = 400, 0, 500
OPEN_LIMIT = 0.3
_FRAME = re.compile(rb"\x1b\[\d+;\d+H")
_SIZE = (80, 24)
EMPTY = """
from textual.app import App
from textual.widgets import Static
class Count(App):
    keys = 0
    def compose(self):
        yield Static("0 keys")
    def on_key(self):
        self.keys += 1
        self.query_one(Static).update(f"{self.keys} keys")
Count().run()
"""


def make_site(path: Path, leaves: int) -> None:
    """A site on disk with one root and some leaves, without disks of any size."""
    init_site(path, Settings())
    for config in configs(leaves):
        folder = path / "nodes" / config.name
        (folder / "boot").mkdir(parents=True)
        (folder / "config.json").write_bytes(config.to_json())
        with open(folder / config.disk.file, "wb") as disk:
            disk.truncate(1 << 20)


def configs(leaves: int) -> list[NodeConfig]:
    """One root and its leaves."""
    macs = [f"dc:a6:32:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in range(leaves)]
    made = datetime(2025, 1, 1, tzinfo=UTC)
    disk = DiskSpec(size=1 << 20)
    root = NodeConfig(
        kind="root", name="debian12", disk=disk, created=made,
        children={mac: dashed(mac) for mac in macs},
    )  # fmt: skip
    return [root] + [
        NodeConfig(
            kind="leaf", name=dashed(mac), mac=mac, alias=f"pi-{n}", parent="debian12",
            disk=disk, created=made,
        )
        for n, mac in enumerate(macs)
    ]  # fmt: skip


def snapshot(leaves: int) -> Site:
    """The same, in memory only."""
    disk, stamp = Disk(1 << 20, 1 << 19, 0.0), Stamp(1, 1, 1)
    nodes = {c.name: Node(c, disk, stamp) for c in configs(leaves)}
    facts = Facts(now=time.time(), total_bytes=1 << 40, free_bytes=1 << 39, store="overlay")
    return Site(Path("/bench"), Settings(), generation=1, nodes=nodes, facts=facts)


@dataclass
class Program:
    """A program to start, the word that says it is whole, and what was measured of it.

    Seconds, except ``memory`` in bytes, ``echo`` in bytes a key, ``idle`` and ``live`` in bytes a
    second.
    """

    name: str
    argv: Sequence[str]
    word: str
    site: Path | None = None
    paint: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    key: float = 0.0
    echo: float = 0.0
    idle: float = 0.0
    live: float | None = None


@contextmanager
def started(program: Program) -> Iterator[Pty]:
    """The program on a terminal, whole; notes how long that took."""
    home = Path(tempfile.gettempdir()) / "sbctui-bench-home"
    env = {k: v for k, v in ENV.items() if k != "PYTHONDONTWRITEBYTECODE"} | {
        "TERM": "xterm-256color", "PYTHONPATH": str(Path.cwd()), "HTOPRC": os.devnull,
        "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home),
    }  # fmt: skip
    began = time.perf_counter()
    with Pty(program.argv, env, _SIZE, Path.cwd()) as terminal:
        terminal.wait(lambda: _FRAME.search(terminal.raw) is not None, "nothing is painted", 60)
        program.paint.append(time.perf_counter() - began)
        terminal.wait(lambda: program.word in terminal.screen.text, f"no {program.word}", 120)
        program.whole.append(time.perf_counter() - began)
        yield terminal


def start(program: Program) -> None:
    """One start; what it holds in memory afterwards."""
    with started(program) as terminal:
        terminal.read(1.5)
        pages = int(Path(f"/proc/{terminal.process.pid}/statm").read_text().split()[1])
        program.memory.append(pages * os.sysconf("SC_PAGE_SIZE"))


def use(program: Program) -> None:
    """What its keys cost, and what it sends by itself."""
    with started(program) as terminal:
        terminal.send("2")
        terminal.read(4.0)
        spent: list[float] = []
        sent: list[int] = []
        for number in range(KEYS):
            terminal.read(0.6)
            before, began = terminal.sent, time.perf_counter()
            terminal.send("\x1b[A" if number % 2 else "\x1b[B")
            terminal.wait(lambda before=before: terminal.sent > before, "no echo")
            spent.append(time.perf_counter() - began)
            terminal.read(0.08)
            sent.append(terminal.sent - before)
        program.key, program.echo = statistics.median(spent), statistics.median(sent)
        terminal.read(2.0)
        program.idle = terminal.read(IDLE_SECONDS) / IDLE_SECONDS
        if program.site is not None:
            over = threading.Event()
            lab = threading.Thread(target=edit, args=(program.site, over))
            lab.start()
            terminal.read(1.0)
            program.live = terminal.read(LIVE_SECONDS) / LIVE_SECONDS
            over.set()
            lab.join()


def edit(site: Path, over: threading.Event) -> None:
    """Another admin, who changes the first leaf every second."""
    engine, number = Engine(site), 0
    name = engine.site().leaves[0].name
    while not over.wait(1.0):
        number += 1
        engine.apply(engine.plan(EditNode(name=name, notes=f"seen {number}")))


def programs(folder: Path) -> list[Program]:
    """The two to compare with, and the console on sites of all sizes."""
    found = [Program("empty Textual app", [sys.executable, "-c", EMPTY], "keys")]
    if htop := shutil.which("htop"):
        found.append(Program("htop", [htop], "PID"))
    for count in SIZES:
        site = folder / str(count)
        make_site(site, count)
        argv = [sys.executable, "-m", "sbctui", "--site", str(site)]
        found.append(Program(f"sbctui, {count:,} leaves", argv, "> debian12", site))
    return found


def beside() -> bool:
    """Measure all of them, print a table, and say whether the limits hold."""
    with tempfile.TemporaryDirectory() as folder:
        all_of_them = programs(Path(folder))
        for _ in range(RUNS):
            for program in all_of_them:
                start(program)
        for program in all_of_them:
            use(program)
    bare = all_of_them[0]
    print(
        f"{'at 80x24; ratios to the empty app':34}{'paint s':>9}{'ratio':>7}{'whole s':>9}"
        f"{'MiB':>7}{'ratio':>7}{'key ms':>8}{'ratio':>7}{'B/key':>7}{'idle B/s':>9}{'live B/s':>9}"
    )
    for one in all_of_them:
        live = "-" if one.live is None else f"{one.live:.0f}"
        print(
            f"  {one.name:32}{min(one.paint):9.3f}{min(one.paint) / min(bare.paint):7.2f}"
            f"{min(one.whole):9.3f}{min(one.memory) / 2**20:7.1f}"
            f"{min(one.memory) / min(bare.memory):7.2f}{1000 * one.key:8.1f}"
            f"{one.key / bare.key:7.2f}{one.echo:7.0f}{one.idle:9.0f}{live:>9}"
        )
    few, many = (next(p for p in all_of_them if f" {n:,} " in p.name) for n in (SIZES[0], LEAVES))
    ours = [p for p in all_of_them if p.site is not None]
    limits = {
        f"first paint at most {PAINT_LIMIT} times": min(min(p.paint) for p in ours)
        <= PAINT_LIMIT * min(bare.paint),
        f"memory at most {MEMORY_LIMIT} times": min(few.memory) <= MEMORY_LIMIT * min(bare.memory),
        f"a key among {LEAVES:,} at most {KEY_LIMIT} times": many.key <= KEY_LIMIT * bare.key,
        f"and {SCALE_LIMIT} times that among {SIZES[0]}": many.key <= SCALE_LIMIT * few.key,
        f"a key at most {ECHO_LIMIT} bytes": max(p.echo for p in ours) <= ECHO_LIMIT,
        f"idle {IDLE_LIMIT} B/s": max(p.idle for p in ours) <= IDLE_LIMIT,
        f"live at most {LIVE_LIMIT} B/s": max(p.live or 0 for p in ours) <= LIVE_LIMIT,
    }
    for limit, holds in limits.items():
        print(f"  {limit:50}{'holds' if holds else 'BROKEN'}")
    return all(limits.values())


async def big() -> bool:
    """CPU seconds of the UI for what one does with 10,000 leaves."""
    app = SbcApp(Path("/bench"))
    app.feeds.open = _nothing  # type: ignore[method-assign]
    site = snapshot(LEAVES)
    world = World(Path("/bench"), site=site, findings=())
    spent: dict[str, float] = {}
    async with app.run_test(size=(160, 48)) as pilot:

        async def timed(what: str, act: Callable[[], Awaitable[object]], times: int = 1) -> None:
            await pilot.pause()
            began = time.process_time()
            for _ in range(times):
                await act()
            await pilot.pause()
            spent[what] = (time.process_time() - began) / times

        async def publish(shown: World) -> None:
            app.feeds.world = shown
            app._publish(shown)

        facts = Facts(now=time.time() + 1, total_bytes=1 << 40, free_bytes=1 << 39)
        later = World(Path("/bench"), site=site.with_facts(facts), findings=())
        await timed("open", lambda: publish(world))
        await timed("a root of 10,000 unfolded", lambda: pilot.press("l"))
        await timed("a refresh in which nothing changed", lambda: publish(later))
        await timed("the cursor moved by one", lambda: pilot.press("j"), 10)
        await timed("to the last row", lambda: pilot.press("G"))
        await timed("a filter's key", lambda: pilot.press("slash", "9", "9", "enter"))
        await timed("all marked", lambda: pilot.press("asterisk"))
    print(f"{LEAVES} leaves at 160x48, CPU seconds of the UI{'':9}{'limit':>8}")
    for what, seconds in spent.items():
        limit = f"{OPEN_LIMIT:8.2f}" if what == "open" else ""
        print(f"  {what:42}{seconds:9.3f}{'':8}{limit}")
    return spent["open"] <= OPEN_LIMIT


async def _nothing() -> None:
    """Instead of opening a site: the snapshot is given."""


def main() -> int:
    fine = beside()
    return 0 if asyncio.run(big()) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
