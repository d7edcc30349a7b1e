"""Images by their address ``repo:sub/dir/image``, and the repositories of a site. Pure.

The tree of every repository is the same: ``images/<sub/dir>/<image>``, with side files beside
each image, and ``groups/<group>/<image>/``, ``clients/<client>/<image>/`` with files laid over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sbctui.engine.errors import BadInput, NoSuchNode
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean

OWN = "repo"
"""The alias of this server's own repository, and its folder in the site."""
CACHE = "cache"
"""The alias of the cache of this machine, whatever its name."""
IMAGES, GROUPS, CLIENTS = "images", "groups", "clients"
INDEX = "index.json"
"""At the top of a repository: what is in it, for those who can't list folders (HTTPS)."""
SIDE_FILES = (".sha256", ".torrent", ".mcast", ".chunks")
"""Endings of the files beside an image that are made here, and never out of date."""
ATTACHED = (".md5", ".sig", ".asc", ".desc", ".info", ".macct", ".reg", ".postsync", ".prestart",
            ".zsync")  # fmt: skip
"""Endings of further files about an image, which others made; they go where it goes."""

Kind = Literal["own", "ssh", "https", "nfs", "smb", "folder", "removable", "cache"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}")
_PART = re.compile(r"[^\W_][\w .,+@=~()-]*")
_LONGEST = 230
"""Bytes of a name in a path: with the longest ending it still fits the 255 of a file system."""
_DEEPEST = 16


@dataclass(frozen=True, slots=True, order=True)
class ImageAddress:
    """A place in a repository: an image, a folder of images, or with no parts all of them."""

    repository: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.repository}:{self.path}"

    @property
    def path(self) -> str:
        """Relative to ``images/``, with ``/`` between the parts; empty for all."""
        return "/".join(self.parts)

    @property
    def folder(self) -> str:
        """The folder it stands in, relative to ``images/``."""
        return "/".join(self.parts[:-1])

    @property
    def image(self) -> str:
        """The last part: the image's own file name."""
        return self.parts[-1] if self.parts else ""


LET_DROP = '; make room, or let it drop what was not used for long: full = "lru" in site.toml'
"""What helps a cache that is full and refuses."""


def parse_address(text: str) -> ImageAddress:
    """``repo:sub/dir/image``; ``repo:`` or ``repo`` alone is the whole. Raises BadInput."""
    name, _, path = text.partition(":")
    return ImageAddress(parse_repository(name), parse_path(path) if path else ())


def parse_path(text: str) -> tuple[str, ...]:
    """The parts of a path below ``images/``. Raises BadInput."""
    parts = text.removesuffix("/").split("/")
    if len(parts) > _DEEPEST:
        raise BadInput(f"{shown(text)} is nested too deep; use at most {_DEEPEST} folders")
    return tuple(parse_part(part, text) for part in parts)


def parse_part(part: str, whole: str) -> str:
    """One name in a path of a repository: no ``..``, nothing hidden, no option, no control."""
    fits = _PART.fullmatch(part) and part.isprintable() and part == part.strip()
    if not fits or len(part.encode()) > _LONGEST:
        raise BadInput(
            f"{shown(whole)} is no address of an image; write it as repo:sub/dir/image, each "
            "part beginning with a letter or digit"
        )
    return part


def parse_repository(text: str) -> str:
    """A repository's name, or a removable one's label. Raises BadInput."""
    if not _NAME.fullmatch(text) or text != text.strip():
        raise BadInput(
            f"{shown(text)} can't be a repository's name; use letters, digits, and . _ + - "
            "(an address is written as repo:sub/dir/image)"
        )
    return text


def is_image(name: str) -> bool:
    """Whether a file's name may be an image's: no side file, nothing hidden or in the making."""
    return not name.startswith(".") and not name.endswith(
        (*SIDE_FILES, *ATTACHED, ".part", ".aria2")
    )


def stem(image: str) -> str:
    """The name of the root an image is of, by which files are laid over it."""
    return image.partition(".")[0]


def the_cache(name: str) -> str:
    """A cache as it is spoken of: ``the cache disk``, and ``the cache`` where that is its name."""
    return "the cache" if name == CACHE else f"the cache {clean(name)}"


def resolve(name: str, known: Mapping[str, Kind]) -> str:
    """The repository meant by a name or an alias; ``known`` are all that are there, by name.

    Raises NoSuchNode; BadInput when ``cache`` could be several.
    """
    if name in known:
        return name
    if name == CACHE:
        caches = [one for one, kind in known.items() if kind == "cache"]
        if len(caches) > 1:
            raise BadInput(f"there are several caches, name one: {', '.join(sorted(caches))}")
        if caches:
            return caches[0]
    raise NoSuchNode(f"there is no repository {clean(name)}; see: sbctui repo list")


State = Literal["ready", "unmounted", "missing", "unreachable"]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as it is now. ``told`` is one sentence, empty when all is well.

    ``folder`` is where it can be read on this machine; bytes and counts are None where nobody
    tells them. ``configured`` is False for this server's own, and for what was found by its label.
    """

    name: str
    kind: Kind
    place: str
    state: State
    told: str = ""
    folder: str | None = None
    writable: bool = False
    total: int | None = None
    free: int | None = None
    images: int | None = None
    configured: bool = True
    mountable: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an image: bytes, time of its last change (epoch seconds)."""

    size: int
    mtime: int


@dataclass(frozen=True, slots=True)
class RepositoryImage:
    """An image of a repository: bytes, time of its last change (epoch seconds), files beside it.

    ``stale`` are those of them that are not of this version. ``former`` is the version before,
    which a cache keeps and can bring back.
    """

    address: ImageAddress
    size: int
    mtime: int
    sides: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    former: Version | None = None
