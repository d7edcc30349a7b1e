"""Boards registered, boards known to DHCP, boards seen on the wire, side by side."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for
from sbctui.screens.home_lines import calm_age
from sbctui.screens.modal import TextModal
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.boards.compare import Compared

_KEYS = ("list.open", "filter", "leave", "reload", "any.copy", "any.help")


def head(width: int) -> Line:
    """The column names."""
    return ((f"{'MAC':<18}{'NAME':<13}{'LISTED':<7}{'DHCP':<5}{'SEEN':<5}VERDICT", "dim"),)


def row(one: Compared, now: float) -> Line:
    """One board: in which of the three it is, and what of that does not agree."""
    seen = calm_age(now - one.last) if one.seen else "no"
    listed, dhcp = ("yes" if there else "no" for there in (one.registered, one.dhcp))
    return (
        (f"{one.mac:<18}", ""),
        (f"{fmt.cut(clean(one.alias) or '-', 12):<13}", ""),
        (f"{listed:<7}{dhcp:<5}{seen:<5}", "dim"),
        (one.verdict or "ok", "warn" if one.verdict else "good"),
    )


def about(one: Compared) -> list[Line]:
    """All that is known of it."""
    seen = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.last)) if one.seen else "never"
    rows = (
        ("name", clean(one.alias) or "-"),
        ("node", clean(one.node) or "none"),
        ("listed", "yes" if one.registered else "no: see sbctui board register"),
        ("DHCP", "knows it" if one.dhcp else "does not know it"),
        ("seen", seen),
        ("verdict", one.verdict or "ok: nothing disagrees"),
    )
    return [((f"{label:<9}", "dim"), (text, "")) for label, text in rows]


def _text(one: Compared) -> str:
    return f"{one.mac} {one.alias} {one.verdict or 'ok'}"


class ComparedScreen(Sturdy, Acting, Screen[None]):
    """What does not agree stands first. It is compared again when the site changes."""

    SCOPE = "compared"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("compared")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.pane = Pane(0, "Registered, known to DHCP, seen", id="compared", head=head)
        self._found: dict[str, Compared] | None = None
        self._trouble = ""
        self._asked: tuple[object, ...] = ()
        self._asking = False

    def compose(self) -> ComposeResult:
        """The boards, the keys."""
        yield self.pane
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Compare."""
        self.pane.rows.focus()
        self._show()
        self._ask()

    def on_changed(self, event: Changed) -> None:
        """Another site, or other boards that ask: compare again."""
        self.world = event.world
        self._show()
        self._ask()

    def _ask(self) -> None:
        site = self.world.site
        asked = (site.generation, len(site.facts.seen)) if site else ()
        if asked != self._asked and not self._asking:
            self._asked, self._asking = asked, True
            self.sbc.background(self._learn())

    async def _learn(self) -> None:
        from sbctui.engine.errors import SbcError

        engine = self.sbc.feeds.engine
        try:
            if engine is not None:
                found = await in_thread(engine.compared)
                ordered = sorted(found, key=lambda one: (not one.verdict, one.mac))
                self._found, self._trouble = {one.mac: one for one in ordered}, ""
        except (SbcError, OSError) as error:
            self._trouble = str(error)
        finally:
            self._asking = False
        self._show()

    def _show(self) -> None:
        if self not in self.app.screen_stack:
            return
        found = self._found or {}
        now = self.world.site.facts.now if self.world.site else 0.0
        keys = [mac for mac, one in found.items() if fmt.says(_text(one), self.pane.filter)]
        self.pane.show(
            keys, lambda key, _: row(found[key], now), note=self._note(), empty=self._empty()
        )
        self.query_one("#keys", Bar).show(keys_for(self, _KEYS))

    def _note(self) -> Line:
        if self._trouble:
            return ((f" {clean(self._trouble)} ", "bad"),)
        if self._found is None:
            return ()
        wrong = sum(1 for one in self._found.values() if one.verdict)
        agree = f" {wrong} of {len(self._found)} don't agree " if wrong else " all agree "
        return ((agree, "warn" if wrong else "good"),) if self._found else ()

    def _empty(self) -> list[Line]:
        if self._found is None:
            return [((" comparing ...", "dim"),)]
        if self.pane.filter:
            return [((f" no board has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        return [
            ((" no board is registered, known to DHCP or was seen", "dim"),),
            ((" sbctui board register FILE writes down which boards the lab owns", "dim"),),
        ]

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: the whole verdict."""
        one = (self._found or {}).get(event.key)
        if one is not None:
            self.sbc.push_screen(TextModal(one.mac, about(one)))

    def copyable(self) -> tuple[str, str]:
        """The board under the cursor, and what is said of it."""
        one = (self._found or {}).get(self.pane.rows.cursor)
        if one is None:
            return "", ""
        return " ".join(filter(None, (one.mac, clean(one.alias), one.verdict or "ok"))), one.mac

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_reload(self) -> None:
        """Compare again."""
        self._asked = ()
        self._ask()

    def do_leave(self) -> None:
        """Leave the filter first, then the screen."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)
