"""What an OS image is made of: its partitions, found by sfdisk in the image's first mebibyte.

Only the beginning is looked at, so that an image can be judged while it is being unpacked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from sbctui.engine import commands
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown

HEAD = 1024**2
"""Bytes from the start in which both kinds of table lie."""
_LARGEST = 8 * 1024**4
Use = Literal["fat", "linux", "swap", "lvm", "raid", "extended", "other"]
_DOS: dict[str, Use] = {
    "1": "fat", "4": "fat", "6": "fat", "b": "fat", "c": "fat", "e": "fat", "ef": "fat",
    "5": "extended", "f": "extended", "85": "extended",
    "82": "swap", "83": "linux", "8e": "lvm", "fd": "raid",
}  # fmt: skip
_LINUX_ROOTS = (
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4",  # Linux file system
    "B921B045-1DF0-41C3-AF44-4C6F280D3FAE",  # Linux root, ARM 64
    "69DAD710-2CE4-4E3C-B16C-21A1D49ABED3",  # Linux root, ARM 32
    "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",  # Linux root, x86-64
    "72EC70A6-CF74-40E6-BD49-4BDA08E8F224",  # Linux root, RISC-V 64
)
_GPT: dict[str, Use] = {
    **dict.fromkeys(_LINUX_ROOTS, "linux"),
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": "fat",  # EFI system
    "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": "fat",  # basic data
    "BC13C2FF-59E6-4262-A352-B275FD6F7172": "fat",  # extended boot loader
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": "swap",
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": "lvm",
    "A19D880F-05FC-4D3B-A006-743F0F84911E": "raid",
}
"""Type codes (sfdisk(8); the discoverable partitions specification for the roots)."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the table; ``start`` and ``size`` in bytes."""

    number: int
    start: int
    size: int
    use: Use

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size


def partitions(head: Path, what: str) -> tuple[Partition, ...]:
    """The partitions of the image whose first ``HEAD`` bytes the file ``head`` holds.

    Empty when there is no table. Raises BadInput for a table that can't be, ToolMissing.
    """
    with open(head, "r+b") as file:
        file.truncate(_LARGEST)
    done = commands.run(["sfdisk", "--json", head], ok=range(256))
    if done.returncode != 0:
        return ()
    try:
        table = json.loads(done.stdout)["partitiontable"]
        sector = int(table.get("sectorsize", 512))
        types = _GPT if table["label"] == "gpt" else _DOS
        found = [
            Partition(
                _number(str(entry["node"]), str(head)),
                int(entry["start"]) * sector,
                int(entry["size"]) * sector,
                types.get(str(entry["type"]), "other"),
            )
            for entry in table.get("partitions", ())
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the partition table of {shown(what)} can't be read: {error}") from None
    found.sort(key=lambda p: p.start)
    _check(found, what)
    return tuple(found)


def _number(node: str, disk: str) -> int:
    return int(node.removeprefix(disk).lstrip("p"))


def _check(found: list[Partition], what: str) -> None:
    for before, after in pairwise(found):
        if after.start < before.end:
            raise BadInput(
                f"partitions {before.number} and {after.number} of {shown(what)} overlap; "
                "get the image again"
            )
