"""The files laid over one leaf's disk: from where, whose, and whether they are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import ApplyOverlays, Request
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens import forms
from sbctui.screens.form import FormScreen
from sbctui.screens.learning import Learning
from sbctui.screens.modal import TextModal
from sbctui.screens.overlay_lines import about, counts, head, row, text
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Draw, Rows

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.repository.overlay_look import Look, Shown


class OverlayScreen(Learning["Look"]):
    """Every path of one leaf. It is read again when the site changes."""

    SCOPE = "overlay"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overlay")]
    KEYS = ("apply", "list.open", "group", "filter", "leave", "apply_again", "reload", "any.copy",
            "any.help")  # fmt: skip
    WAITING = "looking"

    def __init__(self, world: World, leaf: str) -> None:
        node = world.site.nodes.get(leaf) if world.site else None
        name = node.config.hostname if node else leaf
        super().__init__(world, Pane(0, f"Laid over {clean(name)}", id="overlay", head=head))
        self.leaf = leaf

    def stamp(self) -> object:
        """The site's generation."""
        return self.world.site.generation if self.world.site else None

    def look(self, engine: Engine) -> Look:
        """Its overlays, and what of them is on its disk."""
        return engine.overlay(self.leaf)

    def _rows(self) -> dict[str, Shown]:
        return {one.path: one for one in self.found.rows} if self.found else {}

    def rows(self) -> tuple[Sequence[str], Draw]:
        """Each path."""
        rows, image = self._rows(), self.found.image if self.found else ""
        keys = [path for path, one in rows.items() if fmt.says(text(one, image), self.pane.filter)]
        return keys, lambda key, width: row(rows[key], image, width)

    def note(self, found: Look) -> Line:
        """How many from where, and how many of them are to be laid."""
        if found.faults:
            return ((f" {clean(found.faults[0])} ", "bad"),)
        if not found.rows:
            return ((" none ", "dim"),)
        pending = found.pending
        state = f", {pending} to be laid" if pending else ", all on the disk"
        return ((f" {clean(counts(found))}{state} ", "warn" if pending else "good"),)

    def empty(self, found: Look) -> list[Line]:
        """What is wrong with them, or that there are none."""
        if found.faults:
            return [((f" {clean(fault)}", "bad"),) for fault in found.faults]
        if self.pane.filter:
            return [((f" no path has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        return [
            ((" nothing is laid over its disk", "dim"),),
            ((" :overlay add FILE /PATH --client or --group lays files over an image", "dim"),),
        ]

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: all of a path."""
        one = self._rows().get(event.key)
        if one is not None and self.found is not None:
            self.sbc.push_screen(TextModal(f"/{clean(one.path)}", about(one, self.found.image)))

    def reason(self, action: str) -> str | None:
        """Why not now, or None."""
        from sbctui.engine import rules

        site = self.world.site
        if action not in ("apply", "apply_again", "group"):
            return None
        if site is None or self.leaf not in site.nodes:
            return f"{clean(self.leaf)} is gone"
        if action == "group":
            return rules.can_create_root(site)
        if self.found is not None and self.found.faults:
            return clean(self.found.faults[0])
        if not self._rows():
            return "nothing is laid over its disk"
        if action == "apply" and self.found is not None and not self.found.pending:
            return "all of it is on the disk already; A lays it again"
        return rules.can_lay(site, self.leaf)

    def copyable(self) -> tuple[str, str]:
        """The path under the cursor, as it lies in the site."""
        one = self._rows().get(self.pane.rows.cursor)
        if one is None:
            return "", ""
        path = f"{one.place.path}/{one.path}" if one.place else f"/{one.path}"
        return clean(path), "the path"

    def _apply(self, *, again: bool) -> None:
        leaf = self.leaf

        def build(engine: Engine) -> Request:
            return ApplyOverlays(names=(leaf,), again=again)

        self.sbc.offer(build)

    def do_apply(self) -> None:
        """Show the plan that lays what is not there."""
        self._apply(again=False)

    def do_apply_again(self) -> None:
        """Show the plan that lays all of it."""
        self._apply(again=True)

    def do_group(self) -> None:
        """The form with its group."""
        if self.world.site is not None:
            self.sbc.push_screen(FormScreen(forms.edit(self.world.site, self.leaf)))
