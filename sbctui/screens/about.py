"""What Enter shows for a row of home."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens.home_lines import name_of
from sbctui.screens.modal import TextModal

if TYPE_CHECKING:
    from sbctui.app import SbcApp


def show(app: SbcApp, world: World, key: str) -> None:
    """Open the dialog or screen for a key of home's panes."""
    kind, name = key.partition(":")[0], name_of(key)
    if kind == "job":
        from sbctui.screens.job import JobScreen

        app.push_screen(JobScreen(world, name))
    elif kind == "log":
        entry = world.log[max(0, int(name) - world.log_first)]
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        app.push_screen(TextModal(f"Log, {when}", [((entry.text, entry.tone),)]))
    elif kind == "service":
        app.push_screen(TextModal("Services", _services(world)))
    elif world.site is not None:
        from sbctui.screens.detail import detail

        app.push_screen(TextModal("Details", detail(world.site, key)))


def _services(world: World) -> list[Line]:
    lines: list[Line] = []
    for service in world.services:
        lines.append(((f"{clean(service.name)}: {service.state}", "key"),))
        if service.detail:
            lines.append(((f"  {clean(service.detail)}", ""),))
        if service.pid:
            lines.append(((f"  pid {service.pid}, restarted {service.restarts} times", "dim"),))
    lines.append((("sbctui services start | stop | apply act on them", "dim"),))
    return lines
