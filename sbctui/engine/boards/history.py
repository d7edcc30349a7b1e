"""The boots on disk (``state/boots.jsonl``): batches appended, now and then written anew.

A line holds boots as they were at one moment and how far the logs had been read then, so what a
killed writer lost is read from the logs again, and what it wrote is not read twice. A torn line is
as if it were not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sbctui.engine import files
from sbctui.engine.boards.table import Boots
from sbctui.engine.model.boots import Boot, BootNews

NAME = "boots.jsonl"
_MOST = 64 << 20
_GROWTH = 1 << 20
"""Bytes by which the file may grow over twice what it was when written anew."""

Mark = tuple[int, int]
"""How far a log was read: its inode, and the byte behind the last whole line."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One line of the file."""

    boots: tuple[Boot, ...] = ()
    logs: dict[str, Mark] = field(default_factory=dict)


_BATCH = TypeAdapter(Batch)


class History:
    """One site's file; ``owner`` gets it. Not thread-safe."""

    def __init__(self, state: Path, owner: files.Owner = None) -> None:
        self._path = state / NAME
        self._owner = owner
        self._limit = _GROWTH

    def load(self, version: int = 0) -> tuple[Boots, dict[str, Mark]]:
        """The boots, and how far the logs were read. Lines that can't be used are left out."""
        boots, logs = Boots(version=version), {}
        size = 0
        for line in _lines(self._path):
            size += len(line)
            with suppress(ValidationError):
                batch = _BATCH.validate_json(line)
                logs = batch.logs
                for boot in batch.boots:
                    boots.put(boot)
        boots.changed()
        self._limit = 2 * size + _GROWTH
        return boots, logs

    def append(self, boots: Iterable[Boot], logs: dict[str, Mark]) -> bool:
        """Add a batch; whether the file has grown so long that it is better written anew.

        Raises OSError.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self._path, flags, 0o640)
        try:
            end = os.lseek(fd, 0, os.SEEK_END)
            if not end and self._owner is not None:
                os.fchown(fd, *self._owner)
            torn = end and os.pread(fd, 1, end - 1) != b"\n"
            data = (b"\n" if torn else b"") + _BATCH.dump_json(Batch(tuple(boots), logs)) + b"\n"
            with open(fd, "ab", closefd=False) as file:
                file.write(data)
            return end + len(data) > self._limit
        finally:
            os.close(fd)

    def rewrite(self, boots: Boots, logs: dict[str, Mark]) -> None:
        """Replace the file by one batch. Raises OSError."""
        data = _BATCH.dump_json(Batch(boots.since(0).boots, logs)) + b"\n"
        files.write_atomic(self._path, data, owner=self._owner)
        self._limit = 2 * len(data) + _GROWTH


class Kept:
    """The boots as they were last written down, for when nothing follows them.

    The file is read again only when it is another one. Thread-safe.
    """

    def __init__(self, site: Path) -> None:
        self._state = site / "state"
        self._read: tuple[tuple[int, ...], BootNews] | None = None

    def news(self, version: int) -> BootNews:
        """All boots; none when ``version`` is that of the file as it still is."""
        sign, known = _sign(self._state / NAME), self._read
        if known is None or known[0] != sign:
            known = self._read = sign, History(self._state).load()[0].since(0)
        elif known[1].version == version:
            return BootNews(version)
        return known[1]


def _sign(path: Path) -> tuple[int, ...]:
    """What is another when a file is; nothing when there is none."""
    try:
        facts = os.lstat(path)
    except OSError:
        return ()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _lines(path: Path) -> list[bytes]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            return file.read(_MOST).split(b"\n")
    except OSError:
        return []
