"""What of a disk differs from another, and the hash by which a disk is known again."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from heapq import merge

from sbctui.engine.archive import tarwrite
from sbctui.engine.archive.format import FRAME, GRAIN
from sbctui.engine.archive.ranges import Far, Ranges, filled, read_into, steps
from sbctui.engine.errors import Cancelled
from sbctui.engine.files import data_ranges


def disk_sum(fd: int, stop: threading.Event, far: Far) -> str:
    """SHA-256 of an open disk as a member of an archive: of its content, however it lies there."""
    size = os.fstat(fd).st_size
    ranges = filled(fd, stop, far)
    found = hashlib.sha256(tarwrite.sparse_map(ranges, size))
    memory = bytearray(FRAME)
    for start, end in ranges:
        for first, last in steps(start, end):
            _go_on(stop)
            room = memoryview(memory)[: last - first]
            read_into(fd, first, room)
            found.update(room)
    return found.hexdigest()


def differing(fd: int, base: int, stop: threading.Event, far: Far) -> Ranges:
    """The grains of an open disk that are not the same in ``base``, which is no larger."""
    size, below = os.fstat(fd).st_size, os.fstat(base).st_size
    found = Ranges()
    mine, theirs = bytearray(FRAME), bytearray(FRAME)
    for first, last in _looked_at(fd, base, size, below):
        _go_on(stop)
        read_into(fd, first, memoryview(mine)[: last - first])
        there = max(0, min(last, below) - first)
        read_into(base, first, memoryview(theirs)[:there])
        theirs[there:] = bytes(FRAME - there)
        _unequal(found, first, mine, theirs, last - first)
        far(last - first)
    return found


def _looked_at(fd: int, base: int, size: int, below: int) -> Iterator[tuple[int, int]]:
    """Frames in which either has data."""
    done = 0
    for start, end in merge(data_ranges(fd, size), data_ranges(base, min(size, below))):
        for first, last in steps(max(start - start % GRAIN, done), end):
            yield first, min(size, last + -last % GRAIN)
        done = max(done, min(size, end + -end % GRAIN))


def _unequal(found: Ranges, place: int, one: bytearray, other: bytearray, length: int) -> None:
    mine, theirs = memoryview(one)[:length], memoryview(other)[:length]
    if bytes(mine) == bytes(theirs):
        return
    for at in range(0, length, GRAIN):
        end = min(at + GRAIN, length)
        if bytes(mine[at:end]) != bytes(theirs[at:end]):
            found.add(place + at, place + end)


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise Cancelled("stopped while comparing disks")
