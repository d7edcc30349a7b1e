"""The plan, before anything is done: y starts it; Enter and Esc leave."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.screens.modal import Lines, Modal, inner_width, keys_line
from sbctui.screens.plan_lines import lines
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Plan

_DEAF = 0.3
"""Seconds in which keys that were held down or pasted start nothing."""
_DEAF_UNASKED = 1.0
"""The same for a plan nobody has just asked for."""


class PlanScreen(Modal[bool]):
    """Shows a plan; True when it shall be started.

    Deleting many nodes, or any root, and purging want the count or the name typed. ``why`` says
    what a plan is shown for that nobody has just asked for.
    """

    CSS_PATH = "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "start", show=False),
        Binding("enter", "leave", show=False),
        Binding("down,j", "scroll_text(1)", show=False),
        Binding("up,k", "scroll_text(-1)", show=False),
        Binding("pagedown,ctrl+d", "page_text(1)", show=False),
        Binding("pageup,ctrl+u", "page_text(-1)", show=False),
    ]

    def __init__(self, plan: Plan, site: Site | None = None, why: str = "") -> None:
        harmless = plan.impact in ("create", "reversible")
        super().__init__("The plan", "head" if harmless else "bad")
        self.plan = plan
        self._site = site
        self._why = why
        self._opened = time.monotonic()
        self._typed = Input(id="confirm") if plan.confirm else None
        self.text = Lines(id="text")
        self.more = Bar(id="more")
        self.keys = Bar(id="keys")

    @property
    def deaf(self) -> bool:
        """Whether keys that start something are ignored still."""
        patience = _DEAF_UNASKED if self._why else _DEAF
        return time.monotonic() - self._opened < patience

    def body(self) -> Iterable[Widget]:
        """The plan's lines, the confirmation when one is wanted, the keys."""
        self.text.can_focus = False
        yield self.text
        yield self.more
        if self._typed is not None:
            ask = Bar(id="ask")
            ask.show(((f"type {clean(self.plan.confirm)} and Enter to start:", "warn"),))
            yield ask
            yield self._typed
        yield self.keys

    def on_mount(self) -> None:
        """As high as the plan, when that fits."""
        self.watch(self.text, "scroll_y", self._say_more, init=False)
        self._fit(self.app.size.width, self.app.size.height)
        if self._typed is not None:
            self._typed.focus()
            self.keys.show(keys_line(("esc", "Cancel: nothing is done")))
        else:
            cancel: Line = ((" ", ""), ("[ Cancel ]", "bar"))
            self.keys.show((*cancel, *keys_line(("y", "start it"), ("enter esc", "cancel"))))

    def on_resize(self, event: events.Resize) -> None:
        """As high as fits now."""
        self._fit(event.size.width, event.size.height)
        self.call_after_refresh(self._say_more)

    def _fit(self, width: int, height: int) -> None:
        told = lines(self.plan, self._site, max(6, height - 16))
        if self._why:
            told = [((self._why, "warn"),), *told]
        rows = len(wrapped(told, inner_width(width) - 1))
        room = height - (9 if self._typed else 7)
        self.more.display = rows > room
        self.text.styles.height = max(1, min(rows, room - self.more.display))
        self.text.put(told)
        if rows <= room:
            self.text.scroll_to(y=0, animate=False)

    def _say_more(self) -> None:
        below = len(self.text.keys) - self.text.scroll_offset.y - self.text.size.height
        told = f"-- {below} more below: down --" if below > 0 else "-- the end: up goes back --"
        self.more.show(((told, "warn" if below > 0 else "dim"),))

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

    def action_page_text(self, step: int) -> None:
        """Scroll the plan by half of what is seen."""
        self.text.action_page(step)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Start when what was typed is what was asked for."""
        event.stop()
        if event.value.strip() == self.plan.confirm:
            self.dismiss(True)
        else:
            self.keys.show(
                ((f" that is not {clean(self.plan.confirm)};", "warn"), (" esc cancels", ""))
            )
