"""What a disk kind promises; one contract suite (tests/disks) holds every kind to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sbctui.engine.model.node import DiskFormat, StoreKind

Report = Callable[[int, int], None]
"""Called with (bytes done, bytes in all), at most about ten times a second."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A disk in bytes: apparent, allocated, and exclusive = freed by deleting it."""

    apparent: int
    allocated: int
    exclusive: int


@dataclass(frozen=True, slots=True)
class Probed:
    """What a folder's file system can do: the disk kind to use and why, in one sentence."""

    store: StoreKind
    filesystem: str
    reason: str


class ImageStore(Protocol):
    """One way of making a disk out of another. Paths are absolute, sizes bytes.

    No call inflates a sparse file. A call that raises leaves no file behind.
    """

    @property
    def kind(self) -> StoreKind:
        """The kind as it is shown and stored."""

    def format(self, *, leaf: bool) -> DiskFormat:
        """The format of what ``clone`` makes: overlays only for leaves, roots are always raw."""

    def clone(self, source: Path, target: Path, *, stop: threading.Event, report: Report) -> None:
        """Make ``target``, durable, equal to ``source`` as a board reads it.

        Raises NoSpace, Cancelled, ToolFailed, ToolMissing, or FileExistsError.
        """

    def needs(self, allocated: int) -> int:
        """Bytes one clone of a disk with ``allocated`` bytes takes at once."""
