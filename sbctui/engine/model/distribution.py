"""Images that go to many: their side files, and what seeding, sending and receiving ask.

An image is named by its address: ``repo:sub/dir/image``, or the same without ``repo:``.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.repository import (
    IMAGES,
    OWN,
    ImageAddress,
    is_image,
    parse_address,
    parse_path,
    parse_repository,
)

MADE = (".sha256", ".torrent", ".mcast")
"""Endings of the side files that are made here."""
HALF = (".part", ".part.aria2")
"""Endings beside an image that is being received: what came of it, and what of that is right."""
TRANSFERS = ("repo seed", "repo send", "repo receive")
"""Verbs of the requests that send and receive."""
VERIFIED = "verified"
"""The state of a receiver that has the image, with the right hash."""
JOINED = "joined"
UNDERWAY = (JOINED, "has ")
"""How the states begin of a receiver that is at it."""
_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,62})?(\.[A-Za-z0-9-]{1,63})*")
_HEX = re.compile("[0-9a-f]{64}")
_RATE = re.compile("[1-9][0-9]{0,5}[km]")


def parse_image(text: str) -> str:
    """The path of an image below this site's ``images/``, from its address or as it is.

    Raises BadInput for what is in another repository, or can't be an image.
    """
    repository, colon, _ = text.partition(":")
    if colon and repository != OWN:
        raise BadInput(f"{shown(text)} is not in this site's own repository; bring it there first")
    return parse_receiver(text).path


def parse_receiver(text: str) -> ImageAddress:
    """Where an image is to be received: of this site's own repository, or of a cache.

    Without a repository it is the own one. Raises BadInput for what can't be an image.
    """
    address = parse_address(text) if ":" in text else ImageAddress(OWN, parse_path(text))
    if not address.parts or not is_image(address.image) or address.image.endswith(HALF):
        raise BadInput(f"{shown(text)} can't be an image; write it as repo:sub/dir/image")
    return address


def parse_rate(text: str) -> str:
    """A bit rate as udpcast takes it: ``90m`` or ``500k`` bits a second. Raises BadInput."""
    if not _RATE.fullmatch(text):
        raise BadInput(f"{shown(text)} is no bit rate; write it as 90m or 500k")
    return text


def parse_host(text: str) -> str:
    """A machine by its name (RFC 1123, 2.1) or IPv4 address. Raises BadInput."""
    if not _HOST.fullmatch(text):
        raise BadInput(f"{shown(text)} is no host; name it as server.lab or 10.0.0.1")
    return text


def _host(text: str) -> str:
    try:
        return parse_host(text) if text else ""
    except BadInput as error:
        raise ValueError(str(error)) from None


def _image(text: str) -> str:
    try:
        return parse_image(text)
    except BadInput as error:
        raise ValueError(str(error)) from None


def _cache(text: str) -> str:
    try:
        return parse_repository(text) if text else ""
    except BadInput as error:
        raise ValueError(str(error)) from None


def _digest(text: str) -> str:
    if not _HEX.fullmatch(text):
        raise ValueError(f"{shown(text)} is no SHA-256 in hexadecimal digits")
    return text


Image = Annotated[str, AfterValidator(_image)]
Sha256 = Annotated[str, AfterValidator(_digest)]
"""64 lower-case hexadecimal digits."""


class ImageFile(Value):
    """An image as it lies in the repository.

    ``sha256`` is what its side files say, empty when none can be trusted; ``lacking`` are the
    side files (endings) that are missing or of other contents.
    """

    image: Image
    size: int
    mtime_ns: int
    sha256: str = ""
    lacking: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The file, relative to the site."""
        return f"{OWN}/{IMAGES}/{self.image}"


class Lab(Value):
    """Where to send and listen: an interface of this machine and its address there."""

    interface: str
    address: IPv4Address


class Offer(Value):
    """What is offered to receivers: the contents by size and hash, whatever it is named."""

    size: int = Field(ge=0)
    sha256: Sha256


class MakeSideFiles(Asked):
    """Make the side files of images that lack some; with ``anew`` also where all are right.

    Without ``images`` of all. ``found`` is filled in by the facade.
    """

    verb: Literal["repo sidefiles"] = "repo sidefiles"
    images: tuple[Image, ...] = ()
    anew: bool = False
    found: tuple[ImageFile, ...] = ()


class SeedImages(Asked):
    """Offer images by torrent on the lab's network until stopped.

    With ``receivers``, until so many have each of them. ``interface`` is the site's own when
    empty. ``lasting``: begun again with the services, until that is stopped; ``again``: it is
    that, and nothing is seeded of which it was stopped meanwhile. ``found`` and ``lab`` are filled
    in by the facade.
    """

    verb: Literal["repo seed"] = "repo seed"
    images: tuple[Image, ...] = Field(min_length=1)
    receivers: int = Field(default=0, ge=0, le=1024)
    interface: str = ""
    lasting: bool = False
    again: bool = False
    found: tuple[ImageFile, ...] = ()
    lab: Lab | None = None


class StopSeeding(Asked):
    """Seed images no more, now or with the services; without ``images`` all.

    ``found`` are those of them that are to be seeded, filled in by the facade.
    """

    verb: Literal["repo seed --stop"] = "repo seed --stop"
    images: tuple[Image, ...] = ()
    found: tuple[str, ...] = ()


class SendImage(Asked):
    """Send an image once by multicast to all who listen.

    It begins when ``receivers`` have joined, or ``wait`` seconds after the first; it ends
    without having sent when nobody joined for ``wait`` seconds. ``rate`` limits it, as ``90m``
    bits a second. A receiver that does not answer ``retries`` times is dropped, after about half
    a second each; until then the others wait for it.
    """

    verb: Literal["repo send"] = "repo send"
    image: Image
    receivers: int = Field(default=1, ge=1, le=1024)
    wait: int = Field(default=60, ge=1, le=86400)
    rate: str = ""
    retries: int = Field(default=60, ge=5, le=1000)
    interface: str = ""
    found: ImageFile | None = None
    lab: Lab | None = None


class ReceiveImage(Asked):
    """Receive an image into the repository or a cache, by multicast or torrent, and verify it.

    ``cache`` is empty for this site's own repository. ``origin`` tells what is offered: a side
    file's path, URL or ``host:path``; when empty the side file lies there already. ``seeder`` is
    the host that seeds it in another subnet. It gives up
    when nothing comes for ``wait`` seconds. ``replace`` lets it take the place of other contents;
    a cache follows, so there it needs no leave. ``offer``, ``found`` (what is there now), ``room``
    and ``drop`` (free bytes of the cache, and whether it makes room by itself), ``backup``
    (whether it keeps the former version) and ``lab`` are filled in by the facade.
    """

    verb: Literal["repo receive"] = "repo receive"
    image: Image
    cache: Annotated[str, AfterValidator(_cache)] = ""
    by: Literal["multicast", "torrent"] = "multicast"
    origin: str = ""
    seeder: Annotated[str, AfterValidator(_host)] = ""
    wait: int = Field(default=600, ge=1, le=86400)
    replace: bool = False
    interface: str = ""
    offer: Offer | None = None
    found: ImageFile | None = None
    room: int = 0
    drop: bool = False
    backup: bool = False
    lab: Lab | None = None

    @property
    def address(self) -> str:
        """Where it will stand, in full."""
        return f"{self.cache or OWN}:{self.image}"


Transfer = SeedImages | SendImage | ReceiveImage
Distribution = MakeSideFiles | Transfer | StopSeeding
