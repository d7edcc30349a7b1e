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

SIDE_FILES = (".sha256", ".torrent", ".mcast")
"""What is made beside each image: the endings of the files' names."""
NO_IMAGES = (*SIDE_FILES, ".chunks", ".part", ".aria2")
"""Endings of names in the tree of images that no image has."""
IMAGES = "repo/images"
"""The folder of this site's own images, relative to the site."""
_OWN = "repo:"
_PART = re.compile(r"[^\x00-\x20\x7f-\x9f/\\\\.-][^\x00-\x1f\x7f-\x9f/\\\\]{0,219}")
_HEX = re.compile("[0-9a-f]{64}")
_RATE = re.compile("[1-9][0-9]{0,5}[km]")


def parse_image(text: str) -> str:
    """The address of an image in this site's repository, without ``repo:``.

    Raises BadInput for another repository, and for names that could lead out of the tree.
    """
    path = text.removeprefix(_OWN)
    parts = path.split("/")
    if ":" in parts[0]:
        raise BadInput(f"{shown(text)} is no image of this site; write it as repo:sub/dir/image")
    if not all(_PART.fullmatch(part) for part in parts) or path.endswith(NO_IMAGES):
        raise BadInput(f"{shown(text)} can't be an image; write it as repo:sub/dir/image")
    return path


def parse_rate(text: str) -> str:
    """A bit rate as udpcast takes it: ``90m`` or ``500k`` bits a second. Raises BadInput."""
    if not _RATE.fullmatch(text):
        raise BadInput(f"{shown(text)} is no bit rate; write it as 90m or 500k")
    return text


def _image(text: str) -> str:
    try:
        return parse_image(text)
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
        return f"{IMAGES}/{self.image}"


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
    empty. ``found`` and ``lab`` are filled in by the facade.
    """

    verb: Literal["repo seed"] = "repo seed"
    images: tuple[Image, ...] = Field(min_length=1)
    receivers: int = Field(default=0, ge=0, le=1024)
    interface: str = ""
    found: tuple[ImageFile, ...] = ()
    lab: Lab | None = None


class SendImage(Asked):
    """Send an image once by multicast to all who listen.

    It begins when ``receivers`` have joined, or ``wait`` seconds after the first; it ends
    without having sent when nobody joined for ``wait`` seconds. ``rate`` limits it, as ``90m``
    bits a second.
    """

    verb: Literal["repo send"] = "repo send"
    image: Image
    receivers: int = Field(default=1, ge=1, le=1024)
    wait: int = Field(default=60, ge=1, le=86400)
    rate: str = ""
    interface: str = ""
    found: ImageFile | None = None
    lab: Lab | None = None


class ReceiveImage(Asked):
    """Receive an image into the repository, by multicast or torrent, and verify it.

    ``origin`` tells what is offered: a side file's path, URL or ``host:path``; when empty the
    side file lies in the repository already. It gives up when nothing comes for ``wait``
    seconds. ``replace`` lets it take the place of other contents. ``offer``, ``found`` (what is
    there now) and ``lab`` are filled in by the facade.
    """

    verb: Literal["repo receive"] = "repo receive"
    image: Image
    by: Literal["multicast", "torrent"] = "multicast"
    origin: str = ""
    wait: int = Field(default=600, ge=1, le=86400)
    replace: bool = False
    interface: str = ""
    offer: Offer | None = None
    found: ImageFile | None = None
    lab: Lab | None = None
