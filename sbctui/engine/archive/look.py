"""What is in an archive, and whether it is what it should be. Nothing of it is written."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.archive.address import kind_of
from sbctui.engine.archive.ahead import Ahead, ahead
from sbctui.engine.archive.fetch import beginning, fetched
from sbctui.engine.archive.format import CONFIG, DISK, MOST_CONFIG
from sbctui.engine.archive.guess import leaf_says
from sbctui.engine.archive.manifest import Manifest, MemberSum
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.archive.places import incoming
from sbctui.engine.archive.reading import Reading, require_manifest
from sbctui.engine.archive.stream import Read
from sbctui.engine.archive.tarread import TarReader
from sbctui.engine.disks.port import Report
from sbctui.engine.errors import SbcError
from sbctui.engine.model.requests import Incoming

_FIRST = 64
"""Members among which a node's archive has its config or disk."""


@dataclass(frozen=True, slots=True)
class Contents:
    """An archive: ``read`` = all of it was read and agrees with the manifest, if it has one.

    ``bytes`` of the file, 0 of a stream; ``disk`` the bytes that a board sees, ``data`` those
    that are stored.
    """

    place: str
    bytes: int
    manifest: Manifest | None
    members: tuple[MemberSum, ...]
    disk: int
    data: int
    read: bool


def looked_at(site: Path, place: str, *, far: bool = False) -> Incoming:
    """An archive to be imported, with what its end and its first members tell.

    Of one that is no file the beginning is read where ``far``, else nothing. Raises BadInput,
    NotPermitted, and with ``far`` ToolFailed, ToolMissing.
    """
    found = incoming(site, place)
    if kind_of(found.place) != "file":
        return found.model_copy(update=_told(beginning(found.place))) if far else found
    manifest = manifest_of(Path(found.place))
    update: dict[str, object] = {}
    if manifest is not None:
        disk = manifest.disk
        base = disk.base.root if disk.base else ""
        update = {"disk": disk.size, "data": disk.data, "base": base}
    if manifest is None or manifest.kind == "leaf":
        with suppress(SbcError, OSError), open(found.place, "rb") as file:
            update |= _says(file.read1)
    return found.model_copy(update=update)


def _told(head: bytes) -> dict[str, object]:
    return _says(io.BytesIO(head).read1)


def _says(read: Read) -> dict[str, object]:
    """Of a leaf's archive: whose it was, and of which root."""
    says = leaf_says(_config_in(read))
    return {"mac": says.mac, "alias": says.alias, "parent": says.parent}


def _config_in(read: Read) -> bytes | None:
    """The config among the first members of an archive; None where it is not there."""
    with suppress(SbcError, OSError), ahead(read, threading.Event()) as stream:
        tar = TarReader(stream)
        for _ in range(_FIRST):
            entry = tar.next()
            if entry is None or entry.name.split("/")[-1] == DISK:
                return None
            parts = _parts(entry.name)
            if len(parts) <= 2 and parts[-1:] == [CONFIG]:
                if entry.what != "file" or entry.size > MOST_CONFIG:
                    return None
                return b"".join(bytes(memory[a:b]) for memory, a, b in tar.pieces())
    return None


def listed(site: Path, place: str, stop: threading.Event, report: Report) -> Contents:
    """What an archive holds: as it says itself where that is at its end, else by reading it all.

    Raises BadInput, Refused, ToolFailed, ToolMissing, NotPermitted, Cancelled, OSError.
    """
    found = incoming(site, place)
    if kind_of(found.place) == "file":
        manifest = manifest_of(Path(found.place))
        if manifest is not None:
            part = manifest.disk
            return Contents(
                found.place, found.bytes, manifest, manifest.members, part.size, part.data, False
            )
    return _read(found, stop, report)


def verified(site: Path, place: str, stop: threading.Event, report: Report) -> Contents:
    """The same of one that was read to its end and is what its manifest says.

    Raises like ``listed``, and Refused without a manifest.
    """
    return _read(incoming(site, place), stop, report, whole=True)


def _read(
    found: Incoming, stop: threading.Event, report: Report, *, whole: bool = False
) -> Contents:
    with _open(found, stop, report) as stream:
        reading = Reading(stream)
        for _ in reading.members():
            pass
    if whole:
        require_manifest(reading)
    assert reading.disk is not None
    entry, sums = reading.disk.entry, tuple(reading.sums.values())
    return Contents(found.place, found.bytes, reading.manifest, sums, entry.real, entry.data, True)


@contextmanager
def _open(found: Incoming, stop: threading.Event, report: Report) -> Iterator[Ahead]:
    done = 0
    with fetched(found.place, stop=stop) as read:

        def counted(size: int) -> bytes:
            nonlocal done
            data = read(size)
            done += len(data)
            report(done, found.bytes)
            return data

        with ahead(counted, stop) as stream:
            yield stream


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of a node, and no image or root file system.

    Only its beginning is read. Raises OSError.
    """
    if not os.path.isfile(path):
        return False
    stop = threading.Event()
    with suppress(SbcError), _first_members(path, stop) as tar:
        for _ in range(_FIRST):
            entry = tar.next()
            if entry is None:
                return False
            parts = _parts(entry.name)
            if len(parts) <= 2 and parts and parts[-1] in (CONFIG, DISK):
                return True
    return False


@contextmanager
def _first_members(path: Path, stop: threading.Event) -> Iterator[TarReader]:
    with fetched(str(path), stop=stop) as read, ahead(read, stop) as stream:
        yield TarReader(stream)


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]
