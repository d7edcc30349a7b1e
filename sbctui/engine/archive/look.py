"""What is in an archive, and whether it is what it should be. Nothing of it is written."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.archive.address import kind_of
from sbctui.engine.archive.ahead import Ahead, ahead
from sbctui.engine.archive.fetch import beginning, fetched
from sbctui.engine.archive.head import Head, head_in
from sbctui.engine.archive.manifest import Manifest, MemberSum
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.archive.places import incoming
from sbctui.engine.archive.reading import Reading, require_manifest
from sbctui.engine.disks.port import Report
from sbctui.engine.model.requests import Incoming


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

    Of one that is no file the beginning is read where ``far``, else nothing. Raises BadInput, also
    for what does not begin like an archive, NotPermitted, and with ``far`` ToolFailed, ToolMissing.
    """
    found = incoming(site, place)
    if kind_of(found.place) != "file":
        if not far:
            return found
        start = io.BytesIO(beginning(found.place))
        return found.model_copy(update=_says(head_in(start.read1, found.place)))
    manifest = manifest_of(Path(found.place))
    update: dict[str, object] = {}
    if manifest is None or manifest.kind == "leaf":
        with suppress(OSError), open(found.place, "rb") as file:
            update = _says(head_in(file.read1, found.place))
    if manifest is not None:
        disk = manifest.disk
        base = disk.base.root if disk.base else ""
        update |= {"disk": disk.size, "data": disk.data, "base": base}
    return found.model_copy(update=update)


def _says(head: Head) -> dict[str, object]:
    """Of a leaf's archive: whose it was, of which root, and whether it differs from that only."""
    says = head.leaf
    base = says.parent if head.difference else ""
    return {"mac": says.mac, "alias": says.alias, "parent": says.parent, "base": base}


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
