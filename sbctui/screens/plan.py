"""The plan, before anything is done: y starts it; Enter and Esc leave."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.screens.modal import Lines, Modal, inner_width, keys_line
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.plan import Plan

_DEAF = 0.3
"""Seconds in which keys that were held down or pasted start nothing."""


class PlanScreen(Modal[bool]):
    """Shows a plan; True when it shall be started.

    Deleting many nodes, or any root, and purging want the count or the name typed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "start", show=False),
        Binding("enter", "leave", show=False),
        Binding("down,j", "scroll_text(1)", show=False),
        Binding("up,k", "scroll_text(-1)", show=False),
    ]

    def __init__(self, plan: Plan) -> None:
        harmless = plan.impact in ("create", "reversible")
        super().__init__("The plan", "head" if harmless else "bad")
        self.plan = plan
        self._opened = time.monotonic()
        self._typed = Input(id="confirm") if plan.confirm else None

    @property
    def deaf(self) -> bool:
        """Whether keys that start something are ignored still."""
        return time.monotonic() - self._opened < _DEAF

    def body(self) -> Iterable[Widget]:
        """The plan's lines, the confirmation when one is wanted, the keys."""
        self.text = Lines(id="text")
        self.text.can_focus = False
        yield self.text
        self.keys = Bar(id="keys")
        if self._typed is not None:
            ask = Bar(id="ask")
            ask.show(((f"type {clean(self.plan.confirm)} and Enter to start:", "warn"),))
            yield ask
            yield self._typed
        yield self.keys

    def on_mount(self) -> None:
        """As high as the plan, when that fits."""
        lines = _toned(fmt.plan_lines(self.plan, most=max(6, self.app.size.height - 16)))
        rows = len(wrapped(lines, inner_width(self.app.size.width)))
        room = self.app.size.height - (9 if self._typed else 7)
        self.text.styles.height = max(1, min(rows, room))
        self.text.put(lines)
        if self._typed is not None:
            self._typed.focus()
            self.keys.show(keys_line(("esc", "Cancel: nothing is done")))
        else:
            cancel: Line = ((" ", ""), ("[ Cancel ]", "bar"))
            self.keys.show((*cancel, *keys_line(("y", "start it"), ("enter esc", "cancel"))))

    def on_key(self, event: events.Key) -> None:
        """A key that was still held down when the plan appeared decides nothing."""
        if event.key in ("y", "enter") and self.deaf:
            event.stop()
            event.prevent_default()

    def action_start(self) -> None:
        """Start, unless something has to be typed for that."""
        if self._typed is None:
            self.dismiss(True)

    def action_scroll_text(self, step: int) -> None:
        """Scroll the plan."""
        self.text.action_move(step)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start when what was typed is what was asked for."""
        event.stop()
        if event.value.strip() == self.plan.confirm:
            self.dismiss(True)
        else:
            self.keys.show(
                ((f" that is not {clean(self.plan.confirm)};", "warn"), (" esc cancels", ""))
            )


def _toned(lines: list[str]) -> list[Line]:
    made: list[Line] = [((lines[0], "key"),)]
    for line in lines[1:]:
        tone = "dim" if line.lstrip().startswith("$ ") else ""
        made.append(((line, "warn" if line.lstrip().startswith("note:") else tone),))
    return made
