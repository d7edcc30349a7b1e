"""A question before something that has no plan: y does it; Enter and Esc leave."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.modal import Lines, Modal, keys_line
from sbctui.widgets.bars import Bar

_DEAF = 0.3
"""Seconds in which keys that were held down decide nothing."""


class AskScreen(Modal[bool]):
    """True when it shall be done. With ``word`` that has to be typed, else y is enough."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree", show=False),
        Binding("enter", "leave", show=False),
    ]

    def __init__(self, title: str, lines: Sequence[str], word: str = "") -> None:
        super().__init__("Shall it be done?", "warn")
        self._lines: list[Line] = [((clean(title), "key"),), *(((clean(x), ""),) for x in lines)]
        self._word = word
        self._opened = time.monotonic()

    def body(self) -> Iterable[Widget]:
        """What would be done, the word to type when there is one, the keys."""
        self.text = Lines(id="text")
        self.text.can_focus = False
        yield self.text
        self.keys = Bar(id="keys")
        if self._word:
            ask = Bar(id="ask")
            ask.show(((f"type {clean(self._word)} and Enter to do it:", "warn"),))
            yield ask
            yield Input(id="confirm")
            self.keys.show(keys_line(("esc", "Cancel: nothing is done")))
        else:
            keys = keys_line(("y", "do it"), ("enter esc", "cancel"))
            self.keys.show(((" ", ""), ("[ Cancel ]", "bar"), *keys))
        yield self.keys

    def on_mount(self) -> None:
        """As high as the text."""
        self.text.styles.height = len(self._lines)
        self.text.put(self._lines)
        self.query(Input).focus()

    def on_key(self, event: events.Key) -> None:
        """A key that was still held down when the question appeared decides nothing."""
        if event.key in ("y", "enter") and time.monotonic() - self._opened < _DEAF:
            event.stop()
            event.prevent_default()

    def action_agree(self) -> None:
        """Do it, unless something has to be typed for that."""
        if not self._word:
            self.dismiss(True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do it when what was typed is what was asked for."""
        event.stop()
        if event.value.strip() == self._word:
            self.dismiss(True)
        else:
            self.keys.show(((f" that is not {clean(self._word)};", "warn"), (" esc cancels", "")))
