"""Progress on stderr: one line that rewrites itself on a terminal, nothing in a pipe."""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from typing import TextIO

from sbctui import format as words
from sbctui.engine import events
from sbctui.engine.model.text import clean

_EVERY = 0.1
_BAR = 18


class Progress:
    """Follows one plan's events. ``quiet`` shows nothing, not even warnings."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._stream = stream
        self._quiet = quiet
        self._live = stream.isatty() and not quiet
        self._title = ""
        self._waits = ""
        self._total = 0
        self._finished = 0
        self._bytes: tuple[int, int] = (0, 0)
        self._samples: deque[tuple[float, float]] = deque(maxlen=600)
        self._units: deque[tuple[float, float]] = deque(maxlen=600)
        self._last = 0.0
        self._drawn = False
        self._noted: Counter[str] = Counter()

    def emit(self, event: events.Event) -> None:
        """Take in one event (an ``Emit``)."""
        now = time.monotonic()
        match event:
            case events.Started():
                self._total = event.total
                self._units.append((now, 0))
            case events.UnitStarted():
                self._title = event.title
                self._bytes = (0, 0)
                self._samples.clear()
            case events.Progress():
                self._bytes = (event.done, event.total)
                self._samples.append((now, event.done))
            case events.Waiting():
                self._waits = event.holder
            case events.UnitFinished():
                self._finished = event.done + event.failed
                self._units.append((now, self._finished))
            case events.Note():
                self._note(event)
            case _:
                pass
        self._draw(now)

    def close(self) -> None:
        """Take the line away, and count the notes that were not shown."""
        self._clear()
        more = sum(self._noted.values()) - len(self._noted)
        if more:
            self._stream.write(f"sbctui: note: and {more} more like it\n")
            self._stream.flush()

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False

    def _note(self, note: events.Note) -> None:
        """A warning, unless one that says the same of another node was shown."""
        if note.level != "warning" or self._quiet:
            return
        kind = note.text.partition(": ")[2] or note.text
        self._noted[kind] += 1
        if self._noted[kind] == 1:
            self._clear()
            self._stream.write(f"sbctui: note: {clean(note.text)}\n")
            self._stream.flush()

    def _draw(self, now: float) -> None:
        if not self._live or now - self._last < _EVERY:
            return
        self._last = now
        width = shutil.get_terminal_size().columns - 1
        self._stream.write("\r" + words.cut(self._line(), width) + "\x1b[K")
        self._stream.flush()
        self._drawn = True

    def _line(self) -> str:
        if self._waits:
            return f"waiting for {clean(self._waits)}"
        done, total = self._bytes
        parts = [
            words.bar(self._finished, self._total, _BAR),
            f"{self._finished}/{self._total}",
            clean(self._title),
        ]
        if total:
            parts.append(f"{100 * done // total}% of {words.size(total)}")
        if speed := words.rate(list(self._samples)):
            parts.append(f"{words.size(speed)}/s")
        left = words.eta(list(self._samples), total) if total else None
        if self._total > 1:
            left = words.eta(list(self._units), self._total) or left
        parts.append(f"{words.duration(left)} left")
        return "  ".join(parts)
