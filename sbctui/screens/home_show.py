"""How the home screen's other panes show a world."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import LogLine, World
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.screens.disk_lines import Sample


def show_lines(pane: Pane, shown: Sequence[Line], note: Line = (), empty: str = "") -> None:
    """Show lines that stand for nothing but themselves; ``empty`` says why there are none."""
    keys = [str(i) for i in range(len(shown))]
    said: Sequence[Line] = [((f" {empty}", "dim"),)] if empty else ()
    pane.show(keys, lambda key, _: shown[int(key)], note=note, empty=said)


def overdue(world: World, *sources: str) -> Line:
    """What a pane's title says of sources that don't answer or fail; nothing when all is well."""
    late = [(world.late[s], s) for s in sources if s in world.late]
    if late:
        seconds, source = max(late)
        which = f"{source}: " if len(sources) > 1 else ""
        return ((f" {which}no answer for {seconds} s ", "bad"),)
    failed = [world.errors[s] for s in sources if s in world.errors]
    return ((f" {clean(failed[0])} ", "bad"),) if failed else ()


def show_disk(pane: Pane, world: World, samples: Sequence[Sample]) -> None:
    """The file system, its trend, and who holds what."""
    if world.site is not None:
        from sbctui.screens.disk_lines import disk_lines

        lines = disk_lines(world.site, samples, max(20, pane.size.width - 1))
        show_lines(pane, lines, overdue(world, "site"))


def show_jobs(pane: Pane, world: World) -> None:
    """Jobs that run or were interrupted first, then the services, then those that are over."""
    from sbctui.screens.job_view import line
    from sbctui.screens.status import service_line, service_rows

    services = {f"service:{'+'.join(g)}": g for g in service_rows(world.services)}
    jobs = {f"job:{j.id}": j for j in world.jobs}
    now = world.site.facts.now if world.site else time.time()

    def draw(key: str, width: int) -> Line:
        if key in jobs:
            return line(jobs[key], width)
        return service_line(world.services, services[key], now)

    running = [k for k, j in jobs.items() if j.running or j.undone]
    rest = [k for k in jobs if k not in running]
    note = overdue(world, "services", "jobs")
    if not note and world.services and not jobs:
        note = ((" no jobs yet ", "dim"),)
    pane.show([*running, *services, *rest], draw, note=note)


def show_log(pane: Pane, world: World) -> None:
    """The log; follows its end while the cursor stands there."""
    log, first, rows = world.log, world.log_first, pane.rows
    follow = not rows.cursor or rows.cursor == (rows.keys[-1] if rows.keys else "")
    keys = [f"log:{first + i}" for i in range(len(log))]
    note: Line = () if follow else ((" not following, G does ", "dim"),)
    told = "what changes, and who asks, is told here"
    empty = [((f" nothing has happened since the console began; {told}", "dim"),)]
    pane.show(keys, lambda key, width: _log_line(log[int(key[4:]) - first]), note=note, empty=empty)
    if follow and keys:
        rows.move_to(keys[-1])


def log_entry(world: World, key: str) -> LogLine:
    """The line of the log that a key names."""
    return world.log[max(0, int(key[4:]) - world.log_first)]


def _log_line(entry: LogLine) -> Line:
    when = time.strftime("%H:%M:%S ", time.localtime(entry.at))
    return ((when, "dim"), (entry.text, entry.tone))
