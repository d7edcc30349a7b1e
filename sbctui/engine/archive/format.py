"""What an archive is made of: names, sizes, limits (docs/archives.md)."""

from __future__ import annotations

from typing import Final

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import MAX_SIZE, shown
from sbctui.engine.model.requests import Compression, Packing
from sbctui.engine.model.text import clean

FORMAT = 1
"""The newest version of the format that this program reads and the one it writes."""
CONFIG, MANIFEST, BOOT = "config.json", "manifest.json", "boot"
DISK: Final = "root.img"
DIFFERENCE: Final = "root.diff"
"""What differs from another disk: what is a hole here is as it is there."""
OVERLAY = "root.qcow2"
"""An overlay's file: without its root it is nothing, so it is never taken."""

RECORD = 512
"""Bytes of a tar's block: headers fill one, data is filled up to whole ones."""
GRAIN = 4096
"""Bytes of the smallest hole."""
FRAME = 1024**2
"""Frames are cut where this divides the place in the disk, in bytes."""
MOST_RANGES = 1_000_000
"""Ranges of data in a disk; small holes are filled where there would be more."""

MOST_CONFIG = 4 * 1024**2
"""Bytes of a config.json or a manifest: a root with 50,000 leaves stays under it."""
MOST_MEMBERS = 10_000
MOST_BOOT = 2 * 1024**3
"""Bytes of all boot files."""
MOST_DISK = MAX_SIZE


_LEVELS: dict[Compression, tuple[int, int, int]] = {
    "zstd": (1, 19, 3),
    "gzip": (1, 9, 6),
    "xz": (0, 9, 6),
    "none": (0, 0, 0),
}
"""Lowest, highest and usual level."""


class BadArchive(BadInput):
    """An archive that is damaged, cut off, or holds what it may not; the message says where.

    ``member`` and ``place`` are empty as long as nobody knows them; both may be hostile.
    """

    def __init__(self, why: str, member: str = "", place: str = "") -> None:
        whole = shown(place) if place else "the archive"
        where = f"the member {shown(member)} of {whole}" if member and place else whole
        where = f"the member {shown(member)}" if member and not place else where
        super().__init__(f"{where} {clean(why)}; nothing was taken from it")
        self.why, self.member, self.place = why, member, place

    def within(self, *, member: str = "", place: str = "") -> BadArchive:
        """The same, with what was not known of it yet."""
        return BadArchive(self.why, self.member or member, self.place or place)


def bad(member: str, why: str) -> BadArchive:
    """A refusal that names the member, which may be hostile itself."""
    return BadArchive(why, member)


def level_of(packing: Packing) -> int:
    """The level to use. Raises BadInput when there is no such level."""
    lowest, highest, usual = _LEVELS[packing.compression]
    level = usual if packing.level is None else packing.level
    if packing.compression == "none" and level:
        raise BadInput("without compression there is no level; leave it out").of("level")
    if not lowest <= level <= highest:
        raise BadInput(
            f"{packing.compression} has no level {level}; give one from {lowest} to {highest}"
        ).of("level")
    return level
