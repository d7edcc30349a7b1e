"""What Enter shows for a row of home."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens.acting import Acting
from sbctui.screens.boot_lines import boot_of
from sbctui.screens.detail import detail
from sbctui.screens.help import keys_for
from sbctui.screens.home_lines import name_of, trail
from sbctui.screens.looking import Looker
from sbctui.screens.modal import Lines, TextModal
from sbctui.widgets.bars import Bar
from sbctui.widgets.sturdy import Sturdy

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
        app.push_screen(DetailScreen(world, key))


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


class DetailScreen(Sturdy, Acting, Screen[None]):
    """Everything about one node, live, on a screen of its own."""

    SCOPE = "detail"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("detail")]

    def __init__(self, world: World, key: str) -> None:
        super().__init__()
        self.world = world
        self.key = key
        self.text = Lines(id="about")
        self._lines: list[Line] = []

    def compose(self) -> ComposeResult:
        """Where it stands, the lines, the keys."""
        yield Bar(id="title", fill="─")
        yield self.text
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show it, and have its files looked at."""
        self.looker = Looker(self.sbc, self._show)
        self.text.focus()
        self._show()

    def on_changed(self, event: Changed) -> None:
        """It may have changed, or gone."""
        self.world = event.world
        self._show()

    def _show(self) -> None:
        site = self.world.site
        if site is None or self not in self.app.screen_stack:
            return
        where = " > ".join([clean(self.world.path.name), *trail(site, self.key)])
        late = self.world.late.get("site")
        note: Line = ((f" no answer for {late} s ", "bad"),) if late else ()
        self.query_one("#title", Bar).show(((f" {where} ", "head"), *note))
        name = name_of(self.key)
        lines = detail(site, self.key, self.looker.at(self.world, name), boot_of(self.world, name))
        if lines != self._lines:
            self._lines = lines
            self.text.put(lines)
        self.query_one("#keys", Bar).show(keys_for(self, ("leave", "any.copy", "any.help")))

    def copyable(self) -> tuple[str, str]:
        """Everything that is shown."""
        return "\n".join("".join(t for t, _ in line) for line in self._lines), "the details"

    def do_leave(self) -> None:
        """Back."""
        self.dismiss(None)
