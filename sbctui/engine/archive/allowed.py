"""Which members of an archive may be taken, and as what. All others are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sbctui.engine.archive.format import (
    BOOT,
    CONFIG,
    DIFFERENCE,
    DISK,
    MANIFEST,
    MOST_BOOT,
    MOST_CONFIG,
    MOST_DISK,
    MOST_MEMBERS,
    OVERLAY,
    bad,
)
from sbctui.engine.archive.tarread import Entry
from sbctui.engine.boot.loaders import LOADERS
from sbctui.engine.boot.pi import CMDLINE as PI_CMDLINE
from sbctui.engine.boot.pi import CONFIG as PI_CONFIG
from sbctui.engine.boot.render import RENDERED
from sbctui.engine.model.amounts import size
from sbctui.engine.model.overlay import RECORD
from sbctui.engine.model.text import clean

_TOP = (CONFIG, MANIFEST, DISK, DIFFERENCE, BOOT, OVERLAY, RECORD)
_PART, _DEPTH = 255, 10
_ANEW = tuple(name for name in RENDERED if name not in (PI_CONFIG, PI_CMDLINE))
"""Rendered for every board. What an image brought for a Raspberry Pi may be its own."""
_LINKS = ("a hard link", "a symbolic link")
As = Literal["config", "manifest", "disk", "boot", "folder", "nothing"]
"""What a member is taken as: ``nothing`` = passed over.

That is what is rendered anew, and the record of what was laid over a leaf's disk: to the root
that comes of it all that is its disk's own.
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A member and its name without a leading folder."""

    what: As
    name: str


class Allowed:
    """Judges members in their order; what was seen counts for those that follow."""

    def __init__(self) -> None:
        self._lead: str | None = None
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._boot = self._count = 0

    def place(self, entry: Entry) -> Placed:
        """What to take a member as. Raises BadArchive."""
        self._count += 1
        if self._count > MOST_MEMBERS:
            raise bad(entry.name, f"is one of more than {MOST_MEMBERS}")
        parts = self._inside(entry)
        name = "/".join(parts)
        if entry.what == "folder":
            return self._folder(entry, parts)
        if not name:
            raise bad(entry.name, "is no folder")
        if name in self._files or name in self._folders:
            raise bad(entry.name, "is there twice")
        self._files.add(name)
        what = self._file(entry, parts)
        self._parents(entry, parts)
        return Placed(what, name)

    def _inside(self, entry: Entry) -> list[str]:
        """The parts of a name, without the folder in which all members may lie."""
        parts = _parts(entry)
        if self._lead is None and parts:
            plain = parts[0] in _TOP
            if not plain and len(parts) == 1 and entry.what != "folder":
                raise bad(entry.name, _STRANGE)
            self._lead = "" if plain else parts[0]
        if not self._lead or not parts:
            return parts
        if parts[0] != self._lead:
            raise bad(entry.name, _STRANGE)
        return parts[1:]

    def _folder(self, entry: Entry, parts: list[str]) -> Placed:
        name = "/".join(parts)
        if name in self._files:
            raise bad(entry.name, "is there twice")
        if parts and parts[0] != BOOT:
            raise bad(entry.name, _STRANGE)
        self._parents(entry, parts)
        self._folders.add(name)
        return Placed("folder" if parts else "nothing", name)

    def _file(self, entry: Entry, parts: list[str]) -> As:
        if parts[0] == BOOT:
            return self._boot_file(entry, parts)
        if entry.what != "file":
            raise bad(entry.name, f"is {entry.what}, and only files and folders may be there")
        if parts == [OVERLAY]:
            raise bad(
                entry.name,
                "is an overlay, which is nothing without its root: export the leaf with "
                "sbctui leaf export",
            )
        if parts == [RECORD]:
            return "nothing"
        if parts in ([CONFIG], [MANIFEST]):
            if entry.real > MOST_CONFIG:
                raise bad(entry.name, f"is larger than {size(MOST_CONFIG)}")
            return "config" if parts == [CONFIG] else "manifest"
        if parts not in ([DISK], [DIFFERENCE]):
            raise bad(entry.name, _STRANGE)
        if entry.real > MOST_DISK:
            raise bad(entry.name, f"is larger than {size(MOST_DISK)}")
        if {DISK, DIFFERENCE} <= self._files:
            raise bad(entry.name, "is a second disk")
        return "disk"

    def _boot_file(self, entry: Entry, parts: list[str]) -> As:
        if len(parts) == 1:
            raise bad(entry.name, "is no folder")
        if entry.what in _LINKS and self._own_link(entry, parts):
            return "nothing"
        if entry.what != "file":
            raise bad(entry.name, f"is {entry.what}, and only files and folders may be there")
        self._boot += entry.real
        if self._boot > MOST_BOOT:
            raise bad(entry.name, f"makes the boot files larger than {size(MOST_BOOT)}")
        return "nothing" if parts[1] in _ANEW else "boot"

    def _own_link(self, entry: Entry, parts: list[str]) -> bool:
        """Links that sbctui makes in a node's boot/ itself, and makes anew."""
        if entry.what == "a symbolic link":
            return len(parts) == 2 and entry.link in (".", LOADERS.get(parts[1]))
        target = [part for part in entry.link.split("/") if part != "."]
        lead = [self._lead] if self._lead else []
        return parts[1] in RENDERED and "/".join(target[len(lead) :]) in self._files

    def _parents(self, entry: Entry, parts: list[str]) -> None:
        for length in range(1, len(parts)):
            parent = "/".join(parts[:length])
            if parent in self._files:
                raise bad(entry.name, "lies in what is no folder")
            self._folders.add(parent)


_STRANGE = (
    f"is none of {CONFIG}, {DISK} and {BOOT}/ (a root file system's tar becomes a root with: "
    "sbctui root create NAME --from TAR)"
)


def _parts(entry: Entry) -> list[str]:
    """A name's parts; only those that can do no harm. Raises BadArchive."""
    if entry.name.startswith("/"):
        raise bad(entry.name, "has an absolute name")
    parts = [part for part in entry.name.rstrip("/").split("/") if part != "."]
    if len(parts) > _DEPTH:
        raise bad(entry.name, "lies too deep")
    for part in parts:
        if part in ("", ".."):
            raise bad(entry.name, "has a name that leads elsewhere")
        if clean(part) != part or "\\" in part:
            raise bad(entry.name, "has a name that can't be shown")
        if len(part.encode("utf-8", "surrogateescape")) > _PART:
            raise bad(entry.name, "has a name that is too long")
    return parts
