"""Actions on archives."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.asked import Value
from sbctui.engine.model.requests import Packing


class FlattenDisk(Value):
    """Copy what the overlay of node ``source`` shows into the staged node, as a raw disk.

    ``live`` = a board has it open: as it is at one instant, then checked and repaired.
    """

    kind: Literal["flatten-disk"] = "flatten-disk"
    name: str
    source: str
    live: bool = False


class WriteArchive(Value):
    """Write node ``name`` as an archive beside ``target``, or to standard output.

    Its disk is that of the staged node ``staged``, if one is named. With ``base`` only what
    differs from the disk of that root. Undo deletes what was written.
    """

    kind: Literal["write-archive"] = "write-archive"
    name: str
    target: str
    packing: Packing
    staged: str = ""
    base: str = ""


class PublishArchive(Value):
    """Flush the written archive and rename it to ``target``: the commit."""

    kind: Literal["publish-archive"] = "publish-archive"
    target: str
    replace: bool


class TakeArchive(Value):
    """Take disk and boot files out of an archive into the staged node; fields as asked."""

    kind: Literal["take-archive"] = "take-archive"
    name: str
    place: str
    base: str
    unverified: bool


class TakeLeaf(Value):
    """Take a leaf's disk and boot files out of an archive into the staged node.

    As an overlay on the disk of ``root`` where ``thin`` and that can be, else as a raw disk of its
    own. What the archive says of its board counts if that is the one the leaf is for.
    """

    kind: Literal["take-leaf"] = "take-leaf"
    name: str
    place: str
    root: str
    thin: bool
    unverified: bool
