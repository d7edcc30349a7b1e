"""A list of lines of which only the visible ones are ever drawn, and only when they differ.

The cursor and the marks follow a row's key, never its number. Lines come from one function,
so ten thousand rows cost no more than a screenful.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sbctui.actions import bindings
from sbctui.format import Line
from sbctui.widgets.sturdy import Sturdy

Draw = Callable[[str, int], Line]
"""Key and width in columns → the line; called for visible rows only."""
Stands = Callable[[str], bool]

STYLES: dict[str, Style] = {
    "": Style(),
    "dim": Style(dim=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow", bold=True),
    "bad": Style(color="red", bold=True),
    "head": Style(color="cyan", bold=True),
    "key": Style(bold=True),
    "bar": Style(color="cyan", reverse=True),
}
"""How each tone looks; every tone that means something also has its own words."""
_CURSOR = Style(color="cyan", reverse=True, bold=True)
_PARKED = Style(bold=True)
_MARK = Style(color="magenta", bold=True)


def strip(line: Line, width: int, over: Style | None = None) -> Strip:
    """A line as cells, exactly ``width`` wide; ``~`` at its end says that some is missing.

    ``over`` replaces the tones when it reverses, else it is laid over them.
    """
    segments = [Segment(text, _look(tone, over)) for text, tone in line]
    made = Strip(segments)
    if made.cell_length > width:
        last = segments[-1].style
        made = Strip([*made.crop(0, width - 1), Segment("~", last)])
    return made.extend_cell_length(width, over)


def _look(tone: str, over: Style | None) -> Style:
    if over is None:
        return STYLES[tone]
    return over if over.reverse else STYLES[tone] + over


class Rows(Sturdy, ScrollView, can_focus=True):
    """The list. Bound keys move the cursor and mark; what a row means is its owner's affair."""

    DEFAULT_CSS = """
    Rows { height: 1fr; scrollbar-size: 0 0; background: ansi_default; color: ansi_default; }
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
        self, *, id: str, markable: Callable[[str], bool] | None = None, cursor: bool = True
    ) -> None:
        super().__init__(id=id)
        self._keys: Sequence[str] = ()
        self._index: dict[str, int] | None = None
        self._draw: Draw = lambda key, width: ((key, ""),)
        self._shown: dict[int, tuple[Line, bool, bool, bool]] = {}
        self._markable = markable
        self.margin_width = 2 if markable else 1
        self._has_cursor = cursor
        self._touched = False
        self.cursor = ""
        self.marks: set[str] = set()

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

    def show(self, keys: Sequence[str], draw: Draw, stands: Stands | None = None) -> int:
        """Show these rows; repaints what differs only. The number of marks that went.

        Marks of rows that are only filtered away stay: ``stands`` says of a key whether what
        it names still exists.
        """
        self._draw = draw
        before = len(self.marks)
        if keys != self._keys:
            self._replace(keys)
        exists = stands or self._index_of_all().__contains__
        self.marks = {k for k in self.marks if exists(k)}
        for y in range(self.size.height):
            index = self.scroll_offset.y + y
            if self._state(index) != self._shown.get(index):
                self.refresh_line(index)
        return before - len(self.marks)

    def _replace(self, keys: Sequence[str]) -> None:
        old = max(0, self.position(self.cursor))
        self._keys, self._index = keys, None
        self.virtual_size = Size(self.size.width, len(keys))
        new = self.position(self.cursor)
        if keys and not old and not self._touched:
            new, self.cursor = 0, keys[0]
        if new < 0:
            new = min(old, len(keys) - 1)
            self.cursor = keys[new] if keys else ""
            self.post_message(self.Moved(self, self.cursor))
        elif new != old and self._has_cursor and (self.has_focus or self.scroll_offset.y):
            self._scroll(self.scroll_offset.y + new - old)
        if self.has_focus:
            self._see()

    def move_to(self, key: str) -> None:
        """Put the cursor on a row, if it is there, and scroll to it."""
        if self.position(key) < 0 or key == self.cursor:
            return
        old, self.cursor = self.position(self.cursor), key
        self.refresh_line(old)
        self.refresh_line(self.position(key))
        self._see()
        self.post_message(self.Moved(self, key))

    def move_end(self) -> None:
        """Scroll to the last row (logs)."""
        self._scroll(len(self._keys) - self.size.height)
        if self._keys:
            self.cursor = self._keys[-1]

    def mark(self, keys: Iterable[str], on: bool | None = None) -> None:
        """Mark rows, unmark them, or with ``on`` None turn their marks over."""
        chosen = {k for k in keys if self._markable is not None and self._markable(k)}
        if on is None:
            self.marks ^= chosen
        else:
            self.marks = self.marks | chosen if on else self.marks - chosen
        self.refresh()
        self.post_message(self.Marked(self))

    def action_move(self, step: int) -> None:
        """Move the cursor by rows."""
        self._go(self.position(self.cursor) + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by half a pane."""
        self._go(self.position(self.cursor) + step * max(1, self.size.height // 2))

    def action_end(self, last: int) -> None:
        """Go to the first or the last row."""
        self._go(len(self._keys) - 1 if last else 0)

    def action_open(self) -> None:
        """Tell the owner that the row is wanted."""
        if self.cursor:
            self.post_message(self.Opened(self, self.cursor))

    def action_mark(self) -> None:
        """Turn the row's mark over and move down."""
        self.mark([self.cursor])
        self.action_move(1)

    def _go(self, index: int) -> None:
        if self._keys:
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

    def _state(self, index: int) -> tuple[Line, bool, bool, bool] | None:
        if not 0 <= index < len(self._keys):
            return None
        key = self._keys[index]
        line = self._draw(key, self.size.width - self.margin_width)
        at = self._has_cursor and key == self.cursor
        return line, key in self.marks, at, at and self.has_focus

    def on_resize(self, event: events.Resize) -> None:
        """Lines depend on the width; the cursor stays in view."""
        self.virtual_size = Size(event.size.width, len(self._keys))
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
        line, marked, at, focused = state
        over = (_CURSOR if focused else _PARKED) if at else None
        sign = ("*" if marked else " ").ljust(self.margin_width)
        gutter = Strip([Segment(sign, over or _MARK)])
        return Strip.join([gutter, strip(line, width - self.margin_width, over)])
