"""Whether the images of a repository are what their side files say (S4.12)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.errors import Cancelled, SbcError, from_os
from sbctui.engine.events import Emit, Progress
from sbctui.engine.model.repository import IMAGES, ImageAddress, RepositoryImage
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks
from sbctui.engine.repository.listing import images
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.source import chunks_of
from sbctui.engine.repository.sumfile import told_sum

_STEP = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class ImageFault:
    """What is wrong with an image, and what mends it."""

    address: ImageAddress
    what: str
    remedy: str


def check(
    here: Here, address: ImageAddress, stop: threading.Event, emit: Emit
) -> tuple[ImageFault, ...]:
    """Every fault at and below an address.

    Images on this machine are read to the end; of those elsewhere the side files are looked at.
    Raises Cancelled, SbcError.
    """
    name = here.name(address.repository)
    folder = here.folder(name)
    found: list[ImageFault] = []
    for one in images(here, address):
        found += [_stale(one, ending) for ending in one.stale]
        if folder is None:
            found += _elsewhere(here, name, one, stop)
        else:
            found += _on_disk(folder / IMAGES / one.address.path, one, stop, emit)
    return tuple(found)


def _stale(one: RepositoryImage, ending: str) -> ImageFault:
    return ImageFault(
        one.address, f"its {ending} is older than the image itself", _remedy(one.address)
    )


def _remedy(address: ImageAddress) -> str:
    if address.repository == "repo":
        return "sbctui repo index, if the image was changed on purpose"
    return f"sbctui cache update --check, or make side files where {address.repository} is kept"


def _elsewhere(
    here: Here, name: str, one: RepositoryImage, stop: threading.Event
) -> Iterator[ImageFault]:
    with here.source(name, stop) as source:
        try:
            found = chunks_of(source, f"{IMAGES}/{one.address.path}")
        except SbcError as error:
            yield ImageFault(one.address, str(error), "sbctui repo index, on that server")
            return
    if found is None or found.size != one.size:
        what = "it has no chunks" if found is None else "its chunks are of another version"
        yield ImageFault(one.address, what, "sbctui repo index, on that server")


def _on_disk(
    path: Path, one: RepositoryImage, stop: threading.Event, emit: Emit
) -> Iterator[ImageFault]:
    told = told_sum(path)
    known = chunks.known(path)
    if not told and known is None:
        yield ImageFault(one.address, "it has no hash beside it", _remedy(one.address))
        return
    try:
        real = _hash(path, stop, emit)
    except PermissionError as error:
        raise from_os(error, f"reading {one.address}") from error
    except OSError as error:
        yield ImageFault(one.address, f"it can't be read: {error.strerror}", "restore the image")
        return
    if told and told != real:
        yield ImageFault(one.address, "it is not what its .sha256 says", _remedy(one.address))
    if known is not None and known.sha256 != real:
        where = _first_bad(path, known)
        yield ImageFault(
            one.address, f"it is not what its .chunks say{where}", _remedy(one.address)
        )


def _hash(path: Path, stop: threading.Event, emit: Emit) -> str:
    whole, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        total = os.fstat(file.fileno()).st_size
        buffer = memoryview(bytearray(_STEP))
        while count := file.readinto(buffer):
            if stop.is_set():
                raise Cancelled(f"stopped while reading {clean(path.name)}")
            whole.update(buffer[:count])
            done += count
            emit(Progress(what=clean(path.name), done=done, total=total, at=time.time()))
    return whole.hexdigest()


def _first_bad(path: Path, known: chunks.Chunks) -> str:
    with path.open("rb") as file:
        for one in known.chunks:
            data = chunks.read_at(file.fileno(), one.offset, one.size)
            if hashlib.sha256(data).hexdigest() != one.sha256:
                return f", first at byte {one.offset}"
    return ""
