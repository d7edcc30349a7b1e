"""Thin disks on any file system: a qcow2 overlay per leaf on its root's raw disk.

All empty overlays on one base are byte for byte equal, so qemu-img makes one and the others
are written from memory. The header names the base by a relative path, for people and tools;
the product never follows it.
"""

from __future__ import annotations

import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.port import Report
from sbctui.engine.disks.sparse import SparseCopy
from sbctui.engine.disks.target import new_disk
from sbctui.engine.disks.tools import check
from sbctui.engine.files import hit
from sbctui.engine.model.node import DiskFormat, StoreKind

_PAGE = 4096
_METADATA = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Template:
    """An empty overlay: its length in bytes and the pages that are not all zero."""

    length: int
    pages: tuple[tuple[int, bytes], ...]


class Overlay:
    """Leaves as qcow2 overlays, roots as sparse raw copies."""

    kind: StoreKind = "overlay"

    def __init__(self) -> None:
        self._templates: dict[tuple[str, int], _Template] = {}
        self._lock = threading.Lock()

    def format(self, *, leaf: bool) -> DiskFormat:
        """qcow2 for a leaf; a root is always raw."""
        return "qcow2" if leaf else "raw"

    def needs(self, allocated: int) -> int:
        """An empty overlay takes a few pages; it grows as its board writes."""
        return _METADATA

    def clone(self, source: Path, target: Path, *, stop: threading.Event, report: Report) -> None:
        """An empty overlay on ``source``; a target that is not ``.qcow2`` is a sparse copy."""
        if target.suffix != ".qcow2":
            SparseCopy().clone(source, target, stop=stop, report=report)
            return
        size = source.stat().st_size
        self.make(source, target, size, stop=stop)
        report(size, size)

    def make(self, base: Path, target: Path, size: int, *, stop: threading.Event) -> None:
        """An empty overlay of ``size`` bytes on ``base``, which may be smaller.

        Raises like ``clone``.
        """
        with new_disk(target, stop) as made:
            template = self._template(base, target, size, stop)
            hit("disk.overlay")
            os.ftruncate(made, template.length)
            for offset, page in template.pages:
                os.pwrite(made, page, offset)

    def _template(self, source: Path, target: Path, size: int, stop: threading.Event) -> _Template:
        backing = os.path.relpath(source, target.parent)
        with self._lock:
            if (backing, size) not in self._templates:
                self._templates[backing, size] = _make_template(target.parent, backing, size, stop)
            return self._templates[backing, size]


def _make_template(folder: Path, backing: str, size: int, stop: threading.Event) -> _Template:
    path = folder / f".overlay-{secrets.token_hex(4)}"
    argv = ["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", backing]
    hit("disk.template")
    try:
        done = commands.run([*argv, path, str(size)], ok=range(256), stop=stop)
        check(done, "making an overlay")
        data = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    pages = ((at, data[at : at + _PAGE]) for at in range(0, len(data), _PAGE))
    return _Template(len(data), tuple((at, page) for at, page in pages if any(page)))
