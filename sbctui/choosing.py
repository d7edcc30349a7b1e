"""The settings in force: colours, glyphs, refresh; changed while running. Mixed into the app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rich.color import ColorSystem
from textual.filter import LineFilter, NoColor

from sbctui.messages import Restyled, in_thread
from sbctui.offering import Offering
from sbctui.prefs import Prefs
from sbctui.terminal import Terminal
from sbctui.widgets.looks import palette, textual_theme, wear
from sbctui.widgets.plain import Plain

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.widgets.looks import Palette

_SYSTEMS = {
    0: ColorSystem.STANDARD,
    8: ColorSystem.STANDARD,
    16: ColorSystem.STANDARD,
    256: ColorSystem.EIGHT_BIT,
}


class Choosing(Offering):
    """Holds ``prefs`` and does what they say, on a terminal of which is known what it can do."""

    prefs: Prefs
    terminal: Terminal
    _cells: tuple[LineFilter, ...] = ()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._writing = asyncio.Lock()

    def begin_with(self, prefs: Prefs, terminal: Terminal) -> None:
        """Take the first settings; no screen is there yet."""
        self.prefs, self.terminal = prefs, terminal
        self.console._color_system = _SYSTEMS.get(terminal.colours, ColorSystem.TRUECOLOR)
        self._dress()

    def choose(self, **changes: object) -> None:
        """Change settings of ``Prefs``, now and for the next start; every screen is told.

        Raises ValidationError for values that can't be.
        """
        self.prefs = self.prefs.changed(**changes)
        self.feeds.refresh = self.prefs.refresh
        self._dress()
        for screen in self.screen_stack:
            for widget in screen.walk_children():
                widget.refresh()
            screen.post_message(Restyled())
        self.background(self._keep(changes))

    def do_settings(self) -> None:
        """Show the settings."""
        from sbctui.screens.settings import SettingsScreen

        self.push_screen(SettingsScreen())

    def do_copy(self) -> None:
        """Copy what the cursor stands on, and show it."""
        from sbctui.screens.copy import show_copy

        show_copy(cast("SbcApp", self))

    async def kept(self) -> None:
        """Come back when all changes are written."""
        async with self._writing:
            pass

    async def _keep(self, changes: Mapping[str, object]) -> None:
        from sbctui.engine.errors import SbcError
        from sbctui.prefs import save

        try:
            async with self._writing:
                await in_thread(lambda: save(changes))
        except SbcError as error:
            self.notify(
                f"{error}\nIt holds until you leave.",
                title="setting not written", severity="warning", timeout=10, markup=False,
            )  # fmt: skip

    def _dress(self) -> None:
        look = self._look()
        wear(look)
        self.register_theme(textual_theme(self.prefs.theme, look))
        self.theme = self.prefs.theme
        self._cells = tuple(self._filters_wanted())

    def _filters_wanted(self) -> Iterator[LineFilter]:
        here, chosen = self.terminal, self.prefs.glyphs
        if not (here.lines if chosen == "auto" else chosen == "lines"):
            yield Plain(here.encoding, wide=here.wide)
        if not here.colours:
            yield NoColor()

    def _look(self) -> Palette:
        return palette(self.prefs.theme, 0 if self.no_color else self.terminal.colours)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every drawn cell goes through: last, what this terminal has no glyph for."""
        return (*super().get_line_filters(), *self._cells)
