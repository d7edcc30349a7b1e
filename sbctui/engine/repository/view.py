"""Repositories as somebody looks at them: each by itself, with its images and who has them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sbctui.engine.archive.address import image_at, kind_of
from sbctui.engine.archive.head import NOTHING, Head, head_of
from sbctui.engine.archive.manifest import Manifest
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.archive.places import incoming
from sbctui.engine.errors import BadInput, NoSuchNode, Refused, SbcError, from_os
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.distribution import MADE, Offer
from sbctui.engine.model.node import Origin
from sbctui.engine.model.repositories import kinds
from sbctui.engine.model.repository import (
    IMAGES,
    OWN,
    ImageAddress,
    RepositoryImage,
    parse_address,
    resolve,
)
from sbctui.engine.model.shelf import Shelf
from sbctui.engine.model.text import clean
from sbctui.engine.repository import listing, sidefiles
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.origin import is_far, offered
from sbctui.engine.repository.sidefiles import MCAST, TORRENT
from sbctui.engine.repository.sumfile import made_of


def shelf(here: Here, name: str) -> Shelf:
    """A repository as it is now, looked at for a bounded time. What is wrong is told by it.

    Raises NoSuchNode for one that was forgotten.
    """
    found = listing.repository(here, name)
    if found.state != "ready":
        return Shelf(name, found)
    try:
        images = listing.images(here, ImageAddress(name))
        return Shelf(name, found, _judged(here.site, images) if name == OWN else images)
    except SbcError as error:
        return Shelf(name, replace(found, state="unreachable", told=clean(str(error))))


def _judged(site: Path, images: Iterable[RepositoryImage]) -> tuple[RepositoryImage, ...]:
    """This server's own, whose side files are read: what they hold counts, not how old they are."""
    lacking = {one.image: one.lacking for one in sidefiles.images(site)}
    return tuple(
        replace(
            one,
            stale=tuple(
                sorted(
                    (set(one.stale) - set(MADE))
                    | (set(one.sides) & set(lacking.get(one.address.path, ())))
                )
            ),
        )
        for one in images
    )


def place(here: Here, text: str) -> str:
    """An archive as it was typed, with an image of a repository as the file that it is.

    Raises BadInput, NoSuchNode, Refused for one that is on another server.
    """
    if kind_of(text) != "file" or not _addressed(here, text):
        return text
    address = parse_address(text)
    if not address.parts:
        raise BadInput(f"{shown(text)} is a whole repository; name an image in it")
    return str(folder_of(here, address.repository) / address.path)


def side_file(here: Here, text: str) -> str:
    """The side file of an image that is received, as it was typed: by its full path where it is
    on this machine, ``repo:sub/dir/image.mcast`` too. Raises like ``place``.
    """
    if not text or is_far(text):
        return text
    return os.path.abspath(os.path.expanduser(place(here, text)))


def origin(here: Here, text: str) -> Origin | None:
    """What a node that is made of an archive or image remembers of it; None of a stream.

    Raises BadInput, NoSuchNode, Refused.
    """
    kind = kind_of(text)
    if kind == "stream":
        return None
    last = clean(text.partition("?")[0].rstrip("/").rpartition("/")[2])
    if kind != "file":
        return Origin(image=last.rpartition(":")[2] if kind == "ssh" else last)
    file = Path(place(here, text)).expanduser()
    if _addressed(here, text):
        told = ImageAddress(here.name(text.partition(":")[0]), parse_address(text).parts)
        return made_of(str(told), file)
    image = image_at(here.site, str(file.absolute()))
    return made_of(f"{OWN}:{image}", file) if image else Origin(image=last)


def not_ours(here: Here, text: str) -> None:
    """Come before an export goes to a text with a colon.

    Raises Refused for an image of a repository that is not this server's own, NoSuchNode for one
    of no repository, BadInput for what is on another machine.
    """
    if kind_of(text) in ("ssh", "url"):
        raise BadInput(
            f"{shown(text)} is on another machine: export to - and pipe it there, as "
            "... - | ssh USER@HOST 'cat > FILE'"
        )
    if kind_of(text) == "file" and _addressed(here, text):
        name = resolve(text.partition(":")[0], kinds(here.known))
        if name != OWN:
            raise Refused(
                f"{clean(name)} is not this server's own repository: export to {OWN}:, which "
                "caches follow"
            )


