"""One of a few words, chosen by space or by left and right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sbctui.format import Span
from sbctui.widgets.strips import strip


class Choice(Widget, can_focus=True):
    """All words in one line, the chosen one with an ``x``: ``(x) no  ( ) yes``."""

    DEFAULT_CSS = "Choice { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space,right", "step(1)", show=False),
        Binding("left", "step(-1)", show=False),
        Binding("enter", "submit", show=False),
    ]

    @dataclass
    class Changed(Message):
        """Another word is chosen."""

        choice: Choice

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        choice: Choice

    def __init__(self, words: Sequence[str], value: str, *, id: str) -> None:
        super().__init__(id=id)
        self._words = tuple(words)
        self.value = value

    def set(self, value: str) -> None:
        """Choose a word; one that is not among them changes nothing."""
        if value in self._words and value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Changed(self))

    def action_step(self, step: int) -> None:
        """Choose the next word, or the one before."""
        at = self._words.index(self.value) + step
        self.set(self._words[at % len(self._words)])

    def action_submit(self) -> None:
        """Tell that all is chosen."""
        self.post_message(self.Submitted(self))

    def on_focus(self) -> None:
        """The chosen word looks different in focus."""
        self.refresh()

    def on_blur(self) -> None:
        """The chosen word looks different in focus."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line (Textual's line API)."""
        width = self.size.width
        if sum(len(word) + 6 for word in self._words) > width:
            return strip(self._narrow(), width)
        spans: list[Span] = [(" ", "")]
        for word in self._words:
            chosen = word == self.value
            tone = ("bar" if self.has_focus else "key") if chosen else "dim"
            spans += [(f"({'x' if chosen else ' '}) {word}", tone), ("  ", "")]
        return strip(tuple(spans), width)

    def _narrow(self) -> tuple[Span, ...]:
        """The chosen word alone, where there is no room for all."""
        at = self._words.index(self.value) + 1
        tone = "bar" if self.has_focus else "key"
        return (
            (" ", ""),
            (f"(x) {self.value}", tone),
            (f"  {at} of {len(self._words)}", "dim"),
        )
