"""A tar read in one pass: each member with its data as it comes, its holes, and its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sbctui.engine.archive import paxhead, tarhead
from sbctui.engine.archive.ahead import Ahead, Piece
from sbctui.engine.archive.format import MOST_MEMBERS, MOST_RANGES, RECORD, BadArchive, bad
from sbctui.engine.archive.paxhead import Records
from sbctui.engine.archive.ranges import Ranges
from sbctui.engine.archive.stream import CUT
from sbctui.engine.archive.tarhead import Head

NONE = (
    "is no archive of a node, or cut off at its beginning (an OS image becomes a root with: "
    "sbctui root create NAME --from FILE)"
)
_NOTHING = bytes(RECORD)
_MOST_NAME, _MOST_PAX = 8192, 48 * 1024**2
_MOST_END = 4 * 1024**2
"""Bytes of zeros behind the end."""
_DIGITS = 20
_LARGE = 256 * 1024
"""Pieces from here on are hashed while they are written."""
_EXTENDED = (b"x", b"g", b"L", b"K")


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: ``size`` bytes are stored for it, ``real`` it has with its holes.

    ``what`` is ``file``, ``folder``, or what else it is, in words; ``link`` where a link leads.
    ``data`` bytes follow, for the ``ranges`` (None: all of it).
    """

    name: str
    what: str
    size: int
    real: int
    data: int
    link: str = ""
    ranges: Ranges | None = None


class TarReader:
    """Members in their order. Everything that is wrong is a BadArchive."""

    def __init__(self, stream: Ahead) -> None:
        self._stream = stream
        self._left = self._pad = 0
        self._hash = hashlib.sha256()
        self._count = 0

    def next(self) -> Entry | None:
        """The next member; the one before is passed over. None at the archive's sound end."""
        self._pass_over()
        records: Records = {}
        long: dict[bytes, str] = {}
        while (block := self._block()) != _NOTHING:
            head = tarhead.parse(block)
            self._counted(head)
            if head.type not in _EXTENDED:
                try:
                    return self._entry(head, block, records, long)
                except BadArchive as error:
                    raise error.within(member=head.name) from None
            data = self._extended(head)
            if head.type == b"x":
                records |= paxhead.parse(data, head.name)
            elif head.type == b"g":
                paxhead.harmless(paxhead.parse(data, head.name), head.name)
            else:
                long[head.type] = tarhead.text(data.rstrip(b"\0"))
        if records or long or self._stream.take(RECORD) != _NOTHING:
            raise bad("", "ends where it should not" if self._count else NONE)
        self._end()
        return None

    def _block(self) -> bytes:
        """The next header. The first one tells what is no tar at all."""
        if self._count:
            return self._stream.take(RECORD)
        try:
            block = self._stream.take(RECORD)
        except BadArchive as error:
            raise bad("", NONE if error.why == CUT else error.why) from None
        if block != _NOTHING and not tarhead.begins(block):
            raise bad("", NONE)
        return block

    def pieces(self) -> Iterator[Piece]:
        """The stored data of the member, without its map."""
        while self._left:
            piece = self._stream.some(self._left)
            memory, start, end = piece
            if start == end:
                raise bad("", CUT)
            self._left -= end - start
            view = memoryview(memory)[start:end]
            if end - start < _LARGE:
                self._hash.update(view)
                yield piece
                continue
            hashing = self._stream.beside.submit(self._hash.update, view)
            try:
                yield piece
            finally:
                hashing.result()

    def digest(self) -> str:
        """SHA-256 of all that was stored for the member, once its data was read."""
        return self._hash.hexdigest()

    def _entry(self, head: Head, block: bytes, records: Records, long: dict[bytes, str]) -> Entry:
        name = records["path"][0] if "path" in records else long.get(b"L", head.name)
        name = records["GNU.sparse.name"][0] if "GNU.sparse.name" in records else name
        link = records["linkpath"][0] if "linkpath" in records else long.get(b"K", head.link)
        if head.what != "file":
            return Entry(name, head.what, 0, 0, 0, link)
        size = paxhead.decimal(records["size"][0], name) if "size" in records else head.size
        self._hash = hashlib.sha256()
        ranges: Ranges | None
        if head.type == b"S":
            ranges, real = self._gnu(block, name)
            self._left, self._pad = size, -size % RECORD
        else:
            self._left, self._pad = size, -size % RECORD
            ranges, real = self._pax(records, name, size)
        if ranges is not None and ranges.bytes != self._left:
            raise bad(name, "has a map of its holes that does not fit its data")
        return Entry(name, "file", size, real, self._left, "", ranges)

    def _pax(self, records: Records, name: str, size: int) -> tuple[Ranges | None, int]:
        version = [records.get(f"GNU.sparse.{part}", [""])[0] for part in ("major", "minor")]
        if version == ["1", "0"]:
            real = paxhead.decimal(records.get("GNU.sparse.realsize", [""])[0], name)
            return self._map(real, name), real
        if version != ["", ""]:
            raise bad(name, "is a sparse file of a version that is not known")
        return paxhead.old_sparse(records, name) or (None, size)

    def _map(self, real: int, name: str) -> Ranges:
        """The map before the data: decimal lines, in whole blocks."""
        lines = self._lines(name)
        count = paxhead.decimal(next(lines), name)
        if count > MOST_RANGES + 1:
            raise bad(name, f"has {count} ranges of data, more than any disk")

        def ranges() -> Iterator[tuple[int, int]]:
            for _ in range(count):
                yield paxhead.decimal(next(lines), name), paxhead.decimal(next(lines), name)

        return paxhead.checked(ranges(), real, name)

    def _lines(self, name: str) -> Iterator[str]:
        held = b""
        while True:
            line, end, rest = held.partition(b"\n")
            if end:
                held = rest
                yield line.decode("ascii", "replace")
                continue
            if len(held) > _DIGITS or self._left < RECORD:
                raise bad(name, "has a map of its holes that is cut off")
            block = self._stream.take(RECORD)
            self._hash.update(block)
            self._left -= RECORD
            held += block

    def _gnu(self, block: bytes, name: str) -> tuple[Ranges, int]:
        found, real, more = tarhead.gnu_ranges(block, name)
        while more:
            block = self._stream.take(RECORD)
            self._hash.update(block)
            ranges, more = tarhead.more_gnu_ranges(block, name)
            found += ranges
            if len(found) > MOST_RANGES:
                raise bad(name, "has more ranges of data than any disk")
        return paxhead.checked(found, real, name), real

    def _extended(self, head: Head) -> bytes:
        most = _MOST_PAX if head.type == b"x" else _MOST_NAME
        if head.size > most:
            raise bad(head.name, "has a header that is too long")
        return self._stream.take(head.size + -head.size % RECORD)[: head.size]

    def _counted(self, head: Head) -> None:
        self._count += 1
        if self._count > 2 * MOST_MEMBERS:
            raise bad(head.name, "is one of too many members")

    def _pass_over(self) -> None:
        for _ in self.pieces():
            pass
        if self._pad:
            self._stream.take(self._pad)
            self._pad = 0

    def _end(self) -> None:
        """Behind the end are only zeros, and not too many."""
        total = 0
        while True:
            memory, start, end = self._stream.some(RECORD)
            if start == end:
                return
            total += end - start
            if total > _MOST_END or any(memory[start:end]):
                raise bad("", "holds something behind its end" if self._count else NONE)
