"""The files laid over one leaf's disk: from where, whose, and whether they are there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import ApplyOverlays, Request
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World, in_thread
from sbctui.screens import forms
from sbctui.screens.acting import Acting
from sbctui.screens.form import FormScreen
from sbctui.screens.help import keys_for
from sbctui.screens.modal import TextModal
from sbctui.screens.overlay_lines import about, counts, head, row, text
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.repository.overlay_look import Look, Shown

_KEYS = ("apply", "list.open", "group", "filter", "leave", "apply_again", "reload", "any.copy",
         "any.help")  # fmt: skip


class OverlayScreen(Sturdy, Acting, Screen[None]):
    """Every path of one leaf. It is read again when the site changes."""

    SCOPE = "overlay"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("overlay")]

    def __init__(self, world: World, leaf: str) -> None:
        super().__init__()
        self.world, self.leaf = world, leaf
        node = world.site.nodes.get(leaf) if world.site else None
        name = node.config.hostname if node else leaf
        self.pane = Pane(0, f"Laid over {clean(name)}", id="overlay", head=head)
        self._found: Look | None = None
        self._trouble = ""
        self._asked: object = None
        self._asking = False

    def compose(self) -> ComposeResult:
        """The paths, the keys."""
        yield self.pane
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Look."""
        self.pane.rows.focus()
        self._show()
        self._ask()

    def on_resize(self) -> None:
        """The keys that fit."""
        self._show()

    def on_changed(self, event: Changed) -> None:
        """Another site: look again."""
        self.world = event.world
        self._show()
        self._ask()

    def _ask(self) -> None:
        site = self.world.site
        asked = site.generation if site else None
        if asked != self._asked and not self._asking:
            self._asked, self._asking = asked, True
            self.sbc.background(self._learn())

    async def _learn(self) -> None:
        from sbctui.engine.errors import SbcError

        engine = self.sbc.feeds.engine
        try:
            if engine is not None:
                self._found = await in_thread(partial(engine.overlay, self.leaf))
                self._trouble = ""
        except (SbcError, OSError) as error:
            self._found, self._trouble = None, str(error)
        finally:
            self._asking = False
        self._show()

    def _rows(self) -> dict[str, Shown]:
        return {one.path: one for one in self._found.rows} if self._found else {}

    def _show(self) -> None:
        if self not in self.app.screen_stack:
            return
        rows, image = self._rows(), self._found.image if self._found else ""
        keys = [path for path, one in rows.items() if fmt.says(text(one, image), self.pane.filter)]
        self.pane.show(
            keys,
            lambda key, width: row(rows[key], image, width),
            note=self._note(),
            empty=self._empty(),
        )
        self.query_one("#keys", Bar).show(keys_for(self, _KEYS))

    def _note(self) -> Line:
        if self._trouble:
            return ((f" {clean(self._trouble)} ", "bad"),)
        if self._found is None:
            return ()
        if self._found.faults:
            return ((f" {clean(self._found.faults[0])} ", "bad"),)
        pending = self._found.pending
        state = f", {pending} to be laid" if pending else ", all on the disk"
        return ((f" {clean(counts(self._found))}{state} ", "warn" if pending else "good"),)

    def _empty(self) -> list[Line]:
        if self._found is None:
            return [] if self._trouble else [((" looking ...", "dim"),)]
        if self._found.faults:
            return [((f" {clean(fault)}", "bad"),) for fault in self._found.faults]
        if self.pane.filter:
            return [((f" no path has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        return [
            ((" nothing is laid over its disk", "dim"),),
            ((" :overlay add FILE /PATH --client or --group lays files over an image", "dim"),),
        ]

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: all of a path."""
        one = self._rows().get(event.key)
        if one is not None and self._found is not None:
            self.sbc.push_screen(TextModal(f"/{clean(one.path)}", about(one, self._found.image)))

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
        if self._found is not None and self._found.faults:
            return clean(self._found.faults[0])
        if not self._rows():
            return "nothing is laid over its disk"
        if action == "apply" and self._found is not None and not self._found.pending:
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

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_reload(self) -> None:
        """Look again."""
        self._asked = None
        self._ask()

    def do_leave(self) -> None:
        """Leave the filter first, then the screen."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)
