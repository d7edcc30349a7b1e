"""Actions on repositories, caches and overlays."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sbctui.engine.model.asked import Value
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.trashname import Place


class MoveFolder(Value):
    """Rename a folder that belongs to a group or an image (relative to the site), over nothing."""

    kind: Literal["move-folder"] = "move-folder"
    path: Place
    to: Place


class ChangeOverlay(Value):
    """Put files into an overlay, in one rename of its folder; undo puts the old folder back.

    ``source`` is a file or folder outside, ``target`` the path on a board. ``owner``, ``mode``,
    ``template``, ``remove``, ``xattrs`` (as text, beside those that the source has) are what the
    table is to say of it; ``forget`` takes its row away.
    """

    kind: Literal["change-overlay"] = "change-overlay"
    place: Place
    target: str
    source: str = ""
    owner: str = ""
    mode: str = ""
    template: bool = False
    remove: bool = False
    forget: bool = False
    xattrs: dict[str, str] = Field(default_factory=dict)


class SetRepository(Value):
    """Write a repository into site.toml, or with ``after`` None strike it; undo reverses it."""

    kind: Literal["set-repository"] = "set-repository"
    name: str
    after: Configured | None


class MountRepository(Value):
    """Mount a repository at ``point``, from ``device`` if it is found by its label."""

    kind: Literal["mount-repository"] = "mount-repository"
    name: str
    repository: Configured
    device: str
    point: str


class UnmountRepository(Value):
    """Unmount a repository; undo mounts it again."""

    kind: Literal["unmount-repository"] = "unmount-repository"
    name: str
    repository: Configured
    device: str
    point: str


class IndexRepository(Value):
    """Write the list of all that is in this server's repository, and the boards of each root.

    A repository without images and lists stays so, unless ``begin``.
    """

    kind: Literal["index-repository"] = "index-repository"
    begin: bool = False


class ImportImage(Value):
    """Bring files of an older tree into ``images/<name>/``; undo takes them out again."""

    kind: Literal["import-image"] = "import-image"
    folder: str
    name: str
    files: tuple[str, ...]
    how: Literal["link", "copy", "move"]


class WaitRandom(Value):
    """Wait for a random time of up to ``seconds``."""

    kind: Literal["wait-random"] = "wait-random"
    seconds: int


class UpdateImage(Value):
    """Bring one image of a cache up to date; ``path`` is below the repository."""

    kind: Literal["update-image"] = "update-image"
    repository: str
    cache: str
    path: str
    mtime: int


class CopyOverlays(Value):
    """Make the files laid over these images (roots' names) the same in a cache.

    With ``all_`` also those of others that the repository has files for.
    """

    kind: Literal["copy-overlays"] = "copy-overlays"
    repository: str
    cache: str
    images: tuple[str, ...]
    all_: bool


class BringOverlay(Value):
    """Copy an overlay of a cache to the same place in the site (relative to it), over nothing."""

    kind: Literal["bring-overlay"] = "bring-overlay"
    cache: str
    place: Place


class RestoreImage(Value):
    """Swap an image of a cache with its former version; undo swaps them again."""

    kind: Literal["restore-image"] = "restore-image"
    cache: str
    path: str
