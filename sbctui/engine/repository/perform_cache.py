"""How each action on a cache is done, and undone."""

from __future__ import annotations

import errno
import random
from pathlib import Path

from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import Cancelled, NoSpace, Refused
from sbctui.engine.files import write_atomic
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.repository import ATTACHED
from sbctui.engine.model.text import clean
from sbctui.engine.plan import BringOverlay, CopyOverlays, RestoreImage, UpdateImage, WaitRandom
from sbctui.engine.repository import attributes, chunks
from sbctui.engine.repository.boards import copy_boards
from sbctui.engine.repository.chunks import Chunks
from sbctui.engine.repository.fetch import Fetch
from sbctui.engine.repository.keep import (
    PART,
    forget_parts,
    hidden,
    locked,
    make_folders,
    restore,
    room_for,
    sha256_of,
    sweep,
    write_sides,
)
from sbctui.engine.repository.mirror import Mirrored, mirror
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.overlay_change import take_overlay
from sbctui.engine.repository.overlay_read import folder_of
from sbctui.engine.repository.source import FolderSource, Source, chunks_of

_ATTACHED_BYTES = 64 * 1024**2


def wait_random(action: WaitRandom, ctx: Context) -> Undo:
    """Many machines that are told the same at the same moment don't ask at the same moment."""
    seconds = random.uniform(0, action.seconds)
    ctx.found.data["waited"] = f"{seconds:.0f}"
    if ctx.stop.wait(seconds):
        raise Cancelled("stopped while waiting to begin")
    return nothing


def update_image(action: UpdateImage, ctx: Context) -> Undo:
    """Bring one image up to date; an older version stands until the new one is whole."""
    here = Here(ctx.site.path, ctx.site.settings)
    name, root = here.cache(action.cache)
    make_folders(root, action.path.rpartition("/")[0], ctx.owner)
    image = root / action.path
    with locked(image, ctx.owner), here.source(action.repository, ctx.stop, ctx.log) as source:
        sweep(image)
        wanted = _wanted(source, action.path, ctx)
        if not _stands(image, wanted, ctx):
            _fetch(action, ctx, source, wanted, (root, here.known[name].backup))
        _attach(source, action.path, image)
    return nothing


def _wanted(source: Source, path: str, ctx: Context) -> Chunks:
    """What the image shall be; of a folder without side files by reading it."""
    if isinstance(source, FolderSource):
        original = source.root / path
        found = chunks.known(original)
        what = f"read {clean(original.name)}"
        return found or chunks.compute(original, ctx.stop, ctx.progress(what))
    found = chunks_of(source, path)
    if found is None:
        raise Refused(
            f"{source.name}:{clean(path)} has no chunks beside it; make them on that server "
            "with: sbctui repo index"
        )
    return found


def _stands(image: Path, wanted: Chunks, ctx: Context) -> bool:
    """Whether the image is there already, by its bytes; then its side files are as well."""
    if not image.is_file() or image.stat().st_size != wanted.size:
        return False
    if sha256_of(image) != wanted.sha256:
        return False
    forget_parts(image)
    if chunks.known(image) != wanted:
        write_sides(image, wanted, ctx.owner)
    return True


def _fetch(
    action: UpdateImage, ctx: Context, source: Source, wanted: Chunks, to: tuple[Path, bool]
) -> None:
    root, backup = to
    one = ctx.site.settings.repositories[action.cache]
    part, since = hidden(root / action.path, PART), ctx.site.facts.now
    for path in room_for(
        root / action.path, root, wanted.size, drop=one.full == "lru", since=since
    ):
        ctx.warn(f"dropped from the cache, which was full: {path}")
    report = ctx.progress(f"fetch {clean(part.name[1:].removesuffix(PART))}")
    job = Fetch(source, action.path, root, wanted, ctx.stop, report, ctx.owner, backup)
    try:
        moved = job.run(action.mtime)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        part.unlink(missing_ok=True)
        raise NoSpace(f"the cache {root} is full; make room, then run it again") from error
    ctx.found.data["fetched"] = str(moved.fetched)
    ctx.found.data["kept"] = str(moved.kept)


def _attach(source: Source, path: str, image: Path) -> None:
    """The files about the image that others made, as they are there."""
    for ending in (".torrent", ".mcast", *ATTACHED):
        data = source.read(path + ending, _ATTACHED_BYTES)
        beside = image.with_name(image.name + ending)
        if data is None:
            beside.unlink(missing_ok=True)
        elif not beside.is_file() or beside.read_bytes() != data:
            write_atomic(beside, data)


def copy_overlays(action: CopyOverlays, ctx: Context) -> Undo:
    """Make what is laid over images the same in the cache."""
    here = Here(ctx.site.path, ctx.site.settings)
    _, root = here.cache(action.cache)
    with here.source(action.repository, ctx.stop, ctx.log) as source:
        if action.all_:
            copy_boards(source, root, ctx.owner)
        done = mirror(source, root, action.images, ctx.stop, all_=action.all_)
    _tell_attributes(root, done, action, ctx)
    ctx.found.data |= {"copied": str(done.copied), "removed": str(done.removed)}
    return nothing


def _tell_attributes(root: Path, done: Mirrored, action: CopyOverlays, ctx: Context) -> None:
    """For those who follow this cache: all of them stand in tables, or nobody knows."""
    if done.silent:
        (root / attributes.LIST).unlink(missing_ok=True)
        ctx.warn(
            f"{clean(action.repository)} does not tell of extended attributes and capabilities "
            "that files put into its overlays by hand have; they are missing in the cache until "
            "this is run again after, on that server: sbctui repo index"
        )
    elif action.all_:
        write_atomic(root / attributes.LIST, attributes.to_json({}), owner=ctx.owner)


def bring_overlay(action: BringOverlay, ctx: Context) -> Undo:
    """Copy an overlay of a cache to its place in the site."""
    place = Place.parse(action.place)
    assert place is not None
    _, root = Here(ctx.site.path, ctx.site.settings).cache(action.cache)
    return take_overlay(folder_of(place, root), place, ctx)


def restore_image(action: RestoreImage, ctx: Context) -> Undo:
    """Swap an image with its former version."""
    _, root = Here(ctx.site.path, ctx.site.settings).cache(action.cache)
    image = root / action.path

    def swap() -> None:
        with locked(image, ctx.owner):
            restore(image, ctx.owner, ctx.stop, ctx.progress(f"read {clean(image.name)}"))

    swap()
    return swap
