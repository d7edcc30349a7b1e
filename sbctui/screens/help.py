"""What can be done on the screen in front, with the keys for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sbctui.actions import BY_NAME, Action
from sbctui.format import Line, Span
from sbctui.screens.acting import Acting
from sbctui.screens.modal import TextModal

if TYPE_CHECKING:
    from sbctui.app import SbcApp

Offer = tuple[Action, str | None]
"""An action, and the sentence against it or None."""


def keys_for(screen: Acting, ids: Sequence[str]) -> Line:
    """The keys for the bottom of a screen: actions of its scope, most wanted first.

    An id may be a whole name (``any.help``). What is not possible now stands in brackets, and
    goes first where not all fit.
    """
    return keys_that_fit(screen, (_offer(screen, id) for id in ids), screen.app.size.width)


def _offer(screen: Acting, id: str) -> Offer:
    action = BY_NAME[id if "." in id else f"{screen.SCOPE}.{id}"]
    return action, screen.why_not(action.id) if action.scope == screen.SCOPE else None


def keys_that_fit(screen: Acting, offers: Iterable[Offer], width: int) -> Line:
    """Keys and labels of these actions in their order, as many as fit in ``width`` columns."""
    told = [(a, reason is None, screen.sbc.keymap.shown(a.name)) for a, reason in offers]
    told = [one for one in told if one[2]]
    room, kept = width, set()
    for action, possible, key in sorted(told, key=lambda one: not one[1]):
        room -= len(key) + len(action.label) + 3
        if room < 0:
            break
        kept.add((action.name, possible))
    spans: list[Span] = []
    for action, possible, key in told:
        if (action.name, possible) not in kept:
            continue
        if possible:
            spans += [(" ", ""), (key, "head"), (f" {action.label} ", "")]
        else:
            spans.append((f"({key} {action.label})", "dim"))
    return tuple(spans)


def show_help(app: SbcApp) -> None:
    """Open the list; what is not possible now stands there with its reason."""
    screen = app.screen
    if not isinstance(screen, Acting):
        return
    lines: list[Line] = []
    for action, reason in screen.offered():
        key = f" {app.keymap.shown(action.name):<11}"
        tone = "dim" if reason else ""
        lines.append(((key, tone or "head"), (action.help, tone)))
        if reason:
            lines.append(((" " * 14, ""), (f"not now: {reason}", "warn")))
    app.push_screen(TextModal("Keys", lines))
