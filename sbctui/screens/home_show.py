"""How the home screen's panes show a world."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbctui.format import Line
from sbctui.messages import LogLine, World
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site


def stands(site: Site, key: str) -> bool:
    """Whether what a key names still exists, shown or not."""
    kind, _, name = key.partition(":")
    if kind == "seen":
        return any(s.mac == name for s in site.facts.seen)
    return name in site.nodes


def show_lines(pane: Pane, shown: Sequence[Line], note: Line = ()) -> None:
    """Show lines that stand for nothing but themselves."""
    pane.show([str(i) for i in range(len(shown))], lambda key, _: shown[int(key)], note=note)


def show_jobs(pane: Pane, world: World, note: Line) -> None:
    """Running jobs first, then the services, then the jobs that are over."""
    from sbctui.screens.job_view import line
    from sbctui.screens.status import service_line, service_rows

    services = {f"service:{'+'.join(g)}": g for g in service_rows(world.services)}
    jobs = {f"job:{j.id}": j for j in world.jobs}
    now = world.site.facts.now if world.site else time.time()

    def draw(key: str, width: int) -> Line:
        if key in jobs:
            return line(jobs[key], width)
        return service_line(world.services, services[key], now)

    running = [k for k, j in jobs.items() if j.running]
    rest = [k for k in jobs if k not in running]
    pane.show([*running, *services, *rest], draw, note=note)


def show_log(pane: Pane, world: World) -> None:
    """The log; follows its end while the cursor stands there."""
    log, first, rows = world.log, world.log_first, pane.rows
    follow = not rows.cursor or rows.cursor == (rows.keys[-1] if rows.keys else "")
    keys = [f"log:{first + i}" for i in range(len(log))]
    pane.show(keys, lambda key, width: _log_line(log[int(key[4:]) - first]))
    if follow and keys:
        rows.move_to(keys[-1])


def _log_line(entry: LogLine) -> Line:
    when = time.strftime("%H:%M:%S ", time.localtime(entry.at))
    return ((when, "dim"), (entry.text, entry.tone))
