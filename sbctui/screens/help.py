"""The keys at the bottom of a screen, and the list of all that can be done on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sbctui.actions import BY_NAME
from sbctui.format import Line, Span
from sbctui.screens.acting import Acting
from sbctui.screens.modal import TextModal
from sbctui.screens.offers import Offer, groups

if TYPE_CHECKING:
    from sbctui.app import SbcApp

_KEYS = 12
"""Columns for an action's keys."""
_DIALOGS = (
    ("tab", "Go to the next field of a form"),
    ("enter", "Show the plan of a form; in a plan: leave it, nothing is done"),
    ("y", "In a plan: start it"),
    ("esc", "Leave a dialog, nothing is done"),
)
_REMAPPING = 'sbctui keys lists all keys; [keys.home] in config.toml changes them: create = "C"'


def keys_for(screen: Acting, ids: Sequence[str]) -> Line:
    """The keys for the bottom of a screen: actions of its scope, most wanted first.

    An id may be a whole name (``any.help``). What is not possible now stands in brackets, and
    goes first where not all fit.
    """
    offers = (_offer(screen, id) for id in ids)
    return keys_that_fit(offers, screen.sbc.keymap.first, screen.app.size.width)


def _offer(screen: Acting, id: str) -> Offer:
    action = BY_NAME[id if "." in id else f"{screen.SCOPE}.{id}"]
    if action.scope == "list" and not screen.has_rows():
        return action, "there is nothing here"
    return action, screen.why_not(action.id) if action.scope == screen.SCOPE else None


def keys_that_fit(offers: Iterable[Offer], first: Mapping[str, str], width: int) -> Line:
    """Keys and labels of these actions in their order, as many as fit in ``width`` columns.

    ``first`` are the keys to show, by the actions' names.
    """
    told = [(a, reason is None, first[a.name]) for a, reason in offers]
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
    app.push_screen(TextModal("Keys", list(_lines(app))))


def _lines(app: SbcApp) -> Iterator[Line]:
    for title, offers in groups(app.screen):
        yield ((title, "key"),)
        for action, reason in offers:
            tone = "dim" if reason else ""
            keys = app.keymap.all_shown(action.name) or "-"
            # keys that need more room than there is begin a line of their own
            if len(keys) > _KEYS:
                yield ((f"  {keys}", tone or "head"),)
                keys = ""
            yield ((f"  {keys:<{_KEYS}} ", tone or "head"), (action.help, tone))
            if reason:
                yield ((" " * (_KEYS + 3), ""), (f"not now: {reason}", "warn"))
        yield ((" ", ""),)
        if (title, getattr(app.screen, "SCOPE", "")) == ("This screen", "home"):
            yield from _filter()
    yield (("Dialogs", "key"),)
    for key, text in _DIALOGS:
        yield ((f"  {key:<{_KEYS}} ", "head"), (text, ""))
    yield ((" ", ""),)
    yield ((_REMAPPING, "dim"),)


def _filter() -> Iterator[Line]:
    from sbctui.screens.filtering import HELP
    from sbctui.screens.home_lines import STATES

    yield (("The filter", "key"),)
    yield (("  words       ", "head"), (" all of them must be there; !word must not", ""))
    yield (("  fields      ", "head"), (f" {HELP}", ""))
    yield (("  states      ", "head"), (f" st: takes {', '.join(STATES)}", ""))
    yield ((" ", ""),)
