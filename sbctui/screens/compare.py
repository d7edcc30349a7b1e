"""Boards registered, boards known to DHCP, boards seen on the wire, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens.home_lines import calm_age
from sbctui.screens.learning import Learning
from sbctui.screens.modal import TextModal
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Draw, Rows

if TYPE_CHECKING:
    from sbctui.engine.boards.compare import Compared
    from sbctui.engine.engine import Engine


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


class ComparedScreen(Learning["dict[str, Compared]"]):
    """What does not agree stands first. It is compared again when the site changes."""

    SCOPE = "compared"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("compared")]
    KEYS = ("list.open", "filter", "leave", "reload", "any.copy", "any.help")
    WAITING = "comparing"

    def __init__(self, world: World) -> None:
        pane = Pane(0, "Registered, known to DHCP, seen", id="compared", head=head)
        super().__init__(world, pane)

    def stamp(self) -> object:
        """The site's generation, and how many boards asked for an address."""
        site = self.world.site
        return (site.generation, len(site.facts.seen)) if site else None

    def look(self, engine: Engine) -> dict[str, Compared]:
        """Each board by its MAC."""
        ordered = sorted(engine.compared(), key=lambda one: (not one.verdict, one.mac))
        return {one.mac: one for one in ordered}

    def rows(self) -> tuple[Sequence[str], Draw]:
        """Each board."""
        found = self.found or {}
        now = self.world.site.facts.now if self.world.site else 0.0
        keys = [mac for mac, one in found.items() if fmt.says(_text(one), self.pane.filter)]
        return keys, lambda key, _: row(found[key], now)

    def note(self, found: dict[str, Compared]) -> Line:
        """How many don't agree."""
        wrong = sum(1 for one in found.values() if one.verdict)
        agree = f" {wrong} of {len(found)} don't agree " if wrong else " all agree "
        return ((agree, "warn" if wrong else "good"),) if found else ()

    def empty(self, found: dict[str, Compared]) -> list[Line]:
        """That there are no boards, or none that the filter lets through."""
        if self.pane.filter:
            return [((f" no board has {clean(self.pane.filter)} in it; esc shows all", "dim"),)]
        return [
            ((" no board is registered, known to DHCP or was seen", "dim"),),
            ((" sbctui board register FILE writes down which boards the lab owns", "dim"),),
        ]

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: the whole verdict."""
        one = (self.found or {}).get(event.key)
        if one is not None:
            self.sbc.push_screen(TextModal(one.mac, about(one)))

    def copyable(self) -> tuple[str, str]:
        """The board under the cursor, and what is said of it."""
        one = (self.found or {}).get(self.pane.rows.cursor)
        if one is None:
            return "", ""
        return " ".join(filter(None, (one.mac, clean(one.alias), one.verdict or "ok"))), one.mac