def folder_of(here: Here, text: str) -> Path:
    """The folder of the images of a repository, by its name or alias.

    Raises NoSuchNode, BadInput, Refused.
    """
    name = resolve(text, kinds(here.known))
    folder = here.folder(name)
    if folder is None:
        raise Refused(
            f"{clean(name)} is another server's: bring its images into a cache first, with: "
            f"sbctui cache update {clean(name)}:"
        )
    return folder / IMAGES


def _addressed(here: Here, text: str) -> bool:
    """Whether a text begins with the name of a repository, and is no path.

    Raises NoSuchNode, NoCache or BadInput where it can only be meant for one.
    """
    name, colon, _ = text.partition(":")
    if not colon or "/" in name:
        return False
    try:
        here.name(name)
    except NoSuchNode as error:
        if os.path.lexists(text):
            return False
        raise NoSuchNode(f"{error}; a file of that name is written as ./{clean(text)}") from None
    return True


@dataclass(frozen=True, slots=True)
class Choice:
    """Something in a folder that can be chosen: its name, and what it is in a word or two."""

    name: str
    folder: bool = False
    size: int = 0
    mtime: float = 0.0
    what: str = ""


_MOST = 5000
"""Entries of a folder that are listed."""
_ENDINGS = (
    ((".sha256", ".torrent", ".mcast", ".chunks"), "side file"),
    ((".tar.zst", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.lz4", ".tar"), "archive"),
    ((".img", ".raw", ".img.xz", ".img.gz", ".img.zst"), "disk image"),
    ((".part",), "half-written"),
)


def choices(folder: Path) -> tuple[Choice, ...]:
    """What lies in a folder, folders first; nothing hidden. Raises OSError."""
    found = []
    with os.scandir(folder) as entries:
        for one in entries:
            if not one.name.startswith("."):
                found.append(_choice(one))
            if len(found) >= _MOST:
                break
    return tuple(sorted(found, key=lambda c: (not c.folder, c.name)))


def _choice(one: os.DirEntry[str]) -> Choice:
    try:
        about = one.stat()
        if one.is_dir():
            return Choice(one.name, folder=True, mtime=about.st_mtime)
        if not one.is_file():
            return Choice(one.name, what="no file")
    except OSError as error:
        return Choice(one.name, what=(error.strerror or "").lower())
    what = next((what for ends, what in _ENDINGS if one.name.endswith(ends)), "file")
    return Choice(one.name, size=about.st_size, mtime=about.st_mtime, what=what)


@dataclass(frozen=True, slots=True)
class Preview:
    """An archive before it is taken, without reading it all.

    ``manifest`` is what it says of itself at its end, and where that can't be found ``head`` what
    its first members tell. Both tell nothing of what comes from another machine (``far``).
    ``offer`` is the image that a side file is for, which is received ``by`` multicast or torrent.
    """

    place: str
    bytes: int = 0
    manifest: Manifest | None = None
    head: Head = NOTHING
    far: bool = False
    offer: Offer | None = None
    by: str = ""


def preview(here: Here, text: str) -> Preview:
    """Look at the beginning and the end of an archive, or into a side file.

    Raises BadInput, Refused, NotPermitted.
    """
    found = incoming(here.site, place(here, text))
    if kind_of(found.place) != "file":
        return Preview(found.place, far=True)
    path = Path(found.place)
    for by, ending in (("multicast", MCAST), ("torrent", TORRENT)):
        if path.name.endswith(ending):
            return Preview(found.place, found.bytes, offer=offered(path, str(path), by), by=by)
    try:
        manifest = manifest_of(path)
        head = Head(node=True) if manifest is not None else head_of(path)
    except OSError as error:
        raise from_os(error, f"reading {shown(text)}") from error
    return Preview(found.place, found.bytes, manifest, head)
