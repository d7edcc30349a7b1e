"""Keys, help, palette and the ``:`` line: the ways to all actions. Mixed into the app."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, cast

from sbctui.keymap import Keymap, keymap
from sbctui.offering import Offering
from sbctui.prefs import Prefs

if TYPE_CHECKING:
    from sbctui.app import SbcApp


class Commanding(Offering):
    """What comes before an action, on every screen."""

    prefs: Prefs

    @cached_property
    def keymap(self) -> Keymap:
        """The keys in force."""
        return keymap(self.prefs.keys)

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
