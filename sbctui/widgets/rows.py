"""A list of lines of which only the visible ones are ever drawn, and only when they differ.

The cursor, the marks and the beginning of a range follow a row's key, never its number. Lines
come from one function, so ten thousand rows cost no more than a screenful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sbctui.actions import bindings
from sbctui.format import Line
from sbctui.widgets.looks import STYLES
from sbctui.widgets.strips import look, strip
from sbctui.widgets.sturdy import Sturdy

Draw = Callable[[str, int], Line]
"""Key and width in columns → the line; called for visible rows only."""
_State = tuple[Line, str, bool, bool]
"""A line as it is drawn: its text, ``*`` marked or ``+`` in the range, cursor, focus."""


class Rows(Sturdy, ScrollView, can_focus=True):
    """The list. Bound keys move the cursor and mark; what a row means is its owner's affair."""

    DEFAULT_CSS = """
    Rows { height: 1fr; scrollbar-size: 0 0; background: $ground; color: $ink; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("list")]

    @dataclass
    class Moved(Message):
        """The cursor stands on another row, or its row has changed."""

        rows: Rows
        key: str

    @dataclass
    class Opened(Message):
        """Enter was pressed on a row."""

        rows: Rows
        key: str

    @dataclass
    class Marked(Message):
        """The marks changed."""

        rows: Rows

    def __init__(
        self,
        *,
        id: str,
        markable: Callable[[str], bool] | None = None,
        cursor: bool = True,
        marks: set[str] | None = None,
    ) -> None:
        """``marks`` given are shared with other rows; their owner drops what has gone."""
        super().__init__(id=id)
        self._keys: Sequence[str] = ()
        self._index: dict[str, int] | None = None
        self._draw: Draw = lambda key, width: ((key, ""),)
        self._empty: Sequence[Line] = ()
        self._shown: dict[int, _State] = {}
        self._markable = markable
        self.margin_width = 2 if markable else 1
        self._has_cursor = cursor
        self._touched = False
        self.from_top = False
        """Whether a cursor that loses its row to the next rows shown goes to the first."""
        self._before = ""
        self._shared = marks is not None
        self.cursor = ""
        self.begun = ""
        self.changes = 0
        self.marks: set[str] = set() if marks is None else marks

    @property
    def keys(self) -> Sequence[str]:
        """The keys of all rows, in order."""
        return self._keys

    def position(self, key: str) -> int:
        """The row of a key, -1 when it is not there."""
        return self._index_of_all().get(key, -1)

    def _index_of_all(self) -> dict[str, int]:
        if self._index is None:
            self._index = {k: i for i, k in enumerate(self._keys)}
        return self._index

    def show(self, keys: Sequence[str], draw: Draw, empty: Sequence[Line] = ()) -> int:
        """Show these rows, or ``empty`` when there are none; repaints what differs only.

        The number of marks that went with their rows.
        """
        self._draw, self._empty = draw, empty
        before = len(self.marks)
        if keys != self._keys:
            self._replace(keys)
        if not self._shared:
            self.marks &= self._index_of_all().keys()
        self.repaint()
        return before - len(self.marks)

    def repaint(self) -> None:
        """Draw the visible lines that are not on the screen as they are now."""
        top = self.scroll_offset.y
        if len(self._shown) > 4 * self.size.height:
            seen = range(top, top + self.size.height)
            self._shown = {i: state for i, state in self._shown.items() if i in seen}
        for index in range(top, top + self.size.height):
            if self._state(index) != self._shown.get(index):
                self.refresh_line(index)

    def _replace(self, keys: Sequence[str]) -> None:
        old = max(0, self.position(self.cursor))
        self._keys, self._index = keys, None
        self._measure()
        self._scroll(self.scroll_offset.y)
        if self.position(self.begun) < 0:
            self.begun = ""
        new = self.position(self.cursor)
        if keys and not old and not self._touched:
            new, self.cursor = 0, keys[0]
        if new < 0:
            self._settle(0 if self.from_top else old)
        elif new != old and self._has_cursor and (self.has_focus or self.scroll_offset.y):
            self._scroll(self.scroll_offset.y + new - old)
        self.from_top = False
        if self.has_focus:
            self._see()

    def _measure(self) -> None:
        """Tell Textual how many lines there are, without its laying out the screen again."""
        self.set_reactive(Rows.virtual_size, Size(self.size.width, len(self._keys)))

    def _settle(self, old: int) -> None:
        """The cursor's row is not there: take the one in its place, or the one before nothing."""
        keys, self._before = self._keys, self.cursor or self._before
        back = self.position(self._before) if not self.cursor else -1
        index = back if back >= 0 else min(old, len(keys) - 1)
        self.cursor = keys[index] if keys else ""
        self.post_message(self.Moved(self, self.cursor))

    def move_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there, and scroll to it."""
        if self.position(key) < 0 or key == self.cursor:
            return
        old, self.cursor = self.position(self.cursor), key
        self.refresh_line(old)
        self.refresh_line(self.position(key))
        self._see()
        if self.begun:
            self.repaint()
        self.post_message(self.Moved(self, key))

    def to_top(self) -> None:
        """Scroll to the first row."""
        self._scroll(0)

    def text(self) -> str:
        """The row under the cursor as text; all rows where there is no cursor."""
        keys = [self.cursor] if self._has_cursor else self._keys
        width = self.size.width - self.margin_width
        lines = ("".join(t for t, _ in self._draw(k, width)).rstrip() for k in keys if k)
        return "\n".join(lines)

    def mark(self, keys: Iterable[str], on: bool | None = None) -> None:
        """Mark rows, unmark them, or with ``on`` None turn their marks over."""
        chosen = self._can(keys)
        self.changes += 1
        if on is None:
            self.marks ^= chosen
        elif on:
            self.marks |= chosen
        else:
            self.marks -= chosen
        self.repaint()
        self.post_message(self.Marked(self))

    def _can(self, keys: Iterable[str]) -> set[str]:
        return set(filter(self._markable, keys)) if self._markable else set()

    def ranged(self) -> set[str]:
        """What the range spans that can be marked; nothing while there is none."""
        first, last = self._span()
        return self._can(self._keys[first:last])

    def _span(self) -> tuple[int, int]:
        """The rows of the range: the first, and the one after the last."""
        if not self.begun:
            return 0, 0
        ends = sorted((self.position(self.begun), self.position(self.cursor)))
        return ends[0], ends[1] + 1

    def end_range(self, *, mark: bool) -> None:
        """Leave the range; what it spans is marked or not."""
        chosen = self.ranged() if mark else ()
        self.begun = ""
        self.mark(chosen, on=True)

    def action_move(self, step: int) -> None:
        """Move the cursor by rows; where there is none, scroll."""
        self._go(step)

    def action_page(self, step: int) -> None:
        """Move the cursor by half a pane."""
        self._go(step * max(1, self.size.height // 2))

    def action_end(self, last: int) -> None:
        """Go to the first or the last row."""
        self._go(len(self._keys) * (1 if last else -1))

    def action_open(self) -> None:
        """Tell the owner that the row is wanted."""
        if self.cursor:
            self.post_message(self.Opened(self, self.cursor))

    def action_mark(self) -> None:
        """Turn the row's mark over and move down; mark the range when there is one."""
        if self.begun:
            self.end_range(mark=True)
        elif self._has_cursor:
            self.mark([self.cursor])
            self._go(1)

    def action_range(self) -> None:
        """Begin a range at the cursor; again marks what it spans."""
        if self.begun:
            self.end_range(mark=True)
        elif self._markable is not None and self.cursor:
            self.begun = self.cursor
            self.repaint()
            self.post_message(self.Marked(self))

    def _go(self, step: int) -> None:
        if not self._has_cursor:
            self._scroll(self.scroll_offset.y + step)
        elif self._keys:
            index = self.position(self.cursor) + step
            self.move_to(self._keys[max(0, min(index, len(self._keys) - 1))])

    def _see(self) -> None:
        height = self.size.height if self._has_cursor else 0
        index = self.position(self.cursor)
        top = self.scroll_offset.y
        if height and not top <= index < top + height and index >= 0:
            self._scroll(index if index < top else index - height + 1)

    def _scroll(self, top: int) -> None:
        most = max(0, len(self._keys) - self.size.height)
        self.scroll_to(y=max(0, min(top, most)), animate=False, force=True)

    def _state(self, index: int) -> _State | None:
        if not self._keys and 0 <= index < len(self._empty):
            return self._empty[index], " ", False, False
        if not 0 <= index < len(self._keys):
            return None
        key = self._keys[index]
        line = self._draw(key, self.size.width - self.margin_width)
        at = self._has_cursor and key == self.cursor
        return line, self._sign(key, index), at, at and self.has_focus

    def _sign(self, key: str, index: int) -> str:
        if key in self.marks:
            return "*"
        first, last = self._span()
        return "+" if first <= index < last and self._can([key]) else " "

    def on_resize(self, event: events.Resize) -> None:
        """Lines depend on the width; the cursor stays in view."""
        self._measure()
        self._see()

    def on_focus(self) -> None:
        """The cursor looks different in the focused pane, and from now on keeps its row."""
        self._touched = True
        self.refresh_line(self.position(self.cursor))

    def on_blur(self) -> None:
        """The cursor looks different in the other panes."""
        self.refresh_line(self.position(self.cursor))

    def render_line(self, y: int) -> Strip:
        """One visible line (Textual's line API)."""
        index, width = self.scroll_offset.y + y, self.size.width
        state = self._state(index)
        if state is None:
            self._shown.pop(index, None)
            return Strip.blank(width, STYLES[""])
        self._shown[index] = state
        line, sign, at, focused = state
        over = STYLES["cursor" if focused else "parked"] if at else None
        margin = sign.ljust(self.margin_width)[: self.margin_width]
        gutter = Strip([Segment(margin, look("mark", over))])
        return Strip.join([gutter, strip(line, width - self.margin_width, over)])
