"""A terminal driver that sends only the cells that changed.

Textual sends a whole widget again when one cell of it changes. This driver keeps a model of
what the terminal shows, applies each frame to it and writes the difference. The model is
forgotten on resize, resume and full repaint, and whenever something is written that it can't
follow, so that the next frame is sent whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import combining

from rich.cells import get_character_cell_size
from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from sbctui.widgets.keyboard import Keyboard

_TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|(\n)|([^\x00-\x1f\x7f-\x9f]+)")
_PLACE = re.compile(r"\x1b\[\d+;\d+H")
_ASIDE = re.compile(r"(?:\x07|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\))+")
"""What moves no cursor and changes no cell: the bell, the clipboard, the title."""
_GAP = 5
_SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})

Pen = tuple[tuple[str, ...], str, str]
"""Attributes, foreground and background as SGR parameters; empty means the default."""
Cell = tuple[str, Pen]
_PLAIN: Pen = ((), "", "")
_AFTER_WIDE: Cell = ("", _PLAIN)


@lru_cache(4096)
def _pen(parameters: str) -> Pen:
    """SGR parameters as a pen; the same look gives the same pen."""
    attributes: list[str] = []
    colours = {"3": "", "4": ""}
    codes = iter(parameters.split(";") if parameters else ())
    for code in codes:
        number = int(code or 0)
        if number in (38, 48):
            kind = next(codes, "")
            rest = [next(codes, "0") for _ in range(3 if kind == "2" else 1)]
            colours[code[0]] = ";".join((code, kind, *rest))
        elif 30 <= number <= 37 or 90 <= number <= 97:
            colours["3"] = code
        elif 40 <= number <= 47 or 100 <= number <= 107:
            colours["4"] = code
        elif number == 0:
            attributes, colours = [], {"3": "", "4": ""}
        elif number not in (39, 49):
            attributes.append(code)
    return tuple(sorted(attributes)), colours["3"], colours["4"]


@lru_cache(4096)
def _turn(old: Pen | None, new: Pen) -> str:
    """The shortest sequence that changes the terminal's pen."""
    if old == new:
        return ""
    if old is None or not set(old[0]) <= set(new[0]):
        parts = [*(["0"] if new != _PLAIN else []), *new[0], *filter(None, new[1:])]
        return f"\x1b[{';'.join(parts)}m"
    parts = [a for a in new[0] if a not in old[0]]
    parts += [fg for fg in (new[1] or "39",) if old[1] != new[1]]
    parts += [bg for bg in (new[2] or "49",) if old[2] != new[2]]
    return f"\x1b[{';'.join(parts)}m"


@lru_cache(8192)
def _cell(char: str, pen: Pen) -> Cell:
    """A cell; of a blank only what can be seen counts."""
    if char == " " and _SEEN_ON_BLANKS.isdisjoint(pen[0]):
        return char, ((), "", pen[2])
    return char, pen


@lru_cache(4096)
def _same_blank(old: Pen | None, new: Pen) -> bool:
    """Whether a blank that ``new`` draws is no other when the terminal's pen is ``old``."""
    return old is not None and old[2] == new[2] and _SEEN_ON_BLANKS.isdisjoint((*old[0], *new[0]))


