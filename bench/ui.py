"""The console's first paint beside an empty Textual app's, and its work with 10,000 leaves.

First paint is from the start of the process to the first frame on a pseudo-terminal, fastest
of several runs taken in turn; both programs use their default driver. "With the site" is until
the first root stands on the screen. Memory is the resident set once the screen is still.
The work with 10,000 leaves is CPU time of the UI alone, on a snapshot made in memory. Exits 1
when a limit is passed.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sbctui.app import SbcApp
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Disk, Facts, Node, Site, Stamp
from sbctui.engine.siteinit import init_site
from sbctui.messages import World
from tests.ui.terminal import Pty

RUNS = 9
LEAVES = 10_000
PAINT_LIMIT = 1.5
OPEN_LIMIT = 0.3
_FRAME = re.compile(rb"\x1b\[\d+;\d+H")
EMPTY = "from textual.app import App\nApp().run()"


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


def first_paint(argv: Sequence[str], env: dict[str, str], word: str) -> tuple[float, float, int]:
    """Seconds to the first frame and to ``word``; resident bytes after a second of quiet."""
    began = time.perf_counter()
    program = Pty(argv, env, (80, 24), Path.cwd())
    painted = 0.0
    data = b""
    while not painted or (word and word not in program.screen.text):
        ready, _, _ = select.select([program._master], [], [], 20)
        if not ready:
            raise SystemExit(f"{argv} painted nothing")
        chunk = os.read(program._master, 65536)
        program.screen.feed(chunk.decode(errors="replace"))
        data += chunk
        if not painted and _FRAME.search(data):
            painted = time.perf_counter() - began
    whole = time.perf_counter() - began
    program.read(1.0)
    pages = int(Path(f"/proc/{program.process.pid}/statm").read_text().split()[1])
    program.close()
    return painted, whole, pages * os.sysconf("SC_PAGE_SIZE")


def paints() -> bool:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": str(Path.cwd())}
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        make_site(site, 200)
        ours = [sys.executable, "-m", "sbctui", "--site", str(site)]
        empty = [sys.executable, "-c", EMPTY]
        rows = [
            (first_paint(empty, env, ""), first_paint(ours, env, "debian12")) for _ in range(RUNS)
        ]
    bare = min(r[0][0] for r in rows)
    first, whole = min(r[1][0] for r in rows), min(r[1][1] for r in rows)
    memory = min(r[0][2] for r in rows) / 2**20, min(r[1][2] for r in rows) / 2**20
    print(f"{'first paint, seconds':44}{'':>9}{'ratio':>8}{'limit':>8}")
    print(f"  {'empty Textual app':42}{bare:9.3f}{1.0:8.2f}")
    print(f"  {'sbctui, 200 leaves':42}{first:9.3f}{first / bare:8.2f}{PAINT_LIMIT:8.2f}")
    print(f"  {'  with the site on the screen':42}{whole:9.3f}{whole / bare:8.2f}")
    print(f"memory, MiB: empty {memory[0]:.1f}, sbctui {memory[1]:.1f}")
    return first / bare <= PAINT_LIMIT


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
    fine = paints()
    return 0 if asyncio.run(big()) and fine else 1


if __name__ == "__main__":
    sys.exit(main())
