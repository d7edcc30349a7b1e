"""Data of an archive's disk onto a new disk: zeros become holes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sbctui.engine.archive.ahead import Piece
from sbctui.engine.archive.format import FRAME, GRAIN
from sbctui.engine.archive.ranges import Ranges, some_nothing

_NOTHING = bytes(GRAIN)


def placed(pieces: Iterator[Piece], ranges: Ranges | None) -> Iterator[tuple[int, Piece]]:
    """Each piece of stored data with its place in the disk; none reaches over a range's end."""
    left = iter(ranges) if ranges is not None else iter([(0, 1 << 63)])
    place = end = 0
    for memory, first, last in pieces:
        while first < last:
            if place == end:
                place, end = next(left)
            length = min(last - first, end - place)
            yield place, (memory, first, first + length)
            first += length
            place += length


def land(fd: int, place: int, piece: Piece, *, zeros: bool = False) -> None:
    """Write a piece at its place in a file that is all hole there; ``zeros`` are written too."""
    memory, first, last = piece
    view = memoryview(memory)
    head = min(first + -place % GRAIN, last)
    if zeros or not (some_nothing(memory, first, head) or some_nothing(memory, head, last)):
        _put(fd, place, view[first:last])
        return
    begun = None
    while first < last:
        length = min(GRAIN - place % GRAIN, last - first)
        if memory.startswith(_NOTHING[:length], first, last):
            if begun is not None:
                _put(fd, begun[0], view[begun[1] : first])
            begun = None
        elif begun is None:
            begun = (place, first)
        first += length
        place += length
    if begun is not None:
        _put(fd, begun[0], view[begun[1] : last])


def overlay(source: int, target: int, ranges: Ranges) -> Iterator[int]:
    """Write the ranges of one file into another, over what is there; bytes as they are done."""
    memory = bytearray(FRAME)
    for start, end in ranges:
        while start < end:
            room = memoryview(memory)[: min(FRAME, end - start)]
            got = os.preadv(source, [room], start)
            if not got:
                raise OSError("the difference became shorter while it was read")
            _put(target, start, room[:got])
            start += got
            yield got


def _put(fd: int, place: int, view: memoryview) -> None:
    while view:
        written = os.pwrite(fd, view, place)
        view, place = view[written:], place + written
