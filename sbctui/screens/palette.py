"""The palette: find an action or a verb by words, see its key, do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from sbctui.actions import Action
from sbctui.engine.rules import READ_ONLY
from sbctui.format import Line, cut
from sbctui.messages import in_thread
from sbctui.port import Verb
from sbctui.screens.acting import Acting
from sbctui.screens.modal import Lines, Modal, keys_line
from sbctui.screens.offers import groups
from sbctui.widgets.bars import Bar
from sbctui.widgets.rows import Rows

_NAME, _KEY = 16, 7
_LEFT_OUT = ("any.palette",)


@dataclass(frozen=True)
class Entry:
    """A row: ``chosen`` is an action, or a verb's words. ``reason`` stands against it, if any."""

    name: str
    key: str
    help: str
    chosen: Action | str
    reason: str = ""


def entries(screen: Screen[object], keys: Mapping[str, str]) -> list[Entry]:
    """The actions of a screen; ``keys`` are those shown, by the actions' names."""
    return [
        Entry(a.id.replace("_", " "), keys[a.name], a.help, a, reason or "")
        for _, offers in groups(screen)
        for a, reason in offers
        if a.name not in _LEFT_OUT
    ]


def verb_entries(verbs: Sequence[Verb], *, read_only: bool) -> list[Entry]:
    """The verbs of the command line."""
    return [
        Entry(v.words, ":", v.help, v.words, READ_ONLY if read_only and v.changes else "")
        for v in verbs
    ]


def found(known: Sequence[Entry], text: str) -> list[Entry]:
    """The entries that ``text`` means, the nearest first.

    Names that begin so, then names with all the words in them, then helps with them, then names
    with the letters in that order.
    """
    words = text.lower().split()
    ranked = [(rank, one) for one in known if (rank := _rank(one, words)) is not None]
    return [one for _, one in sorted(ranked, key=lambda pair: pair[0])]


def _rank(one: Entry, words: Sequence[str]) -> int | None:
    name, whole = one.name.lower(), f"{one.name} {one.help} {one.key}".lower()
    if name.startswith(" ".join(words)):
        return 0
    if all(word in name for word in words):
        return 1
    if all(word in whole for word in words):
        return 2
    letters = iter(name)
    return 3 if all(letter in letters for letter in "".join(words)) else None


class PaletteScreen(Modal[Entry]):
    """Its result is what was chosen."""

    CSS_PATH = "palette.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
    ]

    def __init__(self, below: Screen[object]) -> None:
        super().__init__("What do you want to do?")
        self._below = below
        self._known: list[Entry] = []
        self._found: list[Entry] = []

    def body(self) -> Iterable[Widget]:
        """What is typed, what fits it, and all about the one chosen."""
        yield Input(placeholder="words of it, or its key", id="words")
        self.rows = Rows(id="found")
        self.rows.can_focus = False
        yield self.rows
        self.about = Lines(id="about")
        self.about.can_focus = False
        yield self.about
        keys = Bar(id="keys")
        keys.show(keys_line(("enter", "do it"), ("up down", "choose"), ("esc", "back")))
        yield keys

    def on_mount(self) -> None:
        """Actions at once, verbs as soon as they are known."""
        self._known = entries(self._below, self.sbc.keymap.first)
        self._show("")
        self.query_one(Input).focus()
        if isinstance(self._below, Acting):
            self.sbc.background(self._add_verbs())

    async def _add_verbs(self) -> None:
        verbs = self.sbc.verbs
        if verbs is None:
            return
        taken = {one.name for one in self._known}
        known = [v for v in await in_thread(verbs.known) if v.words not in taken]
        self._known += verb_entries(known, read_only=self.sbc.read_only)
        if self.is_attached:
            self._show(self.query_one(Input).value)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Other words: the nearest is chosen."""
        self._show(event.value)
        if self._found:
            self.rows.move_to("0")

    def _show(self, text: str) -> None:
        self._found = found(self._known, text)
        self.rows.show([str(i) for i in range(len(self._found))], self._line)
        self._tell()

    def _line(self, key: str, width: int) -> Line:
        one, at = self._found[int(key)], key == self.rows.cursor
        tone = "dim" if one.reason else ""
        room = max(0, width - _NAME - _KEY - 3)
        return (
            ("> " if at else "  ", "head"),
            (f"{cut(one.name, _NAME):<{_NAME}}", tone or "key"),
            (f" {one.key:<{_KEY}}", tone or "head"),
            (cut(f"not now: {one.reason}" if one.reason else one.help, room), tone),
        )

    def _chosen(self) -> Entry | None:
        at = self.rows.position(self.rows.cursor)
        return self._found[at] if 0 <= at < len(self._found) else None

    def _tell(self) -> None:
        one = self._chosen()
        if one is None:
            told, tone = "nothing is called so; : takes a whole command line", "warn"
        else:
            told, tone = (f"not now: {one.reason}", "warn") if one.reason else (one.help, "dim")
        self.about.put([((told, tone),)])

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Tell all about the one chosen."""
        self._show(self.query_one(Input).value)

    def action_move(self, step: int) -> None:
        """Choose another."""
        self.rows.action_move(step)

    def action_page(self, step: int) -> None:
        """Choose another, half a list away."""
        self.rows.action_page(step)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do it, unless something stands against it: that is shown already."""
        event.stop()
        one = self._chosen()
        if one is not None and not one.reason:
            self.dismiss(one)
