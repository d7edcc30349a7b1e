"""Printing: plain tables and stable JSON on stdout, sentences on stderr, no colours.

A reader that goes away early (``| head``) is no error: what is left is not printed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from typing import Any, TextIO

from sbctui.engine.model.text import clean

_GAP = "  "
_NARROWEST = 12


@dataclass(frozen=True)
class _Capture:
    """What is printed goes to ``text``; tables are cut to ``columns``."""

    text: StringIO
    columns: int


_CAPTURE: ContextVar[_Capture | None] = ContextVar("capture", default=None)


@contextmanager
def captured(columns: int) -> Iterator[StringIO]:
    """All that this thread prints meanwhile, in the order it is printed."""
    capture = _Capture(StringIO(), columns)
    token = _CAPTURE.set(capture)
    try:
        yield capture.text
    finally:
        _CAPTURE.reset(token)


def is_captured() -> bool:
    """Whether this thread's verb runs inside a console: it has no terminal, and no stdin."""
    return _CAPTURE.get() is not None


def prepare() -> None:
    """Let no character that the terminal's encoding lacks end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def lines(texts: Sequence[str]) -> None:
    """Print lines on stdout; each is cleaned."""
    _write(sys.stdout, "".join(f"{clean(text)}\n" for text in texts))


def document(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    _write(sys.stdout, json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def json_line(value: Mapping[str, Any]) -> None:
    """Print one JSON document on a line of its own, at once."""
    _write(sys.stdout, json.dumps(value, ensure_ascii=True) + "\n")


def say(sentence: str) -> None:
    """Print a sentence on stderr, in the program's name."""
    _write(sys.stderr, f"sbctui: {clean(sentence)}\n")


def error_lines(texts: Sequence[str]) -> None:
    """Print lines on stderr; each is cleaned."""
    _write(sys.stderr, "".join(f"{clean(text)}\n" for text in texts))


def error_text(text: str) -> None:
    """Print text of our own (help) on stderr."""
    _write(sys.stderr, text + "\n")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print plain columns; ``right`` are the indexes of those aligned right.

    On a terminal the first column is cut (``~``) where that makes all rows fit; never in a pipe.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    widths[0] = _first_width(widths)
    _write(sys.stdout, "".join(_row(row, widths, right) for row in (list(heads), *cells)))


def _first_width(widths: Sequence[int]) -> int:
    capture = _CAPTURE.get()
    if capture is None and not sys.stdout.isatty():
        return widths[0]
    import shutil

    columns = capture.columns if capture is not None else shutil.get_terminal_size().columns
    room = columns - sum(widths[1:]) - len(_GAP) * (len(widths) - 1)
    return min(widths[0], room) if room >= _NARROWEST else widths[0]


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> str:
    fitted = [c if len(c) <= w else c[: w - 1] + "~" for c, w in zip(cells, widths, strict=True)]
    padded = [
        text.rjust(width) if number in right else text.ljust(width)
        for number, (text, width) in enumerate(zip(fitted, widths, strict=True))
    ]
    return _GAP.join(padded).rstrip() + "\n"


def pairs(items: Sequence[tuple[str, str]]) -> None:
    """Print labelled values, one a line, labels in one column; empty values are left out."""
    kept = [(label, value) for label, value in items if value]
    width = max((len(label) for label, _ in kept), default=0)
    lines([f"{label.ljust(width)}{_GAP}{value}" for label, value in kept])


def when(seconds: float) -> str | None:
    """Epoch seconds as ISO 8601 UTC to the second; None for 0, which stands for never."""
    return iso(datetime.fromtimestamp(seconds, UTC)) if seconds else None


def iso(moment: datetime) -> str:
    """A time as ISO 8601 UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def flush() -> None:
    """Push out what is buffered, so that a full disk or a gone reader is noticed here."""
    _write(sys.stdout, "")


def _write(stream: TextIO, text: str) -> None:
    if (capture := _CAPTURE.get()) is not None:
        capture.text.write(text)
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
