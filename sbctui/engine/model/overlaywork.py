"""What can be asked about overlays and groups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sbctui.engine.model.addresses import Group, Mac, RootName, dashed, quietly
from sbctui.engine.model.asked import Asked
from sbctui.engine.model.nodework import Cover
from sbctui.engine.model.overlay import Place, parse_path

OverlayPath = Annotated[str, AfterValidator(quietly(parse_path))]
"""A path in a board's file system."""


class ApplyOverlays(Asked):
    """Lay the files of their overlays over the disks of leaves, or of all those of a group (S4.1).

    With ``again`` also what is there already. ``covers`` are looked at by the facade.
    """

    verb: Literal["overlay apply"] = "overlay apply"
    names: tuple[str, ...] = ()
    group: Group = ""
    again: bool = False
    covers: tuple[Cover, ...] = ()


class _OverlayOf(Asked):
    """One path of the overlay of an image for a group or for a board: one of the two is set.

    ``board`` is a MAC, with or without a leaf.
    """

    target: OverlayPath
    image: RootName
    group: Group = ""
    board: Mac | None = None

    @property
    def place(self) -> Place:
        """The overlay's folder."""
        if self.board is not None:
            return Place("board", dashed(self.board), self.image)
        return Place("group", self.group, self.image)


class AddOverlay(_OverlayOf):
    """Copy ``source``, a file, link or folder, into an overlay.

    ``owner`` is uid:gid, ``mode`` octal, empty for root's and the file's own. ``xattrs`` are
    extended attributes as ``model.xattrs`` writes them, beside its own. ``bytes``, ``files``,
    ``dressed`` (how many bring attributes) and ``there`` (something lies there already) are looked
    at by the facade.
    """

    verb: Literal["overlay add"] = "overlay add"
    source: str
    owner: str = ""
    mode: str = ""
    template: bool = False
    xattrs: dict[str, str] = Field(default_factory=dict)
    bytes: int = 0
    files: int = 0
    dressed: int = 0
    there: bool = False


class HideOverlay(_OverlayOf):
    """Let boards have no such file or folder: the image's own is taken away, for a board also what
    its group lays there.

    What the overlay has there is looked at by the facade: ``there`` a file or link, ``inside`` a
    folder.
    """

    verb: Literal["overlay hide"] = "overlay hide"
    there: bool = False
    inside: bool = False


class RemoveOverlay(_OverlayOf):
    """Take a path out of an overlay. The facade looks what is there: ``stray`` (relative to the
    site) is what goes to the trash, ``row`` that the table says the image's own is removed,
    ``hidden`` that it is, below what goes."""

    verb: Literal["overlay remove"] = "overlay remove"
    stray: str = ""
    row: bool = False
    hidden: bool = False


class SetGroup(Asked):
    """Put nodes into a group; an empty one takes them out of theirs."""

    verb: Literal["group set"] = "group set"
    names: tuple[str, ...]
    group: Group


class RenameGroup(Asked):
    """Give a group another name, with its members, overlays and templates (S4.2).

    With ``merge`` there may be a group of that name: the two become one.
    """

    verb: Literal["group rename"] = "group rename"
    name: Group
    to: RootName
    merge: bool = False


class DeleteGroup(Asked):
    """Take all nodes out of a group; its overlays and templates go to the trash (S4.2)."""

    verb: Literal["group delete"] = "group delete"
    name: Group
