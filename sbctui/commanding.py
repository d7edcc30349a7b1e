"""Keys, help, palette and the ``:`` line: the ways to all actions. Mixed into the app."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from sbctui.keymap import Keymap, keymap
from sbctui.messages import in_thread
from sbctui.offering import Offering
from sbctui.port import Verbs
from sbctui.prefs import Prefs

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.screens.palette import Entry
    from sbctui.screens.typed import History


class Commanding(Offering):
    """What comes before an action, on every screen. ``verbs`` is the command line, if any."""

    prefs: Prefs
    verbs: Verbs | None = None

    @cached_property
    def keymap(self) -> Keymap:
        """The keys in force."""
        return keymap(self.prefs.keys)

    @cached_property
    def history(self) -> History:
        """What was typed in the ``:`` line; that of earlier runs comes a moment later."""
        from sbctui.screens.typed import History

        history = History()
        self.background(in_thread(history.load))
        return history

    def apply_keys(self) -> None:
        """Bind the keys of ``prefs``; what is wrong with them is said, and none is remapped."""
        self.__dict__.pop("keymap", None)
        self.set_keymap(self.keymap.changes())
        if self.keymap.faults:
            self.notify(
                "\n".join([*self.keymap.faults, "the usual keys are in force"]),
                title="keys in config.toml", severity="error", timeout=20, markup=False,
            )  # fmt: skip

    def do_help(self) -> None:
        """What can be done here."""
        from sbctui.screens.help import show_help

        show_help(cast("SbcApp", self))

    def do_palette(self) -> None:
        """Find an action or a verb by words; the same key closes it."""
        from sbctui.screens.palette import PaletteScreen

        below = self.screen
        if isinstance(below, PaletteScreen):
            below.dismiss(None)
        else:
            self.push_screen(PaletteScreen(below), partial(self._chose, below))

    def _chose(self, below: Screen[object], entry: Entry | None) -> None:
        from sbctui.screens.offers import perform

        if entry is None:
            return
        if isinstance(entry.chosen, str):
            self.type_command(f"{entry.chosen} ")
        else:
            perform(cast("SbcApp", self), below, entry.chosen)

    def do_command(self) -> None:
        """Type a verb of the command line, or an action's name."""
        self.type_command("")

    def type_command(self, text: str) -> None:
        """Open the ``:`` line with this in it."""
        from sbctui.screens.command_line import CommandLine

        self.push_screen(CommandLine(self.screen, text))
