"""One range of a stream into a sparse file."""

from __future__ import annotations

import os

from sbctui.engine.model.requests import Extent

BLOCK = 4096
"""Bytes of the smallest hole."""
_STRIDE = 64 * 1024
_NOTHING = bytes(_STRIDE)
_NOTHING_SMALL = bytes(BLOCK)


class Sink:
    """Takes its ``extent`` of a stream into an open empty file; zeros become holes."""

    def __init__(self, fd: int, extent: Extent) -> None:
        self.extent = extent
        self._fd = fd
        os.ftruncate(fd, extent.size)

    def take(self, at: int, data: bytes) -> None:
        """Bytes of the stream from ``at``; what lies outside the range is passed by."""
        first = max(0, self.extent.start - at)
        last = min(len(data), self.extent.end - at)
        if first < last:
            self._write(at + first - self.extent.start, data, first, last)

    def _write(self, at: int, data: bytes, first: int, last: int) -> None:
        """Write data[first:last] to the file from ``at``, but for its aligned zeros."""
        begun = first
        for start, end in _zeros(at, data, first, last):
            self._put(at + begun - first, data, begun, start)
            begun = end
        self._put(at + begun - first, data, begun, last)

    def _put(self, at: int, data: bytes, first: int, last: int) -> None:
        view = memoryview(data)
        while first < last:
            written = os.pwrite(self._fd, view[first:last], at)
            first, at = first + written, at + written


def _zeros(at: int, data: bytes, first: int, last: int) -> list[tuple[int, int]]:
    """The runs of zeros in data[first:last] that fill whole blocks of the file at ``at``."""
    found: list[tuple[int, int]] = []
    place = first + -at % BLOCK
    while place + BLOCK <= last:
        step = min(_STRIDE, last - place)
        if step == _STRIDE and data[place : place + _STRIDE] == _NOTHING:
            _add(found, place, place + _STRIDE)
        else:
            for grain in range(place, place + step - BLOCK + 1, BLOCK):
                if data[grain : grain + BLOCK] == _NOTHING_SMALL:
                    _add(found, grain, grain + BLOCK)
        place += step - step % BLOCK
    return found


def _add(found: list[tuple[int, int]], start: int, end: int) -> None:
    if found and found[-1][1] == start:
        start = found.pop()[0]
    found.append((start, end))
