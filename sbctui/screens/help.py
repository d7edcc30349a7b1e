"""What can be done on the screen in front, with the keys for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbctui import actions
from sbctui.format import Line
from sbctui.screens.acting import Acting
from sbctui.screens.modal import TextModal

if TYPE_CHECKING:
    from sbctui.app import SbcApp


def show_help(app: SbcApp) -> None:
    """Open the list; what is not possible now stands there with its reason."""
    screen = app.screen
    if not isinstance(screen, Acting):
        return
    lines: list[Line] = []
    for action, reason in screen.offered():
        key = f" {actions.shown(action.keys.split(',')[0]):<11}"
        tone = "dim" if reason else ""
        lines.append(((key, tone or "head"), (action.help, tone)))
        if reason:
            lines.append(((" " * 14, ""), (f"not now: {reason}", "warn")))
    app.push_screen(TextModal("Keys", lines))
