"""The chunks of an image, by which a cache fetches only what changed (side file ``.chunks``).

A chunk is a frame of a seekable zstd file, else a MiB at a fixed offset. Cuts chosen by content
(rolling hashes) find data again that moved inside a file. Here they would find nothing more: in
an exported image each frame is one MiB of the disk packed on its own, so what stays the same on
the disk stays the same bytes whatever comes before it; and a raw disk does not move. Fixed cuts
cost no byte-wise look at the data, and two servers agree on them without agreeing on a hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.archive.seektable import read_frames
from sbctui.engine.errors import BadInput, Cancelled
from sbctui.engine.files import Owner, write_atomic
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.text import clean

ENDING = ".chunks"
BLOCK = 1024**2
"""Bytes of a chunk where the file itself says nothing."""
LARGEST = 8 * 1024**2
"""Bytes of the longest chunk; a longer frame is cut into blocks."""
MOST_BYTES = 256 * 1024**2
"""Bytes of the longest side file that is read."""

Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of a file and the SHA-256 (hex) of its bytes."""

    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Chunks:
    """A whole file: its bytes, its SHA-256 (hex), and its chunks, which cover it in order."""

    size: int
    sha256: str
    chunks: tuple[Chunk, ...]

    def to_json(self) -> bytes:
        """The side file's bytes."""
        rows = [[one.offset, one.size, one.sha256] for one in self.chunks]
        whole = {"schema": 1, "size": self.size, "sha256": self.sha256, "chunks": rows}
        return json.dumps(whole, separators=(",", ":")).encode() + b"\n"


def parse(data: bytes, of: str) -> Chunks:
    """A side file from anywhere. Raises BadInput when it is none; ``of`` names it."""
    try:
        raw = json.loads(data)
        size, sha256, rows = raw["size"], _hex(raw["sha256"]), raw["chunks"]
        chunks = tuple(Chunk(_count(row[0]), _count(row[1]), _hex(row[2])) for row in rows)
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise BadInput(f"the chunks of {clean(of)} can't be read: {clean(str(error))}") from None
    end = 0
    for one in chunks:
        if one.offset != end or not 0 < one.size <= LARGEST:
            raise BadInput(f"the chunks of {clean(of)} don't follow each other at byte {end}")
        end += one.size
    if end != size:
        raise BadInput(f"the chunks of {clean(of)} cover {exact(end)} and not its whole")
    return Chunks(size, sha256, chunks)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("a length is no number")
    return value


def _hex(value: object) -> str:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError("a hash is none")
    return value


def cuts(fd: int) -> Iterator[tuple[int, int]]:
    """Offset and length of each chunk of an open file. Raises OSError."""
    size, done = os.fstat(fd).st_size, 0
    for frame in read_frames(fd) or ():
        if frame.size > LARGEST:
            yield from _blocks(frame.offset, frame.offset + frame.size)
        elif frame.size:
            yield frame.offset, frame.size
        done = frame.offset + frame.size
    yield from _blocks(done, size)


def _blocks(start: int, end: int) -> Iterator[tuple[int, int]]:
    for offset in range(start, end, BLOCK):
        yield offset, min(BLOCK, end - offset)


def compute(path: Path, stop: threading.Event, report: Report) -> Chunks:
    """Read a file once and hash it, whole and in chunks. Raises Cancelled, OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    whole = hashlib.sha256()
    try:
        size = os.fstat(fd).st_size
        found = hashed(fd, whole.update, stop, report)
    finally:
        os.close(fd)
    return Chunks(size, whole.hexdigest(), found)


def hashed(
    fd: int, feed: Callable[[bytes], None], stop: threading.Event, report: Report
) -> tuple[Chunk, ...]:
    """The chunks of an open file; ``feed`` gets all of it too, in order, by another thread.

    Raises Cancelled, OSError.
    """
    size, found = os.fstat(fd).st_size, []
    with ThreadPoolExecutor(1, "hash") as pool:
        for offset, length in cuts(fd):
            if stop.is_set():
                raise Cancelled("stopped while reading an image")
            data = read_at(fd, offset, length)
            other = pool.submit(feed, data)
            found.append(Chunk(offset, length, hashlib.sha256(data).hexdigest()))
            other.result()
            report(offset + length, size)
    return tuple(found)


def read_at(fd: int, offset: int, length: int) -> bytes:
    """Exactly these bytes, fewer only behind the file's end. Raises OSError."""
    data = os.pread(fd, length, offset)
    while len(data) < length:
        more = os.pread(fd, length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def beside(path: Path) -> Path:
    """Where an image's chunks are."""
    return path.with_name(path.name + ENDING)


def known(path: Path) -> Chunks | None:
    """An image's chunks by its side file; None where that is missing, broken or out of date."""
    try:
        about, side = path.stat(), beside(path).stat()
        if side.st_size > MOST_BYTES or side.st_mtime_ns < about.st_mtime_ns:
            return None
        found = parse(beside(path).read_bytes(), path.name)
    except (OSError, BadInput):
        return None
    return found if found.size == about.st_size else None


def write(path: Path, chunks: Chunks, owner: Owner = None) -> None:
    """Put an image's chunks beside it. Raises OSError."""
    write_atomic(beside(path), chunks.to_json(), owner=owner)
