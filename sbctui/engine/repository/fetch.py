"""Bringing one image of a cache up to date: only what is nowhere here travels.

The new version grows in a hidden ``.part`` beside the image, and nothing but chunks that were
verified goes into it. So it may be cut off anywhere: what is right in it counts, by its hash.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from sbctui.engine.errors import Cancelled, SbcError
from sbctui.engine.files import Owner, fsync_fd, write_all, write_atomic
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks
from sbctui.engine.repository.chunks import Chunk, Chunks, Report
from sbctui.engine.repository.keep import OLDER, PART, commit, hidden, write_sides
from sbctui.engine.repository.source import Source


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes that came from the repository, and that were here already."""

    fetched: int
    kept: int


@dataclass
class Fetch:
    """One image to bring up to date. ``path`` is relative to source and cache alike."""

    source: Source
    path: str
    root: Path
    wanted: Chunks
    stop: threading.Event
    report: Report
    owner: Owner = None
    backup: bool = True
    _fetched: int = 0
    _done: int = 0
    _stack: ExitStack = field(default_factory=ExitStack)

    @property
    def image(self) -> Path:
        """Where it will stand."""
        return self.root / self.path

    def run(self, mtime: int) -> Moved:
        """Do it, under the image's lock; ``mtime`` is that of the original.

        Raises Cancelled, SbcError, OSError; the image stands as it was then, and what has come
        is kept for the next time.
        """
        part = hidden(self.image, PART)
        with self._stack:
            older = self._set_aside(part)
            fd = self._open(part)
            missing = [c for c in self.wanted.chunks if not self._is_right(fd, c)]
            missing = self._take_local(fd, missing, older)
            self._fetch(fd, missing)
            self._verify(fd, part)
            if self.owner is not None:
                os.fchown(fd, *self.owner)
            os.utime(fd, (mtime, mtime))
            fsync_fd(fd)
        commit(self.image, part, self._sides, backup=self.backup)
        return Moved(self._fetched, self.wanted.size - self._fetched)

    def _sides(self) -> None:
        write_sides(self.image, self.wanted, self.owner)

    def _set_aside(self, part: Path) -> Path:
        """Begin another version beside what was left of one; what is in that counts as well."""
        older, beside = hidden(self.image, OLDER), chunks.beside(part)
        told = beside.read_bytes() if beside.exists() else b""
        if part.exists() and told and told != self.wanted.to_json():
            part.replace(older)
            beside.replace(chunks.beside(older))
        write_atomic(beside, self.wanted.to_json(), owner=self.owner)
        return older

    def _open(self, part: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(part, flags, 0o640)
        self._stack.callback(os.close, fd)
        os.ftruncate(fd, self.wanted.size)
        return fd

    def _is_right(self, fd: int, one: Chunk) -> bool:
        """Whether a chunk stands in the part; one of zeros stands in a hole."""
        self._go_on()
        if _is_hole(fd, one):
            right = one.sha256 == _of_zeros(one.size)
        else:
            right = _matches(one, chunks.read_at(fd, one.offset, one.size))
        if right:
            self._count(one)
        return right

    def _take_local(self, fd: int, missing: list[Chunk], older: Path) -> list[Chunk]:
        """Copy what other files here have; the rest. Read only where it is needed."""
        here: dict[str, tuple[int, int]] = {}
        if missing:
            here |= self._index(older, _read_chunks(older))
            here |= self._index(self.image, chunks.known(self.image), compute=True)
        left = []
        for one in missing:
            self._go_on()
            place = here.get(one.sha256)
            data = chunks.read_at(place[0], place[1], one.size) if place else b""
            if not data or not _matches(one, data):
                left.append(one)
                continue
            self._put(fd, one, data)
        return left

    def _index(
        self, path: Path, of: Chunks | None, *, compute: bool = False
    ) -> dict[str, tuple[int, int]]:
        if not path.is_file():
            return {}
        if of is None and compute:
            of = chunks.compute(path, self.stop, lambda done, total: None)
        if of is None:
            return {}
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._stack.callback(os.close, fd)
        return {one.sha256: (fd, one.offset) for one in of.chunks}

    def _fetch(self, fd: int, missing: list[Chunk]) -> None:
        """Get what is nowhere here, each content once."""
        first: dict[str, Chunk] = {}
        again = [one for one in missing if first.setdefault(one.sha256, one) is not one]
        runs = list(_runs(list(first.values())))
        wanted = [(run[0].offset, run[-1].offset + run[-1].size - run[0].offset) for run in runs]
        got = self.source.ranges(self.path, wanted) if wanted else iter(())
        for run, data in zip(runs, got, strict=True):
            self._fetched += len(data)
            for one in run:
                start = one.offset - run[0].offset
                piece = data[start : start + one.size]
                if not _matches(one, piece):
                    raise self._wrong(one)
                self._put(fd, one, piece)
        for one in again:
            self._put(fd, one, chunks.read_at(fd, first[one.sha256].offset, one.size))

    def _wrong(self, one: Chunk) -> SbcError:
        return SbcError(
            f"{self.source.name}:{clean(self.path)} is not what its chunks say at byte "
            f"{one.offset}; if it was changed there, renew them with: sbctui repo index"
        )

    def _put(self, fd: int, one: Chunk, data: bytes) -> None:
        self._go_on()
        os.lseek(fd, one.offset, os.SEEK_SET)
        write_all(fd, data)
        self._count(one)

    def _verify(self, fd: int, part: Path) -> None:
        """The whole, read once more from the part."""
        whole = hashlib.sha256()
        for at in range(0, self.wanted.size, chunks.LARGEST):
            self._go_on()
            whole.update(chunks.read_at(fd, at, chunks.LARGEST))
        if whole.hexdigest() != self.wanted.sha256:
            part.unlink()
            raise SbcError(
                f"{self.source.name}:{clean(self.path)} as a whole is not what its chunks say; "
                "renew them with: sbctui repo index"
            )

    def _go_on(self) -> None:
        if self.stop.is_set():
            raise Cancelled(f"stopped while fetching {clean(self.path)}; what came is kept")

    def _count(self, one: Chunk) -> None:
        self._done += one.size
        self.report(self._done, self.wanted.size)


def _read_chunks(path: Path) -> Chunks | None:
    try:
        return chunks.parse(chunks.beside(path).read_bytes(), path.name)
    except (OSError, SbcError):
        return None


def _matches(one: Chunk, data: bytes) -> bool:
    return len(data) == one.size and hashlib.sha256(data).hexdigest() == one.sha256


@lru_cache(maxsize=64)
def _of_zeros(size: int) -> str:
    return hashlib.sha256(bytes(size)).hexdigest()


def _is_hole(fd: int, one: Chunk) -> bool:
    try:
        return os.lseek(fd, one.offset, os.SEEK_DATA) >= one.offset + one.size
    except OSError:
        return True  # ENXIO: nothing but a hole up to the end


def _runs(missing: list[Chunk]) -> Iterator[list[Chunk]]:
    """Chunks that follow each other, together as long as may be asked for at once."""
    run: list[Chunk] = []
    for one in missing:
        behind = run and run[-1].offset + run[-1].size == one.offset
        if run and (not behind or one.offset + one.size - run[0].offset > chunks.LARGEST):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def to_fetch(wanted: Chunks, *here: Chunks | None) -> int:
    """Bytes that have to travel when these files are here. An estimate: nothing is read."""
    have = {one.sha256 for of in here if of for one in of.chunks}
    new = {one.sha256: one.size for one in wanted.chunks if one.sha256 not in have}
    return sum(size for digest, size in new.items() if digest != _of_zeros(size))
