"""What can be asked about archives: nodes written out and taken in again."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Literal

from pydantic import Field

from sbctui.engine.model.addresses import Alias, Ip, Mac, RootName
from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.node import Origin

Compression = Literal["zstd", "none", "gzip", "xz"]


class Packing(Value):
    """How an archive is compressed; ``level`` None is the usual one, ``threads`` 0 all cores."""

    compression: Compression = "zstd"
    level: int | None = None
    threads: int = 0


class Target(Value):
    """Where an archive goes: a file's full path, or ``-`` for standard output.

    Gathered by the facade: whether the file is ``there``, ``free`` bytes of its file system.
    """

    file: str
    there: bool = False
    free: int = 0


class ExportRoot(Asked):
    """Write a root into an archive (S0.16); ``replace`` an archive that is there."""

    verb: Literal["root export"] = "root export"
    name: str
    target: Target
    packing: Packing = Packing()
    replace: bool = False


class ExportLeaf(Asked):
    """Write a leaf into an archive: whole, or its ``difference`` to the root it was made of."""

    verb: Literal["leaf export"] = "leaf export"
    name: str
    target: Target
    packing: Packing = Packing()
    replace: bool = False
    difference: bool = False


class ExportMany(Asked):
    """Write nodes into archives in one folder, one after the other.

    ``targets`` are the files, in the same order, looked up by whoever asks. With ``difference``
    leaves are told by what differs from their root.
    """

    verb: Literal["archive export"] = "archive export"
    names: tuple[str, ...] = Field(min_length=1)
    targets: tuple[Target, ...]
    packing: Packing = Packing()
    replace: bool = False
    difference: bool = False


class Incoming(Value):
    """An archive to be imported, as looked at.

    ``place`` is a file's full path, ``-`` (standard input), ``USER@HOST:PATH`` or an address as
    ``https://…``. Zeros and an empty ``base`` are what could not be seen before reading it all:
    ``bytes`` of the file, ``disk`` the size a board sees, ``data`` the bytes of it that are
    stored, ``base`` the root whose difference it holds. ``origin`` is what a node made of it
    remembers. Of a leaf's: ``mac`` of its board, ``alias``, and the root ``parent`` that it was of.
    """

    place: str
    bytes: int = 0
    disk: int = 0
    data: int = 0
    base: str = ""
    origin: Origin | None = None
    mac: Mac | None = None
    alias: Alias = ""
    parent: str = ""


class ImportRoot(Asked):
    """Make the root ``name`` out of an archive (S0.17).

    ``base`` is the root that a difference is laid over, where it has another name here.
    ``unverified`` also takes an archive that has no manifest with hashes.
    """

    verb: Literal["root import"] = "root import"
    name: RootName
    archive: Incoming
    base: str = ""
    unverified: bool = False


class ImportLeaf(Asked):
    """Make a leaf of ``root`` out of an archive, for the board ``mac``.

    Where they are not given, the archive tells them: its own board, and the root that it is the
    difference to or was a leaf of. For another board it is personalised anew. ``network`` as in
    ``CreateLeaves``; ``resolved`` is what the resolver said for the archive's alias.
    """

    verb: Literal["leaf import"] = "leaf import"
    archive: Incoming
    mac: Mac | None = None
    root: str = ""
    ip: Ip | None = None
    network: str = ""
    resolved: tuple[IPv4Address, ...] = ()
    unverified: bool = False

    @property
    def board(self) -> Mac | None:
        """The board that the leaf is for, if that is known."""
        return self.mac or self.archive.mac

    @property
    def alias(self) -> str:
        """The alias that comes along: only with the very board that had it."""
        return self.archive.alias if self.board == self.archive.mac else ""
