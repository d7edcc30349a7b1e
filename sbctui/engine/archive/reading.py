"""An archive read once from its beginning: every member judged, hashed, held to the manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from sbctui.engine.archive.ahead import Ahead, Piece
from sbctui.engine.archive.allowed import Allowed, As
from sbctui.engine.archive.format import DIFFERENCE, FORMAT, MANIFEST, BadArchive, bad
from sbctui.engine.archive.manifest import Manifest, MemberSum
from sbctui.engine.archive.tarread import Entry, TarReader
from sbctui.engine.errors import Refused


@dataclass(frozen=True, slots=True)
class Member:
    """One that may be taken: as what, under which name, and what the tar says of it."""

    what: As
    name: str
    entry: Entry


class Reading:
    """``members`` first, to their end; then what was found."""

    def __init__(self, stream: Ahead) -> None:
        self._tar = TarReader(stream)
        self._allowed = Allowed()
        self._at = ""
        self.config: bytes | None = None
        self.manifest: Manifest | None = None
        self.disk: Member | None = None
        self.sums: dict[str, MemberSum] = {}

    def members(self) -> Iterator[Member]:
        """All in their order; the data of each by ``pieces`` before the next is asked for.

        At the end all of it has been compared with the manifest, if there is one. Raises
        BadArchive, Refused for a newer format, Cancelled, OSError.
        """
        while (entry := self._tar.next()) is not None:
            self._at = entry.name
            placed = self._allowed.place(entry)
            member = Member(placed.what, placed.name, entry)
            if placed.what == "config":
                self.config = self._whole()
            elif placed.what == "manifest":
                self.manifest = _parsed(self._whole())
                continue
            elif placed.what == "disk":
                self.disk = member
            yield member
            for _ in self.pieces():
                pass
            if entry.what == "file":
                self.sums[placed.name] = MemberSum(
                    name=placed.name, size=entry.size, sha256=self._tar.digest()
                )
        self._compare()

    def pieces(self) -> Iterator[Piece]:
        """The stored data of the member at hand. Raises BadArchive, which names it."""
        try:
            yield from self._tar.pieces()
        except BadArchive as error:
            raise error.within(member=self._at) from None

    def _whole(self) -> bytes:
        return b"".join(bytes(memory[start:end]) for memory, start, end in self.pieces())

    def _compare(self) -> None:
        if self.disk is None:
            raise bad("", "holds no disk, as root.img")
        difference = self.disk.name == DIFFERENCE
        if self.manifest is None:
            if difference:
                raise bad(self.disk.name, "has no manifest that says what it differs from")
            return
        named = {one.name: one for one in self.manifest.members}
        for name in (*named, *self.sums):
            if name not in self.sums:
                raise bad(name, "is missing, though the manifest names it")
            if named.get(name) != self.sums[name]:
                raise bad(name, "is not what the manifest says: it is damaged")
        part, entry = self.manifest.disk, self.disk.entry
        if (part.file, part.size, part.data) != (self.disk.name, entry.real, entry.data):
            raise bad(self.disk.name, "is not what the manifest says: it is damaged")
        if difference != (part.base is not None):
            raise bad(self.disk.name, "has a manifest that does not say what it differs from")


def require_manifest(found: Reading) -> None:
    """Raises Refused when nothing says what the archive should hold."""
    if found.manifest is None:
        raise Refused(
            f"the archive has no {MANIFEST} with hashes, so nobody can tell whether it is whole; "
            "import it with --allow-unverified if you know where it comes from"
        )


def _parsed(data: bytes) -> Manifest:
    try:
        found = Manifest.model_validate_json(data)
    except (ValidationError, RecursionError):
        raise bad(MANIFEST, "can't be read") from None
    if found.format > FORMAT:
        raise Refused(
            f"the archive has the format {found.format}, newer than the {FORMAT} that this "
            "program knows; use a newer sbctui"
        )
    return found
