"""Actions on images, their side files and their way to many."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.asked import Value
from sbctui.engine.model.distribution import ImageFile, Lab, Offer


class MakeSideFiles(Value):
    """Read an image once and write its side files; the image must not change meanwhile."""

    kind: Literal["side-files"] = "side-files"
    image: str


class PublishImage(Value):
    """Hash the written part of an image, then give it its name and its side files: the commit."""

    kind: Literal["publish-image"] = "publish-image"
    image: str
    replace: bool


class SeedImages(Value):
    """Offer images by torrent until stopped, or until ``receivers`` have each of them.

    ``lasting``: that they are to be seeded is written down once they are, unless it is ``again``,
    and the job ends when it no longer is; ``interface`` is what was asked for, empty for the
    site's own.
    """

    kind: Literal["seed"] = "seed"
    images: tuple[str, ...]
    receivers: int
    lab: Lab
    lasting: bool = False
    again: bool = False
    interface: str = ""


class StopSeeding(Value):
    """Take away that images are to be seeded; the job that does it ends then."""

    kind: Literal["stop-seeding"] = "stop-seeding"
    images: tuple[str, ...]


class SendImage(Value):
    """Send an image by multicast, and hear from the receivers what they got."""

    kind: Literal["send"] = "send"
    image: str
    receivers: int
    wait: int
    rate: str
    retries: int
    lab: Lab


class ReceiveImage(Value):
    """Receive an image as ``.part``, verify it, rename it into place, write its side files.

    ``cache`` is empty for the site's own repository. ``before`` is what is there; without side
    files to tell its contents it is read first, for it may be the image. With ``replace`` other
    contents go; in the own repository they must still be there as they were.
    """

    kind: Literal["receive"] = "receive"
    image: str
    cache: str = ""
    by: Literal["multicast", "torrent"]
    origin: str
    seeder: str = ""
    wait: int
    offer: Offer
    before: ImageFile | None
    replace: bool = False
    lab: Lab
