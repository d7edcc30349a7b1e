"""One board's last boots, with every file; live."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens.boards_lines import called, owner
from sbctui.screens.boot_lines import newest, whole
from sbctui.screens.detail import jobs
from sbctui.screens.help import keys_for
from sbctui.screens.home_show import overdue
from sbctui.screens.learning import Learner
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job
    from sbctui.engine.model.boots import Timeline

_NONE = "no boot of it is known; boots are followed while the services run"
Found = tuple[tuple["Timeline", ...], tuple["Job", ...]]
"""A board's last boots, newest first, and the last jobs about its node."""


class BootScreen(Learner[Found]):
    """The newest boot first; it is told again whenever it comes a step further."""

    SCOPE = "boots"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("boots")]

    def __init__(self, world: World, mac: str) -> None:
        super().__init__(world)
        self.mac = mac
        self.text = Lines(id="text")
        self._lines: list[Line] = []

    def compose(self) -> ComposeResult:
        """Whose boots, the lines, the keys."""
        yield Bar(id="title", fill="─")
        yield self.text
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show what is known already, and ask for the rest."""
        self.text.focus()
        super().on_mount()

    def stamp(self) -> object:
        """Its newest boot, and how many jobs there are."""
        return newest(self.world).get(self.mac), len(self.world.jobs)

    def look(self, engine: Engine) -> Found:
        """Its boots, and the jobs about its node."""
        site = self.world.site
        node = owner(site, self.mac) if site else ""
        return engine.timeline(self.mac), engine.history(node) if node else ()

    def _boots(self) -> list[Timeline]:
        """Newest first; the newest as the wall has it."""
        known, first = self.found[0] if self.found else (), newest(self.world).get(self.mac)
        if first is None:
            return list(known)
        return [first, *(one for one in known if one.began != first.began)]

    def tell(self) -> None:
        """Its boots, then the jobs."""
        name, site = called(self.world, self.mac), self.world.site
        title = f" Boots of {name} " + (f"({self.mac}) " if name != self.mac else "")
        note = self.in_trouble() or overdue(self.world, "boots")
        self.query_one("#title", Bar).show(((title, "head"), *note))
        told: list[Line] = []
        for boot in self._boots():
            told += [*whole(boot), ((" ", ""),)]
        told = told or [((_NONE, "dim"),), ((" ", ""),)]
        told += jobs(self.found[1], site.facts.now) if site and self.found else ()
        if told != self._lines:
            self._lines = told
            self.text.put(told)
        keys = ("leave", "node", "any.copy", "any.help")
        self.query_one("#keys", Bar).show(keys_for(self, keys))

    def reason(self, action: str) -> str | None:
        """Why not now, or None."""
        site = self.world.site
        if action == "node" and (site is None or not owner(site, self.mac)):
            return f"{self.mac} has no node any more"
        return None

    def copyable(self) -> tuple[str, str]:
        """All of it."""
        text = "\n".join("".join(t for t, _ in line).rstrip() for line in self._lines)
        return text, f"the boots of {clean(called(self.world, self.mac))}"

    def do_node(self) -> None:
        """All about its node."""
        site = self.world.site
        if site is not None:
            node = site.nodes[owner(site, self.mac)]
            self.sbc.show_row(f"{node.config.kind}:{node.name}")

    def do_leave(self) -> None:
        """Back."""
        self.dismiss(None)
