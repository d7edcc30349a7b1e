"""How an image is received: into this site's own repository, or into a cache of this machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

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
from sbctui.engine.model.repository import IMAGES, OWN
from sbctui.engine.plan import ReceiveImage
from sbctui.engine.repository import chunks, multicast, sidefiles, torrent
from sbctui.engine.repository.keep import (
    CONTROL,
    PART,
    commit,
    hidden,
    locked,
    room_for,
    sweep,
)
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.origin import torrent as fetched
from sbctui.engine.repository.sidefiles import Digest, image_path


def receive(action: ReceiveImage, ctx: Context) -> Undo:
    """It is there, verified, when this returns; of what it replaced a cache keeps a copy."""
    place: _Place = _Cache.of(action, ctx) if action.cache else _Own.of(action, ctx)
    with place.held(), _part(place, ctx) as part:
        digest = (_by_torrent if action.by == "torrent" else _by_multicast)(action, part, ctx)
        with sidefiles.ready(place.path, digest, ctx.owner) as put:
            place.publish(part, lambda: _put(put, action, ctx))
    ctx.found.data["sha256"] = digest.torrent.sha256
    return nothing


def _put(put: Callable[[], None], action: ReceiveImage, ctx: Context) -> None:
    """An image that has its name stands, whatever becomes of its side files."""
    try:
        put()
    except OSError as error:
        address = f"{action.cache or OWN}:{action.image}"
        again = "receive it again" if action.cache else f"sbctui repo sidefiles {address}"
        ctx.warn(f"the side files of {address} are not all there ({error.strerror}): {again}")


class _Place(Protocol):
    """Where an image comes to: its path, and what grows there before it is whole."""

    @property
    def path(self) -> Path:
        """The image."""

    @property
    def growing(self) -> Path:
        """What has come of it."""

    def held(self) -> AbstractContextManager[None]:
        """The folders are there, and nobody else works on the image."""

    def publish(self, part: _Part, sides: Callable[[], None]) -> None:
        """The rename that makes it an image; ``sides`` puts its side files beside it."""


@dataclass(frozen=True, slots=True)
class _Own:
    """In this site's own repository, where nothing is replaced unasked."""

    path: Path
    before: ImageFile | None
    ctx: Context

    @classmethod
    def of(cls, action: ReceiveImage, ctx: Context) -> _Own:
        return cls(image_path(ctx.site.path, action.image), action.before, ctx)

    @property
    def growing(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @contextmanager
    def held(self) -> Iterator[None]:
        with _folders(self.path.parent, self.ctx):
            yield

    def publish(self, part: _Part, sides: Callable[[], None]) -> None:
        """Raises Refused when another one came there meanwhile."""
        self._rename(part)
        sides()

    def _rename(self, part: _Part) -> None:
        if self.before is None:
            try:
                rename_noreplace(part.path, self.path)
            except FileExistsError:
                raise Refused(
                    f"{self.path.name} was put there by somebody else meanwhile"
                ) from None
            return
        with suppress(FileNotFoundError):
            now = self.path.lstat()
            if (now.st_size, now.st_mtime_ns) != (self.before.size, self.before.mtime_ns):
                raise Refused(
                    f"{self.path.name} changed meanwhile; look at it, and receive it again"
                )
        hit("receive.rename")
        part.path.replace(self.path)
        fsync_dir(self.path.parent)


@dataclass(frozen=True, slots=True)
class _Cache:
    """In a cache, under the image's lock: as ``cache update`` brings it there, and so on disk too.

    What an update or another receiver left half-done of it counts: a torrent goes on with it.
    """

    path: Path
    root: Path
    size: int
    drop: bool
    backup: bool
    ctx: Context

    @classmethod
    def of(cls, action: ReceiveImage, ctx: Context) -> _Cache:
        here = Here(ctx.site.path, ctx.site.settings)
        name, root = here.cache(action.cache)
        one = here.known[name]
        path = root / IMAGES / action.image
        return cls(path, root, action.offer.size, one.full == "lru", one.backup, ctx)

    @property
    def growing(self) -> Path:
        return hidden(self.path, PART)

    @contextmanager
    def held(self) -> Iterator[None]:
        with _folders(self.path.parent, self.ctx), locked(self.path, self.ctx.owner):
            sweep(self.path)
            since = self.ctx.site.facts.now
            for gone in room_for(self.path, self.root, self.size, drop=self.drop, since=since):
                self.ctx.warn(f"dropped from the cache, which was full: {gone}")
            chunks.beside(self.growing).unlink(missing_ok=True)
            yield

    def publish(self, part: _Part, sides: Callable[[], None]) -> None:
        commit(self.path, part.path, sides, backup=self.backup)


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


@dataclass(frozen=True, slots=True)
class _Part:
    """An image being received: held, so that nobody else receives it too."""

    path: Path
    fd: int
    image: Path
    resumes: bool

    @property
    def control(self) -> Path:
        """Where aria2 notes which pieces are there."""
        return self.path.with_name(self.path.name + CONTROL)

    def remove(self) -> None:
        """Let all that came go."""
        for path in (self.path, self.control):
            path.unlink(missing_ok=True)


@contextmanager
def _part(place: _Place, ctx: Context) -> Iterator[_Part]:
    """What comes. Left by a kill it stays, for a torrent to go on with; else it is removed."""
    hit("receive.create")
    fd = os.open(place.growing, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                f"{place.path.name} is being received already; see: sbctui job list"
            ) from None
        part = _Part(place.growing, fd, place.path, isinstance(place, _Cache))
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

    def write(data: bytes) -> None:
        write_all(part.fd, data)

    sender: IPv4Address | None = None
    try:
        sender, came = multicast.receive(write, offer, action.wait, action.lab, ctx)
        _verify(came, offer)
        fsync_fd(part.fd)
    except (SbcError, OSError) as error:
        multicast.acknowledge(sender, offer, action.lab, ctx, str(error))
        raise
    multicast.acknowledge(sender, offer, action.lab, ctx, "")
    return _read_back(part, offer, ctx)


def _by_torrent(action: ReceiveImage, part: _Part, ctx: Context) -> Digest:
    """Goes on with what is there, and is read whole at the end."""
    offered = fetched(part.image, action.origin)
    if offered.offer != action.offer:
        raise Refused("the torrent is another one by now; receive it again")
    _begin(part, offered.size)
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


def _begin(part: _Part, size: int) -> None:
    """In a cache any part counts, and is hashed whole; else only what a torrent left does."""
    if part.resumes:
        part.control.unlink(missing_ok=True)
        os.ftruncate(part.fd, min(size, os.fstat(part.fd).st_size))
    elif not part.control.exists():
        os.ftruncate(part.fd, 0)


def _read_back(part: _Part, offer: Offer, ctx: Context) -> Digest:
    """What is on the disk now, for the side files."""
    digest = sidefiles.read(part.path, part.image.name, ctx.stop, ctx.progress("verifying"))
    _verify(digest.torrent.offer, offer)
    return digest


def _verify(came: Offer, offer: Offer) -> None:
    if came != offer:
        raise SbcError(
            f"what came has the SHA-256 {came.sha256} and not {offer.sha256}, so it is dropped; "
            "receive it again"
        )
