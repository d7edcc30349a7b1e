"""Which bytes of a disk an archive holds: what is neither a hole nor a block of zeros."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from sbctui.engine.archive.format import FRAME, GRAIN, MOST_RANGES
from sbctui.engine.errors import Cancelled
from sbctui.engine.files import data_ranges

_NOTHING = bytes(GRAIN)
_WIDER = 16
Range = tuple[int, int]
Far = Callable[[int], None]
"""Told bytes as they are looked at."""


class Ranges(Sequence[Range]):
    """(start, end) of each range, in order, apart; sixteen bytes each."""

    def __init__(self, found: Iterable[Range] = ()) -> None:
        self._places = array("Q")
        self.bytes = 0
        for start, end in found:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """One more, not before the last; what touches that one makes it longer."""
        self.bytes += end - start
        if self._places and self._places[-1] == start:
            self._places[-1] = end
        else:
            self._places.extend((start, end))

    def __len__(self) -> int:
        return len(self._places) // 2

    def __getitem__(self, index: int) -> Range:  # type: ignore[override]
        return self._places[2 * index], self._places[2 * index + 1]

    def __iter__(self) -> Iterator[Range]:
        places = iter(self._places)
        return zip(places, places, strict=True)


def read_into(fd: int, place: int, room: memoryview) -> None:
    """Fill ``room`` with a disk's bytes from ``place``.

    Raises OSError, also where they end early.
    """
    while room:
        got = os.preadv(fd, [room], place)
        if not got:
            raise OSError("the disk became shorter while it was read")
        room, place = room[got:], place + got


def some_nothing(data: bytearray, start: int, end: int) -> bool:
    """Whether any grain between two places is all zeros; the last may be short.

    Comparing ends at the first byte that is none, where a search would look at all of them.
    """
    whole = end - (end - start) % GRAIN
    if any(data.startswith(_NOTHING, at, at + GRAIN) for at in range(start, whole, GRAIN)):
        return True
    return whole < end and data.startswith(_NOTHING[: end - whole], whole, end)


def steps(start: int, end: int) -> Iterator[Range]:
    """A range in pieces that end where frames do."""
    while start < end:
        stop = min(end, (start // FRAME + 1) * FRAME)
        yield start, stop
        start = stop


def filled(fd: int, stop: threading.Event, far: Far, *, most: int = MOST_RANGES) -> Ranges:
    """The ranges of an open disk with anything but zeros, in whole grains.

    They follow from the content alone, however it lies on the disk; but where there would be
    more than ``most``, holes smaller than a grain sixteen times as large are filled, and so on.
    Raises Cancelled, OSError.
    """
    size = os.fstat(fd).st_size
    found = Ranges()
    memory = bytearray(FRAME)
    room = memoryview(memory)
    for start, end in data_ranges(fd, size):
        for first, last in steps(start - start % GRAIN, end):
            if stop.is_set():
                raise Cancelled("stopped while reading a disk")
            read_into(fd, first, room[: last - first])
            _grains(found, first, memory, last - first)
            far(last - first)
    grain = GRAIN
    while len(found) > most:
        grain *= _WIDER
        found = _without_small_holes(found, grain)
    return found


def _grains(found: Ranges, place: int, data: bytearray, length: int) -> None:
    """Add the grains of the first ``length`` bytes that are not all zero."""
    if not some_nothing(data, 0, length):
        found.add(place, place + length)
        return
    for at in range(0, length, GRAIN):
        end = min(at + GRAIN, length)
        if not data.startswith(_NOTHING[: end - at], at, end):
            found.add(place + at, place + end)


def _without_small_holes(found: Ranges, least: int) -> Ranges:
    wider = Ranges()
    begun: Range | None = None
    for start, end in found:
        if begun is not None and start - begun[1] < least:
            begun = (begun[0], end)
            continue
        if begun is not None:
            wider.add(*begun)
        begun = (start, end)
    if begun is not None:
        wider.add(*begun)
    return wider
