"""A job's journal: ``events.jsonl``, one event a line, appended and never flushed.

It stays bounded: progress is written twice a second at most, and from ``_MOST`` bytes on only
what becomes of the units, warnings, waiting and the end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from sbctui.engine.events import (
    Event,
    Finished,
    Note,
    Output,
    Progress,
    UnitFinished,
    UnitStarted,
    Waiting,
)

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_MOST = 4 * 1024**2
_TAIL = 64 * 1024
_PROGRESS_EVERY = 0.5


class Writer:
    """Appends to an open journal. A full disk stops no work: the journal is a convenience."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._progressed = 0.0
        self._full = False

    def write(self, event: Event) -> None:
        """One event more, unless it may be left out."""
        if isinstance(event, Progress):
            now = time.monotonic()
            if now - self._progressed < _PROGRESS_EVERY and event.done < event.total:
                return
            self._progressed = now
        if self._size >= _MOST and _may_go(event):
            if self._full:
                return
            self._full = True
            text = "the journal is full: commands and what they said are left out from here on"
            event = Note(level="warning", text=text, at=time.time())
        line = event.model_dump_json().encode() + b"\n"
        with suppress(OSError):
            self._size += self._file.write(line)


def _may_go(event: Event) -> bool:
    return isinstance(event, (Progress, Output, UnitStarted)) or (
        isinstance(event, Note) and event.level != "warning"
    )


def read(path: Path, position: int = 0) -> Iterator[tuple[Event, int]]:
    """The events from a position on, each with the position behind it; stops at a torn line."""
    with suppress(FileNotFoundError), open(path, "rb") as journal:
        journal.seek(position)
        for line in journal:
            if not line.endswith(b"\n"):
                return
            position += len(line)
            with suppress(ValidationError):
                yield _EVENT.validate_json(line), position


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a job is, from its last events. ``begun`` is False while its journal is empty.

    ``waits`` is who holds the site's lock for which it waits.
    """

    begun: bool = False
    waits: str = ""
    done: int = 0
    failed: int = 0


def standing(path: Path) -> Standing:
    """How far a job is. Only the journal's end is read, all of it when that does not tell."""
    try:
        with open(path, "rb") as journal:
            size = os.fstat(journal.fileno()).st_size
            journal.seek(max(0, size - _TAIL))
            found = _standing(journal.read())
            if not found and size > _TAIL:
                journal.seek(0)
                found = _standing(journal.read())
    except FileNotFoundError:
        return Standing()
    return found or Standing(begun=size > 0)


def _standing(data: bytes) -> Standing | None:
    """From the last event that counts units; None when there is none."""
    waits: str | None = None
    for line in reversed(data.splitlines()):
        try:
            event = _EVENT.validate_json(line)
        except ValidationError:
            continue
        if waits is None:
            waits = event.holder if isinstance(event, Waiting) else ""
        if isinstance(event, (UnitFinished, Finished)):
            return Standing(True, waits, event.done, event.failed)
        if event.kind == "started":
            return Standing(True, waits)
    return Standing(begun=True, waits=waits) if waits else None
