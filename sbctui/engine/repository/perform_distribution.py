"""How side files are made, and images sent and received, as actions of a plan."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.archive.partfile import part_of, publish
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import Cancelled, Refused, SbcError, ServiceFailed
from sbctui.engine.files import (
    fsync_dir,
    fsync_fd,
    hit,
    make_dir,
    rename_noreplace,
    write_all,
)
from sbctui.engine.model.distribution import ImageFile, Offer
from sbctui.engine.plan import MakeSideFiles, PublishImage, ReceiveImage, SeedImages, SendImage
from sbctui.engine.repository import multicast, sidefiles, torrent
from sbctui.engine.repository.origin import torrent as fetched
from sbctui.engine.repository.sidefiles import Digest, Reading, image_path


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
    """Until stopped."""
    offered = []
    for image in action.images:
        _right(ctx, image)
        path = image_path(ctx.site.path, image)
        offered.append((path, fetched(ctx.site.path, image, "")))
    torrent.seed(offered, action.receivers, action.lab, ctx)
    return nothing


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


@dataclass(frozen=True, slots=True)
class _Part:
    """An image being received: held, so that nobody else receives it too."""

    path: Path
    fd: int

    @property
    def image(self) -> str:
        """The name it will have."""
        return self.path.name.removesuffix(".part")

    @property
    def control(self) -> Path:
        """Where aria2 notes which pieces are there."""
        return self.path.with_name(f"{self.path.name}.aria2")

    def remove(self) -> None:
        """Let all that came go."""
        for path in (self.path, self.control):
            path.unlink(missing_ok=True)


def receive(action: ReceiveImage, ctx: Context) -> Undo:
    """It is there, verified, when this returns; what it replaced is gone."""
    path = image_path(ctx.site.path, action.image)
    with _folders(path.parent, ctx), _part(path, ctx) as part:
        digest = (_by_torrent if action.by == "torrent" else _by_multicast)(action, part, ctx)
        with sidefiles.ready(path, digest, ctx.owner) as put:
            _publish(part, path, action.before)
            _put(put, action.image, ctx)
    ctx.found.data["sha256"] = digest.torrent.sha256
    return nothing


@contextmanager
def _folders(folder: Path, ctx: Context) -> Iterator[None]:
    """The folder and those above it; made for nothing, they are gone again."""
    made = []
    for one in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        with suppress(FileExistsError):
            make_dir(one, owner=ctx.owner)
            made.append(one)
    try:
        yield
    except BaseException:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir()
        raise


@contextmanager
def _part(path: Path, ctx: Context) -> Iterator[_Part]:
    """What comes. Left by a kill it stays, for a torrent to go on with; else it is removed."""
    part_path = path.with_name(f"{path.name}.part")
    hit("receive.create")
    fd = os.open(part_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"{path.name} is being received already; see: sbctui job list") from None
        part = _Part(part_path, fd)
        os.fchmod(fd, 0o640)
        if ctx.owner is not None:
            os.fchown(fd, *ctx.owner)
        try:
            yield part
        except ServiceFailed:
            if not part.control.exists():
                part.remove()
            raise
        except BaseException:
            part.remove()
            raise
        part.control.unlink(missing_ok=True)
    finally:
        os.close(fd)


def _by_multicast(action: ReceiveImage, part: _Part, ctx: Context) -> Digest:
    """Hashed as it comes, so that the sender soon hears how it ended."""
    offer = action.offer
    part.control.unlink(missing_ok=True)
    os.ftruncate(part.fd, 0)
    reading = Reading(offer.size)

    def write(data: bytes) -> None:
        write_all(part.fd, data)

    sender: IPv4Address | None = None
    try:
        sender = multicast.receive(write, reading, offer, action.wait, action.lab, ctx)
        _verify(reading.torrent(part.image).offer, offer)
        fsync_fd(part.fd)
    except (SbcError, OSError) as error:
        multicast.acknowledge(sender, offer, action.lab, ctx, str(error))
        raise
    multicast.acknowledge(sender, offer, action.lab, ctx, "")
    return _read_back(part, offer, ctx)


def _by_torrent(action: ReceiveImage, part: _Part, ctx: Context) -> Digest:
    """Goes on with what is there, and is read whole at the end."""
    offered = fetched(ctx.site.path, action.image, action.origin)
    if offered.offer != action.offer:
        raise Refused("the torrent is another one by now; receive it again")
    if not part.control.exists():
        os.ftruncate(part.fd, 0)
    torrent.receive(offered, part.path, action.wait, action.lab, ctx)
    try:
        if os.stat(part.path).st_ino != os.fstat(part.fd).st_ino:
            raise Refused(f"{part.path.name} was replaced while it was received")
        fsync_fd(part.fd)
        digest = _read_back(part, action.offer, ctx)
    except Cancelled:
        raise
    except (SbcError, OSError) as error:
        torrent.acknowledge(action.offer, action.lab, ctx, str(error))
        raise
    torrent.acknowledge(action.offer, action.lab, ctx, "")
    return digest


def _read_back(part: _Part, offer: Offer, ctx: Context) -> Digest:
    """What is on the disk now, for the side files."""
    digest = sidefiles.read(part.path, part.image, ctx.stop, ctx.progress("verifying"))
    _verify(digest.torrent.offer, offer)
    return digest


def _verify(came: Offer, offer: Offer) -> None:
    if came != offer:
        raise SbcError(
            f"what came has the SHA-256 {came.sha256} and not {offer.sha256}, so it is dropped; "
            "receive it again"
        )


def _publish(part: _Part, path: Path, before: ImageFile | None) -> None:
    """The rename that makes it an image. Raises Refused when another one came there meanwhile."""
    if before is None:
        try:
            rename_noreplace(part.path, path)
        except FileExistsError:
            raise Refused(f"{path.name} was put there by somebody else meanwhile") from None
        return
    with suppress(FileNotFoundError):
        now = path.lstat()
        if (now.st_size, now.st_mtime_ns) != (before.size, before.mtime_ns):
            raise Refused(f"{path.name} changed meanwhile; look at it, and receive it again")
    hit("receive.rename")
    part.path.replace(path)
    fsync_dir(path.parent)
