"""What a request about repositories needs to know of the world before it can be planned."""

from __future__ import annotations

import os
import threading
from functools import singledispatch
from pathlib import Path

from sbctui.engine.errors import BadInput, Refused, SbcError, against, from_os
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import IMAGES, OWN, parse_address, parse_path
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.repository import chunks, mounts, sidefiles
from sbctui.engine.repository.fetch import to_fetch
from sbctui.engine.repository.keep import free_bytes, hidden
from sbctui.engine.repository.listing import images_of, none_at
from sbctui.engine.repository.look import look
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.serving import gather_served
from sbctui.engine.repository.source import FolderSource, Source, chunks_of
from sbctui.engine.repository.tree import PREVIOUS

_MOST_OLD = 100_000
"""Files of an older tree that are looked at."""


def gather_repository(site: Site, request: ask.Request) -> ask.Request:
    """The request with what it needs looked up. Raises SbcError."""
    if isinstance(request, ask.ServeCache):
        return gather_served(site, request)
    return _gathered(request, Here(site.path, site.settings))


@singledispatch
def _gathered(request: ask.Request, here: Here) -> ask.Request:
    return request


@_gathered.register
def _(request: ask.RemoveRepository, here: Here) -> ask.Request:
    one = here.known.get(request.name)
    ours = mounts.place_of(here.site, request.name)
    mount = here.mount_of(request.name) if one and one.mountable else None
    mounted = mount.point if mount and mount.point == str(ours) else ""
    return request.model_copy(update={"mounted": mounted})


@_gathered.register
def _(request: ask.MountRepository | ask.UnmountRepository, here: Here) -> ask.Request:
    name = here.name(request.name)
    one = here.known.get(name)
    found: dict[str, object] = {"name": name, "allowed": os.geteuid() == 0}
    if one is not None and one.mountable:
        mount = here.mount_of(name)
        found["mounted"] = mount.point if mount else ""
        if one.label and mount is None and isinstance(request, ask.MountRepository):
            found["device"] = mounts.device_of(one.label, here.labelled).device
        elif mount is not None:
            found["device"] = mount.source
    if isinstance(request, ask.MountRepository):
        found["point"] = str(mounts.place_of(here.site, name))
    return request.model_copy(update=found)


@_gathered.register
def _(request: ask.IndexRepository, here: Here) -> ask.Request:
    found = tuple(one for one in sidefiles.images(here.site) if one.lacking)
    return request.model_copy(update={"found": found})


@_gathered.register
def _(request: ask.ImportTree, here: Here) -> ask.Request:
    folder, root = Path(request.folder), here.site / OWN
    if not folder.is_dir():
        raise BadInput(f"there is no folder {clean(request.folder)}; name one with images")
    try:
        found = list(_older(folder))
        near = folder.stat().st_dev == here.site.stat().st_dev
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"there is no folder {clean(request.folder)}") from None
    except OSError as error:
        raise from_os(error, f"looking at {clean(request.folder)}") from error
    if root.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise Refused(f"{clean(request.folder)} is in the repository already")
    from sbctui.engine.repository.older import by_name

    groups, _ = by_name(path for path, _ in found)
    targets = {path: name for name, paths in groups.items() for path in paths}
    files = tuple(
        ask.OlderFile(
            path=path,
            size=size,
            taken=path in targets
            and (root / IMAGES / targets[path] / os.path.basename(path)).exists(),
        )
        for path, size in found
    )
    return request.model_copy(update={"files": files, "near": near})


def _older(folder: Path) -> list[tuple[str, int]]:
    """Files of a folder, and of those right below it and below its ``images``."""
    found = []
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if depth < 2 and not f.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                found.append((str(path.relative_to(folder)), path.stat().st_size))
        if len(found) > _MOST_OLD:
            raise Refused(f"{clean(str(folder))} has more than {_MOST_OLD} files; name its images")
    return found


@_gathered.register
def _(request: ask.UpdateCache, here: Here) -> ask.Request:
    with against("cache"):
        cache, root = here.cache(request.cache)
    with against("from"):
        return _followed_by(request, here, cache, root)


def _followed_by(request: ask.UpdateCache, here: Here, cache: str, root: Path) -> ask.UpdateCache:
    """With what there is to follow. Raises Refused, NoSuchNode, SbcError."""
    name = here.name(request.repository)
    if name == cache:
        raise Refused(f"a cache can't follow itself; name another repository than {name}")
    parts = parse_path(request.path) if request.path else ()
    folder = here.folder(name)
    seen = look(folder) if folder is not None else None
    if isinstance(seen, SbcError):
        raise seen
    with here.source(name, threading.Event()) as source:
        entries = seen.entries if seen else source.entries((IMAGES,))
        wanted = [
            one for one in images_of(name, entries) if one.address.parts[: len(parts)] == parts
        ]
        if not wanted and parts:
            raise none_at(name, request.path)
        images = tuple(
            _followed(source, root, f"{IMAGES}/{one.address.path}", one.size, one.mtime)
            for one in wanted
        )
    found = {
        "repository": name,
        "cache": cache,
        "images": images,
        "room": free_bytes(root),
        "drop": here.known[cache].full == "lru",
    }
    return request.model_copy(update=found)


def _followed(source: Source, root: Path, path: str, size: int, mtime: int) -> ask.Followed:
    ours = root / path
    have = chunks.known(ours)
    if isinstance(source, FolderSource):
        wanted = chunks.known(source.root / path)
        if wanted is None:
            same = have is not None and have.size == size and int(ours.stat().st_mtime) == mtime
            return ask.Followed(path=path, size=size, mtime=mtime, current=same)
    else:
        wanted = chunks_of(source, path)
    if wanted is None or wanted.size != size:
        raise Refused(
            f"{source.name}:{clean(path)} has no chunks of this version beside it; make them on "
            "that server with: sbctui repo index"
        )
    return ask.Followed(
        path=path,
        size=size,
        mtime=mtime,
        sha256=wanted.sha256,
        fetch=to_fetch(wanted, have),
        current=have is not None and have.sha256 == wanted.sha256,
    )


@_gathered.register
def _(request: ask.RestoreImage, here: Here) -> ask.Request:
    cache, root = here.cache(request.cache)
    path = parse_address(f"{cache}:{request.path}").path
    kept = hidden(root / IMAGES / path, PREVIOUS).exists() if path else False
    return request.model_copy(update={"cache": cache, "path": path, "kept": kept})
