"""pax records and the sparse files they describe, in all three versions of GNU tar.

POSIX.1-2017 "pax Extended Header"; the GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from collections.abc import Iterable

from sbctui.engine.archive.format import MOST_DISK, MOST_RANGES, bad
from sbctui.engine.archive.ranges import Ranges
from sbctui.engine.model.amounts import size as told

_REPEATED = ("GNU.sparse.offset", "GNU.sparse.numbytes")
_HARMLESS = ("comment", "mtime", "charset", "hdrcharset")
_DIGITS = 18
Records = dict[str, list[str]]
"""Key → its values; several only of keys that old sparse files repeat."""


def parse(data: bytes, name: str) -> Records:
    """The records of an extended header. Raises BadArchive."""
    found: Records = {}
    at = 0
    while at < len(data):
        length, blank, _ = data[at : at + 20].partition(b" ")
        if not blank or not length.isdigit() or length.startswith(b"0"):
            raise bad(name, "has a damaged pax header")
        end = at + int(length)
        if end > len(data) or data[end - 1 : end] != b"\n" or end <= at + len(length) + 1:
            raise bad(name, "has a damaged pax header")
        key, equals, value = data[at + len(length) + 1 : end - 1].partition(b"=")
        if not equals:
            raise bad(name, "has a damaged pax header")
        values = found.setdefault(key.decode("utf-8", "surrogateescape"), [])
        values.append(value.decode("utf-8", "surrogateescape"))
        at = end
    for word, values in found.items():
        if len(values) > 1 and word not in _REPEATED:
            raise bad(name, "has a pax header that says the same thing twice")
    return found


def harmless(records: Records, name: str) -> None:
    """Refuse a header for all members that would change any. Raises BadArchive."""
    for key in records:
        if key not in _HARMLESS:
            raise bad(name, f"sets {key} of every other member")


def decimal(text: str, name: str) -> int:
    """A number of bytes. Raises BadArchive."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise bad(name, "has a number that is none")
    value = int(text)
    if value > MOST_DISK:
        raise bad(name, f"says that it has {told(value)}, more than any disk")
    return value


def old_sparse(records: Records, name: str) -> tuple[Ranges, int] | None:
    """Ranges and size of a sparse file of version 0.0 or 0.1; None of any other."""
    if "GNU.sparse.size" not in records:
        return None
    real = decimal(records["GNU.sparse.size"][0], name)
    if "GNU.sparse.map" in records:
        numbers = [decimal(part, name) for part in records["GNU.sparse.map"][0].split(",")]
        starts, sizes = numbers[::2], numbers[1::2]
    else:
        starts, sizes = ([decimal(v, name) for v in records.get(key, [])] for key in _REPEATED)
    if len(starts) != len(sizes):
        raise bad(name, "has a map of its holes that is cut off")
    return checked(zip(starts, sizes, strict=True), real, name), real


def checked(ranges: Iterable[tuple[int, int]], real: int, name: str) -> Ranges:
    """(offset, size) of ranges of a file of ``real`` bytes. Raises BadArchive where they lie."""
    if real > MOST_DISK:
        raise bad(name, f"says that it has {told(real)}, more than any disk")
    found = Ranges()
    last = 0
    for number, (start, size) in enumerate(ranges):
        if start < last or start + size > real or number > 2 * MOST_RANGES:
            raise bad(name, "has a map of its holes that can't be true")
        last = start + size
        if size:
            found.add(start, last)
    return found
