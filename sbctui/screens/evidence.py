"""Everything about one finding: the whole proof, paths, open sessions, and its fix's plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui.actions import bindings
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens.audit_lines import whole
from sbctui.screens.findings_acts import OnFindings
from sbctui.screens.foresee import Foresight
from sbctui.screens.help import keys_for
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding

_GONE = "this finding is there no more: it was mended, or what it was about has gone"


class EvidenceScreen(Sturdy, OnFindings, Screen[None]):
    """One finding, live."""

    SCOPE = "finding"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("finding")]

    def __init__(self, world: World, finding: str) -> None:
        super().__init__()
        self.world = world
        self.finding = finding
        self.text = Lines(id="text")
        self._lines: list[Line] = []

    def compose(self) -> ComposeResult:
        """Title, lines, keys."""
        title = Bar(id="title", fill="─")
        title.show(((" Evidence ", "head"),))
        yield title
        yield self.text
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show it, and have its fix planned."""
        self.foresight = Foresight(self.sbc, self._show)
        self.text.focus()
        self._show()

    def on_changed(self, event: Changed) -> None:
        """It may have changed, or gone."""
        before, self.world = self.world, event.world
        if before.findings != self.world.findings:
            self._show()

    def chosen(self) -> list[Finding]:
        """The one."""
        return [one for one in self.world.findings or () if one.id == self.finding]

    def _show(self) -> None:
        if self not in self.app.screen_stack:
            return
        found = self.chosen()
        self._lines = [((_GONE, "good"),)]
        if found:
            steps = self.foresight.steps(self.world, found[0])
            self._lines = whole(found[0], steps, self.keys(), self.world)
        self.text.put(self._lines)
        keys = ("leave", "fix", "trash", "keep", "any.copy", "any.help")
        self.query_one("#keys", Bar).show(keys_for(self, keys))

    def copyable(self) -> tuple[str, str]:
        """All of it."""
        return "\n".join("".join(t for t, _ in line) for line in self._lines), "the evidence"

    def do_leave(self) -> None:
        """Back to the findings."""
        self.dismiss(None)
