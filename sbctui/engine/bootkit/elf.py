"""What a program needs beside itself: its loader and its shared libraries.

Format: elf(5). Only what Debian's little-endian architectures use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct, error, unpack_from

from sbctui.engine.errors import BadInput

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_END, _NEEDED, _STRINGS = 0, 1, 5


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a class of ELF files keeps what: offsets in the header and formats of its tables."""

    table: tuple[int, str]
    counts: int
    segment: Struct
    order: tuple[int, int, int, int]
    dynamic: Struct


_LAYOUTS = {
    1: _Layout((28, "<I"), 42, Struct("<8I"), (0, 1, 2, 4), Struct("<II")),
    2: _Layout((32, "<Q"), 54, Struct("<IIQQQQQQ"), (0, 2, 3, 5), Struct("<QQ")),
}
"""By EI_CLASS; ``order`` is where type, offset, address and file size of a segment stand."""


@dataclass(frozen=True, slots=True)
class Needs:
    """``loader`` is a full path, empty for a library or a static program; the rest are names."""

    loader: str
    libraries: tuple[str, ...]


def needs(data: bytes) -> Needs:
    """Read a program or library. Raises BadInput for what is no such file."""
    layout = _LAYOUTS.get(data[4]) if data[:4] == b"\x7fELF" and data[5:6] == b"\x01" else None
    if layout is None:
        raise BadInput("this is no little-endian ELF file, so no program of Debian's")
    try:
        return _needs(data, layout)
    except (error, IndexError, OverflowError, ValueError) as cause:
        raise BadInput(f"this ELF file is damaged: {cause}") from cause


def _needs(data: bytes, layout: _Layout) -> Needs:
    segments = list(_segments(data, layout))
    loader = ""
    tags: list[tuple[int, int]] = []
    for kind, offset, _, size in segments:
        if kind == _INTERPRETER:
            loader = data[offset : offset + size].rstrip(b"\0").decode()
        elif kind == _DYNAMIC:
            tags = list(layout.dynamic.iter_unpack(data[offset : offset + size]))
    if (_END, 0) in tags:
        tags = tags[: tags.index((_END, 0))]
    strings = next((_in_file(segments, value) for tag, value in tags if tag == _STRINGS), 0)
    names = [_text(data, strings + value) for tag, value in tags if tag == _NEEDED]
    return Needs(loader, tuple(names))


def _segments(data: bytes, layout: _Layout) -> Iterator[tuple[int, int, int, int]]:
    (start,) = unpack_from(layout.table[1], data, layout.table[0])
    size, count = unpack_from("<HH", data, layout.counts)
    for number in range(count):
        fields = layout.segment.unpack_from(data, start + number * size)
        kind, offset, address, length = (fields[place] for place in layout.order)
        yield kind, offset, address, length


def _in_file(segments: list[tuple[int, int, int, int]], address: int) -> int:
    for kind, offset, start, size in segments:
        if kind == _LOAD and start <= address < start + size:
            return offset + address - start
    raise IndexError("its strings are in no segment")


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()
