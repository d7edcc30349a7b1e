"""The members of an archive into a staging folder, and nowhere else."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from sbctui.engine.archive.ahead import Ahead
from sbctui.engine.archive.format import BOOT, DIFFERENCE
from sbctui.engine.archive.land import land, placed
from sbctui.engine.archive.reading import Member, Reading, require_manifest
from sbctui.engine.disks.port import Report
from sbctui.engine.disks.target import new_disk
from sbctui.engine.errors import NoSpace
from sbctui.engine.files import Owner, hit, sync_tree
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size

_FILE_MODE, _FOLDER_MODE = 0o644, 0o750
_SPARSEST = 50
"""A disk may be this many times as large as what is free: its own tables need about as much."""


def take(
    stream: Ahead,
    folder: Path,
    *,
    unverified: bool,
    owner: Owner,
    stop: threading.Event,
    report: Report,
) -> Reading:
    """Write disk and boot files into the empty staging ``folder`` with its ``boot/``; what it was.

    The caller drops the folder when it raises: BadArchive, Refused without a manifest, NoSpace,
    Cancelled, OSError.
    """
    found = Reading(stream)
    taker = _Taker(folder, found, owner, stop, report)
    try:
        for member in found.members():
            taker.take(member)
        sync_tree(folder / BOOT)
    finally:
        taker.close()
    if not unverified:
        require_manifest(found)
    return found


class _Taker:
    """Writes below one open folder; what was made by others there is never followed."""

    def __init__(
        self, folder: Path, found: Reading, owner: Owner, stop: threading.Event, report: Report
    ) -> None:
        self._folder = folder
        self._found = found
        self._owner = owner
        self._stop = stop
        self._report = report
        self._top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        room = os.fstatvfs(self._top)
        self._free = room.f_bavail * room.f_frsize
        self._inodes = room.f_favail or 1 << 32

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._top)

    def take(self, member: Member) -> None:
        """Write one member. Raises NoSpace before it writes what can't fit."""
        if member.what == "disk":
            self._disk(member)
        elif member.what in ("boot", "folder"):
            self._room(member, member.entry.data)
            self._inodes -= 1
            parts = member.name.split("/")
            if member.what == "boot":
                self._file(parts)
            else:
                os.close(self._open(parts))

    def _room(self, member: Member, needs: int) -> None:
        if needs > self._free or not self._inodes:
            raise NoSpace(
                f"the member {shown(member.entry.name)} takes {size(needs)} and "
                f"{size(self._free)} is free; make room"
            )
        self._free -= needs

    def _disk(self, member: Member) -> None:
        entry = member.entry
        if entry.real > _SPARSEST * self._free:
            raise NoSpace(
                f"the member {shown(entry.name)} is a disk of {size(entry.real)} and "
                f"{size(self._free)} is free, too little for it; make room"
            )
        self._room(member, entry.data)
        zeros = member.name == DIFFERENCE
        hit("archive.disk")
        with new_disk(self._folder / member.name, self._stop) as fd:
            os.ftruncate(fd, entry.real)
            if self._owner is not None:
                os.fchown(fd, *self._owner)
            done = 0
            for place, piece in placed(self._found.pieces(), entry.ranges):
                land(fd, place, piece, zeros=zeros)
                done += piece[2] - piece[1]
                self._report(done, entry.data)
        self._report(entry.data, entry.data)

    def _file(self, parts: list[str]) -> None:
        above = self._open(parts[:-1])
        try:
            hit("archive.file")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(parts[-1], flags, 0o600, dir_fd=above)
            try:
                for memory, first, last in self._found.pieces():
                    view = memoryview(memory)[first:last]
                    while view:
                        view = view[os.write(fd, view) :]
                self._settle(fd, _FILE_MODE)
            finally:
                os.close(fd)
        finally:
            os.close(above)

    def _open(self, parts: list[str]) -> int:
        """A folder below ours, made where it is not there yet."""
        assert parts[0] == BOOT
        fd = os.dup(self._top)
        try:
            for part in parts:
                with suppress(FileExistsError):
                    hit("mkdir")
                    os.mkdir(part, 0o700, dir_fd=fd)
                    self._made(part, fd)
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
                inner = os.open(part, flags, dir_fd=fd)
                os.close(fd)
                fd = inner
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _made(self, part: str, above: int) -> None:
        if self._owner is not None:
            os.chown(part, *self._owner, dir_fd=above, follow_symlinks=False)
        os.chmod(part, _FOLDER_MODE, dir_fd=above)

    def _settle(self, fd: int, mode: int) -> None:
        os.fchmod(fd, mode)
        if self._owner is not None:
            os.fchown(fd, *self._owner)
