"""What can be asked about repositories and caches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sbctui.engine.model.addresses import RootName
from sbctui.engine.model.archivework import Incoming
from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.distribution import ImageFile
from sbctui.engine.model.nodework import Cover, LeafSpec
from sbctui.engine.model.repositories import Configured


class AddRepository(Asked):
    """Write a repository into the settings (S4.3), or other ones of the same name."""

    verb: Literal["repo add"] = "repo add"
    name: str
    repository: Configured


class RemoveRepository(Asked):
    """Strike a repository from the settings; what is in it stays. ``mounted`` is looked up."""

    verb: Literal["repo remove"] = "repo remove"
    name: str
    mounted: str = ""


class MountRepository(Asked):
    """Mount a repository (S4.6). What is found out: the device of its label, where it goes,
    where it is mounted already, and whether this user may.
    """

    verb: Literal["repo mount"] = "repo mount"
    name: str
    device: str = ""
    point: str = ""
    mounted: str = ""
    allowed: bool = False


class UnmountRepository(Asked):
    """Unmount a repository; fields like ``MountRepository``."""

    verb: Literal["repo unmount"] = "repo unmount"
    name: str
    device: str = ""
    mounted: str = ""
    allowed: bool = False


class IndexRepository(Asked):
    """Make what others need who follow this server's repository: side files, the list of all.

    ``found`` are the images of which side files are missing or out of date.
    """

    verb: Literal["repo index"] = "repo index"
    found: tuple[ImageFile, ...] = ()


class OlderFile(Value):
    """A file of an older tree, relative to it, in bytes; ``taken``: there is one of it already."""

    path: str
    size: int
    taken: bool = False


class ImportTree(Asked):
    """Bring the images of an older flat ``folder`` into this server's repository (S4.11).

    ``near``: it is on the same file system, so nothing has to be copied.
    """

    verb: Literal["repo import-tree"] = "repo import-tree"
    folder: str
    move: bool = False
    files: tuple[OlderFile, ...] = ()
    near: bool = False


class Followed(Value):
    """An image of the repository that a cache follows, beside what the cache has of it.

    ``path`` is below the repository; sizes in bytes, ``mtime`` in epoch seconds. ``sha256`` and
    ``fetch`` (bytes that are not in the cache) are None where only reading it all would tell.
    """

    path: str
    size: int
    mtime: int
    sha256: str | None = None
    fetch: int | None = None
    current: bool = False


class UpdateCache(Asked):
    """Bring a cache up to date with a repository (S4.10): all, a folder, or one image.

    ``check`` also reads what is there already; ``delay`` is the longest random wait before the
    start, in seconds. ``images``, ``room`` (free bytes) and the cache's settings are looked up.
    """

    verb: Literal["cache update"] = "cache update"
    repository: str
    path: str = ""
    cache: str = "cache"
    check: bool = False
    delay: int = Field(default=0, ge=0, le=86400)
    images: tuple[Followed, ...] = ()
    room: int = 0
    drop: bool = False


class CachedRoot(Value):
    """An image of a cache, and what the cache knows of the boards of its root.

    ``path`` is relative to ``images/``; ``boards`` are None where no list of them came along.
    ``newer``: it came into the cache after the root of that name was made here.
    """

    path: str
    root: RootName
    archive: Incoming
    boards: tuple[LeafSpec, ...] | None = None
    newer: bool = False


class ServeCache(Asked):
    """Make what is missing here of a cache's roots and their boards' leaves (S4.7).

    ``images`` are images or folders of them, empty for all. What is looked up: ``found``, one
    image for each root; ``covers`` of leaves that are not there yet, with files of the overlays
    ``brought`` (folders relative to the site) that only the cache has; ``notes``, sentences about
    what is left out.
    """

    verb: Literal["cache serve"] = "cache serve"
    cache: str = "cache"
    images: tuple[str, ...] = ()
    found: tuple[CachedRoot, ...] = ()
    covers: tuple[Cover, ...] = ()
    brought: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class RestoreImage(Asked):
    """Let the former version of a cache's image and the one that stands change places."""

    verb: Literal["cache restore"] = "cache restore"
    path: str
    cache: str = "cache"
    kept: bool = False
