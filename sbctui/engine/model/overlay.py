"""Files laid over an image, as values: for the boards of a group, and for one board (S4.1).

Of a path that several have, the board's counts before the group's, and that before the image's.
Paths are relative to the board's root directory, without a slash at either end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import Xattrs

Level = Literal["group", "board"]
FOLDERS: Mapping[Level, str] = {"group": "repo/groups", "board": "repo/clients"}
"""Where each level's folders are, relative to the site."""
Kind = Literal["file", "link", "folder", "removed"]
"""``removed``: the image's own is taken away, a folder with all in it."""
OWN = ("etc/hostname", "etc/hosts", "etc/machine-id", "etc/ssh/ssh_host_")
"""Beginnings of paths that are each board's own, as personalising writes them."""
State = Literal["applied", "changed", "new", "gone"]
"""On a leaf's disk as it is; laid, but other than it is now; not laid yet; laid, and no more."""

_MOST_NAME, _MOST_PATH = 255, 4095
"""Bytes of a file's name and of a path (Linux' NAME_MAX, PATH_MAX without its zero)."""


def parse_path(text: str) -> str:
    """A path in a board's file system, without slashes around it.

    Raises BadInput for what could lead elsewhere or can't be a name there.
    """
    path = text.strip("/")
    names = path.split("/")
    if not path or any(name in ("", ".", "..") for name in names):
        raise BadInput(f"{shown(text)} is no path of a file; write it as /etc/motd, without '..'")
    if odd := next((name for name in names if clean(name) != name), None):
        raise BadInput(f"{shown(odd)} has characters that no file of a board should; rename it")
    if long := next((name for name in names if len(name.encode()) > _MOST_NAME), None):
        raise BadInput(f"{shown(long)} is longer than the {_MOST_NAME} bytes of a file's name")
    if len(path.encode()) > _MOST_PATH:
        raise BadInput(f"{shown(path)} is longer than the {_MOST_PATH} bytes of a path")
    return path


def not_hidden(path: str) -> str | None:
    """Why a path can't be hidden with all that may be below it, or None."""
    if not any(own.startswith(f"{path}/") for own in OWN):
        return None
    return (
        f"{path} holds files that are each board's own, as its host name or its keys, and can't be "
        "hidden; hide what is in it"
    )


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One overlay's folder: whose it is, and of which image (a root's name)."""

    level: Level
    owner: str
    image: str

    @property
    def path(self) -> str:
        """The folder, relative to the site."""
        return f"{FOLDERS[self.level]}/{self.owner}/{self.image}"

    @property
    def said(self) -> str:
        """Whose it is, in words."""
        return f"group {self.owner}" if self.level == "group" else "the board"

    @classmethod
    def parse(cls, path: str) -> Place | None:
        """The place with that folder, or None."""
        for level, folder in FOLDERS.items():
            owner, slash, image = path.removeprefix(f"{folder}/").partition("/")
            if path.startswith(f"{folder}/") and slash and "/" not in image:
                return cls(level, owner, image)
        return None


@dataclass(frozen=True, slots=True)
class Item:
    """One path of an overlay. ``content`` is the SHA-256 of a file's bytes, of a template's own.

    ``mode`` are permission bits; a folder that is there already keeps its own unless ``set_``. With
    ``clears`` all that is below it goes first: another overlay's, and the image's.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    content: str = ""
    target: str = ""
    template: bool = False
    set_: bool = False
    clears: bool = False
    xattrs: Xattrs = ()

    @property
    def hides(self) -> bool:
        """Whether nothing of what lies below it is left, a folder with all in it included."""
        return self.clears or self.kind == "removed"

    def digest(self, content: str) -> str:
        """What stands on a disk when this is laid with that content: a hash of all of it."""
        about = f"{self.kind} {self.mode:o} {self.uid} {self.gid} {content}\0{self.target}"
        about += "\0clears" if self.clears else ""
        about += "".join(f"\0{name}={value.hex()}" for name, value in self.xattrs)
        return sha256(about.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Layer:
    """What one overlay's folder holds, by path."""

    place: Place
    items: tuple[Item, ...]

    def counted(self) -> int:
        """How many files, links and removals; folders are only the way to them."""
        return sum(item.kind != "folder" for item in self.items)


@dataclass(frozen=True, slots=True)
class Laid:
    """One path as a board gets it: from where, and whose it hides."""

    item: Item
    place: Place
    hides: tuple[Place, ...] = ()


def fingerprint(layers: Iterable[Layer]) -> str:
    """A hash of all that the layers hold, templates as they are written."""
    return sha256(repr([*layers]).encode()).hexdigest()


class Record(BaseModel):
    """What was laid over a leaf's disk, beside it (docs/on-disk.md): path to ``Item.digest``.

    An empty digest: a change of it was begun. ``hidden`` are the paths at which all was taken away
    that the root has. Unknown keys survive.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    applied: datetime | None = None
    files: dict[str, str] = Field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def begun(self, after: Record) -> Record:
        """As it holds while the disk is being changed to what another record says."""
        same = {path for path, digest in after.files.items() if self.files.get(path) == digest}
        paths = {**self.files, **after.files}
        marked = {path: paths[path] if path in same else "" for path in paths}
        hidden = tuple(sorted({*self.hidden, *after.hidden}))
        return self.model_copy(update={"files": marked, "hidden": hidden})

    def state(self, path: str, digest: str) -> State:
        """How a path that has this digest now stands on the disk."""
        if path not in self.files:
            return "new"
        return "applied" if self.files[path] == digest else "changed"

    def to_json(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json(indent=2, by_alias=True).encode() + b"\n"


RECORD = "overlay.json"
"""The record's name in a leaf's folder."""
