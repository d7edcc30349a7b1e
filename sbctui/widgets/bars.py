"""One-line widgets: pane titles, the header, the status line and the keys that apply now."""

from __future__ import annotations

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from sbctui.format import Line
from sbctui.widgets.strips import strip


class Bar(Widget):
    """One line of text, repainted only when it differs; ``fill`` fills what is free."""

    DEFAULT_CSS = "Bar { height: 1; background: $ground; color: $ink; }"

    def __init__(self, *, id: str | None = None, classes: str = "", fill: str = " ") -> None:
        super().__init__(id=id, classes=classes)
        self._left: Line = ()
        self._right: Line = ()
        self._fill = fill

    def show(self, left: Line, right: Line = ()) -> None:
        """Show a line, ``right`` flush right; ``left`` is cut before ``right`` is."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    @property
    def text(self) -> str:
        """The words shown, for tests and the screen reader."""
        return "".join(t for t, _ in (*self._left, *self._right))

    def render_line(self, y: int) -> Strip:
        """The line (Textual's line API)."""
        width = self.size.width
        tail = sum(cell_len(t) for t, _ in self._right)
        if tail >= width:
            return strip(self._right, width)
        used = sum(cell_len(t) for t, _ in self._left)
        free = self._fill * max(0, width - tail - used)
        left = strip((*self._left, (free, "dim")), width - tail)
        return Strip.join([left, strip(self._right, tail)])
