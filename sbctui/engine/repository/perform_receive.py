"""How an image is received: into this site's own repository, or into a cache of this machine."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import Cancelled, Refused, SbcError, ServiceFailed
from sbctui.engine.files import fsync_fd, hit, write_all
from sbctui.engine.model.distribution import Offer
from sbctui.engine.model.repository import OWN
from sbctui.engine.plan import ReceiveImage
from sbctui.engine.repository import multicast, sidefiles, torrent
from sbctui.engine.repository.keep import CONTROL
from sbctui.engine.repository.landing import Cache, Own, Place
from sbctui.engine.repository.origin import torrent as fetched
from sbctui.engine.repository.sidefiles import Digest


def receive(action: ReceiveImage, ctx: Context) -> Undo:
    """It is there, verified, when this returns; of what it replaced a cache keeps a copy."""
    place: Place = Cache.of(action, ctx) if action.cache else Own.of(action, ctx)
    with place.held():
        if (digest := _standing(place.path, action, ctx)) is not None:
            sidefiles.write(place.path, digest, ctx.owner, place.last)
        else:
            digest = _received(place, action, ctx)
    ctx.found.data["sha256"] = digest.torrent.sha256
    return nothing


def _standing(path: Path, action: ReceiveImage, ctx: Context) -> Digest | None:
    """The image itself, where a run that was killed had no time for its side files.

    Raises Refused when it is another one that may not be replaced.
    """
    before, offer = action.before, action.offer
    if before is None or before.sha256 or before.size != offer.size:
        return None
    digest = sidefiles.read(path, path.name, ctx.stop, ctx.progress(f"reading {path.name}"))
    if digest.torrent.offer == offer:
        return digest
    if action.replace:
        return None
    raise Refused(f"{path.name} is there with other contents; let it be replaced with --replace")


def _received(place: Place, action: ReceiveImage, ctx: Context) -> Digest:
    with _part(place, ctx) as part:
        digest = (_by_torrent if action.by == "torrent" else _by_multicast)(action, part, ctx)
        with sidefiles.ready(place.path, digest, ctx.owner, place.last) as put:
            place.publish(part.path, lambda: _put(put, action, ctx))
    return digest


def _put(put: Callable[[], None], action: ReceiveImage, ctx: Context) -> None:
    """An image that has its name stands, whatever becomes of its side files."""
    try:
        put()
    except OSError as error:
        address = f"{action.cache or OWN}:{action.image}"
        again = "receive it again" if action.cache else f"sbctui repo sidefiles {address}"
        ctx.warn(f"the side files of {address} are not all there ({error.strerror}): {again}")


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
def _part(place: Place, ctx: Context) -> Iterator[_Part]:
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
        part = _Part(place.growing, fd, place.path, isinstance(place, Cache))
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
    seeder = _address(action.seeder)
    _begin(part, offered.size)
    torrent.receive(offered, part.path, action.wait, seeder, action.lab, ctx)
    try:
        if os.stat(part.path).st_ino != os.fstat(part.fd).st_ino:
            raise Refused(f"{part.path.name} was replaced while it was received")
        fsync_fd(part.fd)
        digest = _read_back(part, action.offer, ctx)
    except Cancelled:
        raise
    except (SbcError, OSError) as error:
        torrent.acknowledge(action.offer, action.lab, ctx, str(error), seeder)
        raise
    torrent.acknowledge(action.offer, action.lab, ctx, "", seeder)
    return digest


def _address(host: str) -> IPv4Address | None:
    """Of a machine by its name; None where none is named. Raises ServiceFailed."""
    if not host:
        return None
    try:
        return IPv4Address(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
    except OSError as error:
        raise ServiceFailed(
            f"{host} is not found ({error.strerror}); name its IPv4 address with --seeder"
        ) from None


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