class Grid:
    """What the terminal shows, as far as it is known."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell | None]] = {}
        self._pen: Pen | None = None
        self._at: tuple[int, int] | None = None
        self._wanted: tuple[int, int] | None = None

    def forget(self) -> None:
        """Know nothing, so that the next frame is sent whole."""
        self._rows.clear()
        self._pen = self._at = self._wanted = None

    def paint(self, data: str) -> str | None:
        """What must be written so that the terminal shows ``data``; None when it is no frame.

        A frame begins with a place, and holds places, looks and text. Whatever else stands in
        it came from outside with some text: it is left out, and never reaches the terminal.
        """
        if not _PLACE.match(data):
            return None
        rows: dict[int, list[Cell | None]] = {}
        x = y = 0
        pen = _PLAIN
        for token in _TOKEN.finditer(data):
            row, column, style, _newline, text = token.groups()
            if row:
                y, x = int(row) - 1, int(column) - 1
            elif style is not None:
                pen = _pen(style)
            elif text:
                line = rows.get(y)
                if line is None:
                    line = rows[y] = list(self._rows.get(y, ()))
                x = _put(line, x, text, pen)
        return self._difference(rows, (y, x))

    def _difference(self, rows: dict[int, list[Cell | None]], cursor: tuple[int, int]) -> str:
        out: list[str] = []
        for y in sorted(rows):
            new, old = rows[y], self._rows.get(y, [])
            if new != old:
                for start, stop in _runs(old, new):
                    out.append(self._run(y, start, new[start:stop]))
                self._rows[y] = new
        if out or cursor != self._wanted:
            self._wanted = cursor
            out.append(self._move(*cursor))
        return "".join(out)

    def _run(self, y: int, x: int, cells: list[Cell | None]) -> str:
        out = [self._move(y, x)]
        for cell in cells:
            if cell is not None and cell[0]:
                char, pen = cell
                if char != " " or not _same_blank(self._pen, pen):
                    out.append(_turn(self._pen, pen))
                    self._pen = pen
                out.append(char)
        self._at = (y, x + len(cells)) if all(c and c[0].isascii() for c in cells) else None
        return "".join(out)

    def _move(self, y: int, x: int) -> str:
        at, self._at = self._at, (y, x)
        if at == (y, x):
            return ""
        if at and at[0] == y and 0 < x - at[1] < 100:
            return f"\x1b[{x - at[1]}C"
        return f"\x1b[{y + 1};{x + 1}H"


def _put(line: list[Cell | None], x: int, text: str, pen: Pen) -> int:
    """Write text into a row from column ``x``; the column behind it."""
    if len(line) < x:
        line.extend([None] * (x - len(line)))
    if text.isascii():
        line[x : x + len(text)] = [_cell(c, pen) for c in text]
        return x + len(text)
    begin = x
    for char in text:
        width = get_character_cell_size(char)
        if width == 0 and combining(char) and x > begin and (before := line[x - 1]):
            line[x - 1] = (before[0] + char, before[1])
        elif width:
            line[x : x + width] = [_cell(char, pen), *([_AFTER_WIDE] * (width - 1))]
            x += width
    return x


def _runs(old: list[Cell | None], new: list[Cell | None]) -> Iterator[tuple[int, int]]:
    """Stretches to send; a row with anything that may not be one column wide goes whole.

    What no frame has told of (None) is never sent: it stays on the terminal as it is.
    """
    if any(c and (not c[0] or len(c[0]) > 1) for row in (old, new) for c in row):
        yield from _one_by_one(new)
        return
    start = stop = -1
    for x, cell in enumerate(new):
        if cell is None and start >= 0:
            yield start, stop
            start = -1
        if cell is None or (x < len(old) and old[x] == cell):
            continue
        if start >= 0 and x - stop > _GAP:
            yield start, stop
            start = x
        start, stop = (x if start < 0 else start), x + 1
    if start >= 0:
        yield start, stop


def _one_by_one(row: list[Cell | None]) -> Iterator[tuple[int, int]]:
    """The whole row, positioned afresh behind every cell whose width terminals dispute."""
    start = 0
    for x, cell in enumerate(row):
        if cell is None:
            if start < x:
                yield start, x
            start = x + 1
        elif not cell[0]:
            start = x + 1
        elif not cell[0].isascii():
            yield start, x + 1
            start = x + 1
    if start < len(row):
        yield start, len(row)


class DiffDriver(LinuxDriver):
    """The driver of a real terminal: sends differences, and keeps keys in order."""

    _grid: Grid
    _sync: bool
    _sync_sent: bool
    _keyboard: Keyboard

    def write(self, data: str) -> None:
        """Write a frame as its difference, anything else as it is."""
        grid = self._grid
        if data in (SYNC_START, SYNC_END):
            self._sync = data == SYNC_START
            if data == SYNC_END and self._sync_sent:
                self._sync_sent = False
                super().write(SYNC_END)
            return
        if _ASIDE.fullmatch(data):
            super().write(data)
            return
        difference = grid.paint(data)
        if difference is None:
            grid.forget()
            super().write(data)
        elif difference:
            if self._sync and not self._sync_sent:
                self._sync_sent = True
                difference = SYNC_START + difference
            super().write(difference)

    def forget(self) -> None:
        """Send the next frame whole (after a resize, a resume, or when the screen is torn)."""
        self._grid.forget()

    def start_application_mode(self) -> None:
        """Begin with a terminal of which nothing is known."""
        self._grid = Grid()
        self._sync = self._sync_sent = False
        self._keyboard = Keyboard(self._app, super().process_message)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def _sigcont_application(self, *signal: object) -> None:
        """Come back, also from a stop that was never told of (SIGSTOP, a frozen machine).

        Textual would then start a second reader of the keyboard, and restore the wrong modes
        at the end.
        """
        if self._auto_restart and not self._must_signal_resume:
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application(*signal)

    def process_message(self, message: Message) -> None:
        """Keys take their time: see ``Keyboard``."""
        if isinstance(message, events.Key):
            self._loop.call_soon_threadsafe(self._keyboard.typed, message)
        else:
            super().process_message(message)
