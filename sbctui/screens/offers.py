"""Everything that can be done on a screen, in groups, each action with what stands against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.screen import Screen

from sbctui.actions import Action, of_scope
from sbctui.screens.acting import Acting
from sbctui.widgets.rows import Rows

if TYPE_CHECKING:
    from sbctui.app import SbcApp

Offer = tuple[Action, str | None]
"""An action, and the sentence against it or None."""


def groups(screen: Screen[object]) -> Iterator[tuple[str, tuple[Offer, ...]]]:
    """This screen's actions, those of the focused list, those of every screen."""
    acting = screen if isinstance(screen, Acting) else None
    if acting is not None:
        own = tuple((a, acting.why_not(a.id)) for a in of_scope(acting.SCOPE))
        yield "This screen", own
    if isinstance(screen.focused, Rows):
        yield "Lists", tuple((a, None) for a in of_scope("list"))
    yield "Everywhere", tuple((a, _why_not(a.id, acting)) for a in of_scope("any"))


def _why_not(action: str, acting: Acting | None) -> str | None:
    if action == "command" and acting is None:
        return "a dialog is open; esc leaves it"
    if action == "copy" and (acting is None or not acting.copyable()[0]):
        return "there is nothing to copy here"
    return None


def perform(app: SbcApp, screen: Screen[object], action: Action) -> None:
    """Do an action as its key does, on a screen that is in front again."""
    target = {"any": app, "list": screen.focused}.get(action.scope, screen)
    app.call_later(app.run_action, action.call or f"act('{action.id}')", target)
