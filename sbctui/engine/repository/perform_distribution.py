"""How side files are made, and images seeded and sent, as actions of a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sbctui.engine.archive.partfile import part_of, publish
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import Refused
from sbctui.engine.model.distribution import ImageFile, Offer
from sbctui.engine.plan import MakeSideFiles, PublishImage, SeedImages, SendImage, StopSeeding
from sbctui.engine.repository import multicast, seeds, sidefiles, torrent
from sbctui.engine.repository.origin import torrent as fetched
from sbctui.engine.repository.sidefiles import image_path


def make_side_files(action: MakeSideFiles, ctx: Context) -> Undo:
    """They are derived, so nothing has to be undone."""
    path = image_path(ctx.site.path, action.image)
    digest = sidefiles.read(path, path.name, ctx.stop, ctx.progress("reading"))
    sidefiles.write(path, digest, ctx.owner)
    ctx.found.data["sha256"] = digest.torrent.sha256
    return nothing


def publish_image(action: PublishImage, ctx: Context) -> Undo:
    """The image gets its name when all that lies beside it is written, but for renames."""
    path = image_path(ctx.site.path, action.image)
    part = part_of(str(path))
    digest = sidefiles.read(part, path.name, ctx.stop, ctx.progress(f"hashing {path.name}"))
    with sidefiles.ready(path, digest, ctx.owner) as put:
        publish(str(path), replace=action.replace)
        _put(put, action.image, ctx)
    ctx.found.data["sha256"] = digest.torrent.sha256
    return nothing


def _put(put: Callable[[], None], image: str, ctx: Context) -> None:
    """An image that has its name stands, whatever becomes of its side files."""
    try:
        put()
    except OSError as error:
        ctx.warn(f"the side files of repo:{image} are not all there ({error.strerror}); make them "
                 f"with: sbctui repo sidefiles repo:{image}")  # fmt: skip


def seed(action: SeedImages, ctx: Context) -> Undo:
    """Until stopped; a lasting one also until nobody wants it any more."""
    site, offered = ctx.site.path, []
    for image in action.images:
        _right(ctx, image)
        path = image_path(site, image)
        offered.append((path, fetched(path, "")))
    names = dict(zip((path for path, _ in offered), action.images, strict=True))

    def begun() -> None:
        if action.again:
            return
        wishes = [seeds.Wish(one, action.interface, action.receivers) for one in action.images]
        seeds.want(site, wishes, ctx.owner)

    def wanted(path: Path) -> bool:
        return seeds.wanted(site, names[path])

    ways = torrent.Ways(begun, wanted) if action.lasting else torrent.Ways()
    if torrent.seed(offered, action.receivers, action.lab, ctx, ways) and action.lasting:
        seeds.forget(site, action.images)
    return nothing


def stop_seeding(action: StopSeeding, ctx: Context) -> Undo:
    """The job that seeds looks for that, and ends."""
    site = ctx.site.path
    before = [one for one in seeds.wishes(site) if one.image in action.images]
    seeds.forget(site, action.images)
    return lambda: seeds.want(site, before, ctx.owner)


def send(action: SendImage, ctx: Context) -> Undo:
    """Once."""
    found = _right(ctx, action.image)
    offer = Offer(size=found.size, sha256=found.sha256)
    path = image_path(ctx.site.path, action.image)
    how = multicast.How(action.receivers, action.wait, action.rate, action.retries)
    multicast.send(path, offer, how, action.lab, ctx)
    return nothing


def _right(ctx: Context, image: str) -> ImageFile:
    """The image, which has side files of what it is now. Raises Refused, NoSuchNode."""
    found = sidefiles.look(ctx.site.path, image)
    if found.lacking:
        raise Refused(f"repo:{image} changed; renew: sbctui repo sidefiles repo:{image}")
    return found
