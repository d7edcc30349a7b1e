"""A pane: its title row with the number that focuses it, column names, and its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from sbctui.format import Line, Span, wrapped
from sbctui.widgets.bars import Bar
from sbctui.widgets.rows import Draw, Rows
from sbctui.widgets.sturdy import Sturdy


class Pane(Sturdy, Vertical):
    """One pane of a screen. While its filter is being typed, keys go into the title row."""

    DEFAULT_CSS = "Pane { height: 1fr; width: 1fr; }"

    @dataclass
    class Filtered(Message):
        """The filter's text changed."""

        pane: Pane
        text: str

    def __init__(
        self,
        number: int,
        title: str,
        *,
        id: str,
        markable: Callable[[str], bool] | None = None,
        cursor: bool = True,
        head: Callable[[int], Line] | None = None,
        marks: set[str] | None = None,
    ) -> None:
        super().__init__(id=id)
        self._number = number
        self._title = title
        self._head = head
        self._note: Line = ()
        self._said: Line = ()
        self.filter = ""
        self.problem = ""
        self.typing = False
        self.rows = Rows(id=f"{id}-rows", markable=markable, cursor=cursor, marks=marks)
        self._bar = Bar(classes="title", fill="─")
        self._columns = Bar(classes="columns")

    def compose(self) -> ComposeResult:
        """Title, column names when there are any, rows."""
        yield self._bar
        if self._head is not None:
            yield self._columns
        yield self.rows

    def show(
        self,
        keys: Sequence[str],
        draw: Draw,
        *,
        note: Line = (),
        said: Line = (),
        empty: Sequence[Line] = (),
    ) -> int:
        """Show rows, or ``empty`` when there are none; the number of marks that went.

        ``note`` stands in the title at the left (a source that is late, the order), ``said`` at
        the right.
        """
        self._note, self._said = note, said
        gone = self.rows.show(keys, draw, self._whole(empty))
        self.title()
        return gone

    def _whole(self, empty: Sequence[Line]) -> Sequence[Line]:
        """What an empty pane says, in as many rows as it takes."""
        width = self.rows.size.width - self.rows.margin_width
        return wrapped(empty, width) if width > 0 else empty

    def title(self) -> None:
        """Draw the title row anew."""
        rows = self.rows
        tone = "bar" if rows.has_focus else "head"
        number = f" {self._number} " if self._number else " "
        named = f"{number}{self._title} " if self._number or self._title else ""
        left: list[Span] = [(named, tone)]
        if self.typing or self.filter:
            left.append((f" /{self._tail()}{'_' if self.typing else ''} ", "warn"))
        left += self._note
        if self.problem:
            left.append((f" ? {self.problem} ", "bad"))
        counts = self._counts()
        right = [*counts, *self._said, *self._place()]
        if self._wide(left, right) and self._number and len(left) > 1:
            left[0] = (number, tone)
        if self._wide(left, right):
            right = [*counts, *self._said]
        if self._wide(left, right):
            right = counts
        self._bar.show(tuple(left), tuple(right))
        if self._head is not None:
            gutter = rows.margin_width
            self._columns.show(((" " * gutter, ""), *self._head(self.size.width - gutter)))

    def _wide(self, *parts: Sequence[Span]) -> bool:
        return sum(len(text) for part in parts for text, _ in part) > self.size.width

    def _place(self) -> Line:
        """The cursor's row of how many, when not all are in view."""
        rows = self.rows
        total, at = len(rows.keys), rows.position(rows.cursor) + 1
        if not total > rows.size.height > 0 or self.filter:
            return ()
        return ((f" {at}/{total} " if at else f" {total} ", "dim"),)

    def _tail(self) -> str:
        """The filter, or its end where the pane is narrow."""
        room = max(8, self.size.width - 20)
        return self.filter if len(self.filter) <= room else "~" + self.filter[1 - room :]

    def _counts(self) -> list[Span]:
        rows = self.rows
        made: list[Span] = []
        if rows.begun:
            made.append((f" range {len(rows.ranged())}: v marks ", "warn"))
        if rows.marks:
            made.append((f" {len(rows.marks)} marked ", "warn"))
        return made

    def start_filter(self) -> None:
        """Take the next keys as the filter's text."""
        self.typing = True
        self.rows.focus()
        self.title()

    def set_filter(self, text: str, *, typing: bool = False) -> None:
        """Filter by ``text``; empty shows all."""
        changed = text != self.filter
        self.filter, self.typing = text, typing
        self.problem = self.problem if text else ""
        self.title()
        if changed:
            self.rows.from_top = bool(text)
            self.post_message(self.Filtered(self, text))

    def on_key(self, event: events.Key) -> None:
        """Edit the filter while it is being typed."""
        if not self.typing:
            return
        if event.key in ("enter", "escape", "tab", "down", "up"):
            self.set_filter("" if event.key == "escape" else self.filter)
            if event.key in ("down", "up"):
                return
        elif event.key in ("backspace", "ctrl+h"):
            self.set_filter(self.filter[:-1], typing=True)
        elif event.key == "ctrl+u":
            self.set_filter("", typing=True)
        elif event.character and event.is_printable:
            self.set_filter(self.filter + event.character, typing=True)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """One line that is pasted into the filter belongs to it."""
        lines = event.text.splitlines()
        if self.typing and len(lines) == 1 and lines[0].isprintable():
            event.stop()
            self.set_filter(self.filter + lines[0], typing=True)

    def on_descendant_focus(self) -> None:
        """The focused pane's title looks different."""
        self.title()

    def on_descendant_blur(self) -> None:
        """The focused pane's title looks different; a half-typed filter stays in force."""
        self.typing = False
        self.title()

    def on_rows_moved(self) -> None:
        """The title says where the cursor is."""
        self.title()

    def on_rows_marked(self) -> None:
        """The title counts the marks."""
        self.title()

    def on_resize(self) -> None:
        """Column names follow the width."""
        self.title()
