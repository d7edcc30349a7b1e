"""The repositories of a site in one list, with health and space; and the images of one."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sbctui.engine.errors import BadInput, NoSuchNode, Refused, SbcError
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.repository import (
    IMAGES,
    OWN,
    SIDE_FILES,
    ImageAddress,
    Repository,
    RepositoryImage,
    Version,
    is_image,
    parse_path,
)
from sbctui.engine.model.text import clean
from sbctui.engine.repository.look import look
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.sftp import SftpSource
from sbctui.engine.repository.tree import PREVIOUS, Entry

_SECONDS = 12.0
"""Seconds that another server may take to tell of itself."""
_NOTHING = "nothing was exported yet"


def names(here: Here) -> tuple[str, ...]:
    """Of all repositories: this server's own, the configured ones, then those by their label."""
    configured = here.settings.repositories
    return (OWN, *sorted(here.known, key=lambda name: (name not in configured, name)))


def repositories(here: Here) -> tuple[Repository, ...]:
    """Every repository, looked at side by side, each for a bounded time."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        return tuple(pool.map(lambda name: repository(here, name), names(here)))


def repository(here: Here, name: str) -> Repository:
    """One repository, looked at for a bounded time. Raises NoSuchNode."""
    one = here.known.get(name)
    if one is None and name != OWN:
        raise NoSuchNode(f"there is no repository {shown(name)}; see: sbctui repo list")
    found = Repository(
        name=name,
        kind=one.kind if one else "own",
        place=one.place if one else str(here.site / OWN),
        state="ready",
        configured=name in here.settings.repositories,
        mountable=bool(one and one.mountable),
    )
    try:
        folder = here.folder(name)
    except Refused as error:
        return _unmounted(here, found, one, str(error))
    return _folder(here, found, folder) if folder is not None else _server(here, found)


def _unmounted(here: Here, found: Repository, one: Configured | None, told: str) -> Repository:
    if one and one.label and all(known.label != one.label for known in here.labelled):
        return replace(found, state="missing", told=f"nothing here has the label {one.label}")
    return replace(found, state="unmounted", told=told)


def _folder(here: Here, found: Repository, folder: Path) -> Repository:
    seen = look(folder)
    if isinstance(seen, SbcError):
        if found.kind == "own" and not os.path.lexists(folder):
            space = shutil.disk_usage(here.site)
            empty = replace(found, total=space.total, free=space.free, told=_NOTHING)
            writable = os.access(here.site, os.W_OK)
            return replace(empty, folder=str(folder), images=0, writable=writable)
        return replace(found, state="unreachable", told=clean(str(seen)), folder=str(folder))
    return replace(
        found,
        folder=str(folder),
        writable=seen.writable,
        total=seen.total,
        free=seen.free,
        images=len(images_of(found.name, seen.entries)),
    )


def _server(here: Here, found: Repository) -> Repository:
    try:
        entries, space = _within(_SECONDS, lambda stop: _asked(here, found.name, stop))
    except SbcError as error:
        return replace(found, state="unreachable", told=clean(str(error)))
    total, free = space or (None, None)
    count = len(images_of(found.name, entries))
    return replace(found, total=total, free=free, images=count)


def _asked(
    here: Here, name: str, stop: threading.Event
) -> tuple[tuple[Entry, ...], tuple[int, int] | None]:
    with here.source(name, stop) as source:
        space = source.space() if isinstance(source, SftpSource) else None
        return source.entries((IMAGES,)), space


def _within(
    seconds: float,
    work: Callable[[threading.Event], tuple[tuple[Entry, ...], tuple[int, int] | None]],
) -> tuple[tuple[Entry, ...], tuple[int, int] | None]:
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    try:
        return work(stop)
    except SbcError as error:
        if stop.is_set():
            raise SbcError(f"it does not answer within {seconds:g} s") from error
        raise
    finally:
        timer.cancel()


def images(here: Here, address: ImageAddress) -> tuple[RepositoryImage, ...]:
    """The images at and below an address, by path.

    Raises SbcError, NoSuchNode for an address at which there are none.
    """
    name = here.name(address.repository)
    folder = here.folder(name)
    if folder is None:
        entries, _ = _within(_SECONDS, lambda stop: _asked(here, name, stop))
    else:
        seen = look(folder)
        if isinstance(seen, SbcError) and (name != OWN or os.path.lexists(folder)):
            raise _elsewhere(name, seen)
        entries = () if isinstance(seen, SbcError) else seen.entries
    found = tuple(
        one
        for one in images_of(name, entries)
        if one.address.parts[: len(address.parts)] == address.parts
    )
    if address.parts and not found:
        raise none_at(name, address.path)
    return found


def _elsewhere(name: str, why: SbcError) -> SbcError:
    """Why a repository can't be looked at, with what else helps."""
    if name == OWN:
        return why
    other = f"mend that, or give {clean(name)} another place: sbctui repo add {clean(name)}"
    return type(why)(f"{why}; {other}")


def none_at(name: str, path: str) -> NoSuchNode:
    """The error for a path of a repository at which there is no image."""
    return NoSuchNode(f"there is no image {clean(path)} in {name}; see: sbctui repo tree {name}:")


def images_of(name: str, entries: Iterable[Entry]) -> tuple[RepositoryImage, ...]:
    """The images among the files of a repository, each with what lies beside it."""
    files = {one.path: one for one in entries if one.kind == "file"}
    beside: dict[str, list[Entry]] = {}
    for path, one in files.items():
        of = path
        while not is_image(of.rpartition("/")[2]) and "." in of:
            of = of.rpartition(".")[0]
            if of in files:
                beside.setdefault(of, []).append(one)
                break
    return tuple(
        _image(name, files[path], beside.get(path, ()), files.get(_former(path)))
        for path in sorted(files)
        if path.startswith(f"{IMAGES}/") and _addressable(path)
    )


def _addressable(path: str) -> bool:
    """Whether a file is one that an address can name, and no side file."""
    try:
        return is_image(parse_path(path)[-1])
    except BadInput:
        return False


def _former(path: str) -> str:
    """Where the version before an image's is kept."""
    folder, _, image = path.rpartition("/")
    return f"{folder}/.{image}{PREVIOUS}"


def _image(name: str, one: Entry, beside: Iterable[Entry], former: Entry | None) -> RepositoryImage:
    endings = {side.path.removeprefix(one.path): side for side in beside}
    return RepositoryImage(
        ImageAddress(name, tuple(one.path.split("/")[1:])),
        one.size,
        one.mtime,
        tuple(sorted(endings)),
        tuple(sorted(e for e, s in endings.items() if e in SIDE_FILES and s.mtime < one.mtime)),
        Version(former.size, former.mtime) if former else None,
    )
