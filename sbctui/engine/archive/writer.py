"""A node as an archive: config.json, boot files, disk and manifest as one stream of frames.

The manifest comes last, since the hashes in it are known only then and nothing is read twice
for them: so an archive can be written into a pipe. What reads it finds the manifest at once by
the table at the end of the file, or holds back what it took until it has come.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sbctui import __version__
from sbctui.engine.archive import tarwrite
from sbctui.engine.archive.format import BOOT, CONFIG, DIFFERENCE, DISK, FORMAT, FRAME, MANIFEST
from sbctui.engine.archive.frames import Packer
from sbctui.engine.archive.manifest import Base, DiskPart, Manifest, MemberSum
from sbctui.engine.archive.ranges import Ranges, read_into, steps
from sbctui.engine.errors import Cancelled
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.requests import Packing

_DISK_MODE, _FILE_MODE = 0o640, 0o644
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Content:
    """What goes into an archive: a config, boot files by their names, and an open disk.

    ``ranges`` of the disk are stored. With ``base`` they are what differs from it.
    """

    config: NodeConfig
    boot: Iterable[tuple[Path, str]]
    disk: int
    ranges: Ranges
    base: Base | None = None


def write_archive(
    content: Content,
    write: Callable[[bytes], None],
    packing: Packing,
    *,
    made: datetime,
    stop: threading.Event,
    report: Report,
) -> Manifest:
    """Write it all, in order; what it was. Raises Cancelled, OSError, BadInput for the level."""
    with Packer(write, packing) as packer:
        out = _Tar(packer, stop)
        out.small(CONFIG, content.config.to_json(), made)
        _boot(out, content.boot, made)
        part = _disk(out, content, report)
        manifest = Manifest(
            format=FORMAT,
            product=f"sbctui {__version__}",
            made=made.astimezone(UTC).replace(microsecond=0),
            name=content.config.name,
            kind=content.config.kind,
            disk=part,
            members=tuple(out.sums),
        )
        out.small(MANIFEST, manifest.to_json(), made)
        packer.put(tarwrite.end(packer.written))
        packer.finish()
    return manifest


class _Tar:
    """Members one after another; each one's bytes are hashed as they pass."""

    def __init__(self, packer: Packer, stop: threading.Event) -> None:
        self.sums: list[MemberSum] = []
        self._packer = packer
        self._stop = stop
        self._hash = hashlib.sha256()
        self._size = 0

    def small(self, name: str, data: bytes, made: datetime) -> None:
        """A member from memory."""
        head = tarwrite.member(name, len(data), mode=_FILE_MODE, mtime=int(made.timestamp()))
        self.begin(head)
        self.put(data)
        self.end(name)

    def begin(self, head: bytes) -> None:
        """A member begins with its headers, a frame of their own."""
        self._packer.put(head)
        self._packer.cut()
        self._hash = hashlib.sha256()
        self._size = 0

    def put(self, data: bytes) -> None:
        """More of the member's bytes."""
        self._hash.update(data)
        self._size += len(data)
        self._packer.put(data)

    def copy(self, fd: int, start: int, end: int) -> None:
        """More of the member's bytes, out of an open file. Raises Cancelled, OSError."""
        while start < end:
            if self._stop.is_set():
                raise Cancelled("stopped while writing an archive; nothing is left of it")
            room = self._packer.room()[: end - start]
            read_into(fd, start, room)
            self._hash.update(room)
            self._size += len(room)
            self._packer.filled(len(room))
            start += len(room)

    def cut(self) -> None:
        """A frame ends here."""
        self._packer.cut()

    def end(self, name: str) -> None:
        """The member ends."""
        self._packer.put(tarwrite.padding(self._size))
        self._packer.cut()
        digest = self._hash.hexdigest()
        self.sums.append(MemberSum(name=name, size=self._size, sha256=digest))


def _boot(out: _Tar, files: Iterable[tuple[Path, str]], made: datetime) -> None:
    folders: set[str] = set()
    for path, name in files:
        for folder in _parents(f"{BOOT}/{name}"):
            if folder not in folders:
                folders.add(folder)
                out.begin(tarwrite.folder(folder, mtime=int(made.timestamp())))
        _file(out, path, f"{BOOT}/{name}")


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def _file(out: _Tar, path: Path, name: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return
        mtime = int(facts.st_mtime)
        out.begin(tarwrite.member(name, facts.st_size, mode=_FILE_MODE, mtime=mtime))
        out.copy(fd, 0, facts.st_size)
        out.end(name)
    finally:
        os.close(fd)


def _disk(out: _Tar, content: Content, report: Report) -> DiskPart:
    facts = os.fstat(content.disk)
    name: Literal["root.img", "root.diff"] = DISK if content.base is None else DIFFERENCE
    ranges = content.ranges
    head = tarwrite.sparse_map(ranges, facts.st_size)
    stored = len(head) + ranges.bytes
    out.begin(
        tarwrite.sparse_member(
            name, stored, facts.st_size, mode=_DISK_MODE, mtime=int(facts.st_mtime)
        )
    )
    out.put(head)
    done, window = 0, -1
    for start, end in ranges:
        for first, last in steps(start, end):
            if first // FRAME != window:
                out.cut()
                window = first // FRAME
            out.copy(content.disk, first, last)
            done += last - first
            report(done, ranges.bytes)
    report(ranges.bytes, ranges.bytes)
    out.end(name)
    return DiskPart(
        file=name,
        size=facts.st_size,
        data=ranges.bytes,
        promise=content.config.promise,
        base=content.base,
    )
