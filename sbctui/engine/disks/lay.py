"""Laying files over an ext file system without mounting it: all of them, or none.

What stands in the way is found before anything is written. Paths of the image are never followed
through a link of it: a board could have made that lead anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sbctui.engine.disks.debugfs import Entry, Image, quoted
from sbctui.engine.disks.ext4 import Superblock
from sbctui.engine.disks.repair import repair
from sbctui.engine.errors import NoSpace, Refused
from sbctui.engine.files import write_new
from sbctui.engine.model.amounts import size as told
from sbctui.engine.model.overlay import parse_path
from sbctui.engine.model.overlay_merge import ways
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import Xattrs

_FORMATS = {"file": 0o100000, "link": 0o120000, "folder": 0o040000}
_LONGEST_TARGET = 4095
Kind = Literal["file", "link", "folder", "removed", "absent"]
"""``removed``: nothing is there. ``absent``: nothing but a folder with something in it."""
Listing = Mapping[str, Mapping[str, Entry]]
"""Folders (with their first slash) and what is in them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One path (without its first slash) and what is to stand there.

    ``source`` is a plain file name in the image's scratch folder. ``mode`` are permission bits. A
    folder that is there keeps its own mode and owner unless ``set_``. With ``clears`` what is there
    goes first, also a folder with all in it; else something of another kind is in the way.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    source: str = ""
    target: str = ""
    set_: bool = True
    clears: bool = False
    xattrs: Xattrs = ()


def lay(image: Image, facts: Superblock, pieces: Iterable[Piece], whose: str) -> None:
    """Write all pieces; ``whose`` disk it is stands in the refusals.

    Raises Refused and NoSpace before anything is written, ToolFailed.
    """
    wanted = sorted(pieces, key=lambda piece: piece.path)
    cleared = {piece.path for piece in wanted if piece.clears or piece.kind == "removed"}
    absent = [
        piece.path
        for piece in reversed(wanted)
        if piece.kind == "absent" and not cleared.intersection(ways(piece.path))
    ]
    folders = [*above(piece.path for piece in wanted), *(f"/{path}" for path in absent)]
    work = _Work(image.folders(*dict.fromkeys(folders)), image, whose)
    for path in absent:
        work.take_away(path)
    for piece in wanted:
        if piece.kind != "absent":
            work.put(piece)
    _check_room(wanted, facts, whose)
    _check_attributes(wanted, facts, whose)
    if work.script:
        forgotten = bool(work.removed) and image.has_attribute_block(work.removed)
        image.write(work.script)
        if forgotten:
            repair(image.disk, stop=image.stop, log=image.log)


def above(paths: Iterable[str]) -> list[str]:
    """Every folder on the way to some paths, from the top down, with their first slash."""
    found = {"/": None}
    for path in sorted(paths):
        found |= dict.fromkeys(f"/{way}" for way in ways(path))
    return list(found)


def _parent(path: str) -> str:
    return "/" + path.rpartition("/")[0]


def entry_of(listing: Listing, path: str) -> Entry | None:
    """What is at a path (without its first slash), or None."""
    return listing.get(_parent(path), {}).get(path.rpartition("/")[2])


def through_link(listing: Listing, path: str) -> bool:
    """Whether something on the way to a path is a link."""
    return any((there := entry_of(listing, way)) and there.is_link for way in ways(path))


class _Work:
    """The script that grows, and what the folders hold once it has run so far."""

    def __init__(self, listing: Listing, image: Image, whose: str) -> None:
        self._listing = {folder: dict(entries) for folder, entries in listing.items()}
        self._image = image
        self._whose = whose
        self.script: list[str] = []
        self.removed: list[str] = []

    def put(self, piece: Piece) -> None:
        """Write down what gives one piece. Raises Refused."""
        parse_path(piece.path)
        there = self._there(piece)
        if there is not None and (piece.clears or piece.kind == "removed"):
            self._clear(piece.path, there)
            there = None
        if piece.kind == "removed":
            return
        if piece.kind == "folder":
            self._folder(piece, there)
            return
        if there is not None and not there.is_replaceable:
            what = "a folder" if there.is_folder else "neither file nor link"
            raise Refused(f"/{piece.path} is {what} on the disk of {self._whose}; {_INSTEAD}")
        if there is not None:
            self._drop(piece.path)
        folder, name = _parent(piece.path), piece.path.rpartition("/")[2]
        for way in ways(piece.path):
            if f"/{way}" not in self._listing:
                self._folder(Piece(way, "folder", 0o755), None)
        self.script.append(f"cd {quoted(folder)}")
        if piece.kind == "file":
            self.script.append(f"write {piece.source} {quoted(name)}")
        else:
            if not piece.target or len(piece.target.encode()) > _LONGEST_TARGET:
                raise Refused(f"the link {piece.path} leads to nothing a link can lead to")
            self.script.append(f"symlink {quoted(name)} {quoted(piece.target)}")
        self._made(piece)

    def take_away(self, path: str) -> None:
        """Take a file, a link or an empty folder away, if it is where it seems to be."""
        there = entry_of(self._listing, path)
        if there is None or through_link(self._listing, path):
            return
        if there.is_replaceable:
            self._drop(path)
        elif there.is_folder and not self._listing.get(f"/{path}", {}).keys() - {".", ".."}:
            self._drop(path, "rmdir")

    def _there(self, piece: Piece) -> Entry | None:
        """What stands at a path now. Raises Refused for one that leads elsewhere."""
        for way in ways(piece.path):
            entry = entry_of(self._listing, way)
            if entry is None:
                break
            if entry.is_link:
                leads = clean(self._image.target(f"/{way}"))
                raise Refused(
                    f"/{piece.path} would go through /{way}, which on the disk of {self._whose} is "
                    f"a link to {leads}; lay it where that leads"
                )
            if not entry.is_folder:
                raise Refused(
                    f"/{piece.path} would be inside /{way}, which is no folder on the disk of "
                    f"{self._whose}; {_INSTEAD}"
                )
        return entry_of(self._listing, piece.path)

    def _folder(self, piece: Piece, there: Entry | None) -> None:
        if there is not None and there.is_link:
            leads = clean(self._image.target(f"/{piece.path}"))
            raise Refused(
                f"/{piece.path} is a folder in the overlay and on the disk of {self._whose} a link "
                f"to {leads}; lay it where that leads"
            )
        if there is not None and not there.is_folder:
            raise Refused(
                f"/{piece.path} is a folder in the overlay and none on the disk of {self._whose}; "
                f"{_INSTEAD}"
            )
        if there is None:
            name = piece.path.rpartition("/")[2]
            self.script += [f"cd {quoted(_parent(piece.path))}", f"mkdir {quoted(name)}"]
            self._listing[f"/{piece.path}"] = {}
        if there is None or piece.set_:
            self._made(piece)
        else:
            self._attributes(piece)

    def _clear(self, path: str, there: Entry) -> None:
        """Take away what is at a path, a folder with all in it."""
        if not there.is_folder:
            self._drop(path)
            return
        tree = self._image.tree(f"/{path}")
        self._listing |= {folder: dict(entries) for folder, entries in tree.items()}
        for folder in reversed(list(tree)):
            for name, entry in tree[folder].items():
                if not entry.is_folder:
                    self._drop(f"{folder}/{name}".lstrip("/"))
            self._drop(folder.lstrip("/"), "rmdir")
            del self._listing[folder]

    def _drop(self, path: str, how: Literal["rm", "rmdir"] = "rm") -> None:
        if "/" not in path:
            # debugfs looks for what it unlinks in the folder before the last slash, and for no name
            # there in its current one
            self.script.append("cd /")
        self.script.append(f"{how} {quoted(f'/{path}')}")
        self.removed.append(f"/{path}")
        del self._listing[_parent(path)][path.rpartition("/")[2]]

    def _attributes(self, piece: Piece) -> None:
        """Extended attributes of what is there, each by way of a file in the scratch folder."""
        for name, value in piece.xattrs:
            source = f"attribute-{len(self.script)}"
            write_new(self._image.folder / source, value)
            self.script.append(f"ea_set -f {source} {quoted(f'/{piece.path}')} {name}")

    def _made(self, piece: Piece) -> None:
        """Owner, mode and attributes of what was just made, and that it is there."""
        word = quoted(f"/{piece.path}")
        mode = _FORMATS[piece.kind] | piece.mode
        self.script.append(f"set_inode_field {word} mode 0{mode:o}")
        self.script += [f"set_inode_field {word} uid {piece.uid}"]
        self.script += [f"set_inode_field {word} gid {piece.gid}"]
        self._attributes(piece)
        parent = self._listing.setdefault(_parent(piece.path), {})
        parent[piece.path.rpartition("/")[2]] = Entry(mode, piece.size, piece.uid, piece.gid)


_INSTEAD = "lay it elsewhere, or change the image"


def _check_room(pieces: Sequence[Piece], facts: Superblock, whose: str) -> None:
    """Raises NoSpace; what is replaced is counted as if it stayed."""
    block = facts.block_size
    made = [piece for piece in pieces if piece.kind in _FORMATS]
    needs = sum(
        -(-piece.size // block) * block + block * (1 + bool(piece.xattrs)) for piece in made
    )
    if needs > facts.free:
        raise NoSpace(
            f"the overlay takes up to {told(needs)} and the disk of {whose} has "
            f"{told(facts.free)} free; lay less over it, or make it larger"
        )
    if len(made) > facts.free_inodes:
        raise NoSpace(
            f"the overlay holds {len(made)} files and the disk of {whose} has room for "
            f"{facts.free_inodes} more"
        )


_BLOCK_HEAD, _ENTRY_HEAD, _ALIGNED = 36, 16, 4
"""Bytes in a block of attributes: its header and end mark; each entry's head; what names and values
are rounded up to (Linux, fs/ext4/xattr.h)."""


def _check_attributes(pieces: Sequence[Piece], facts: Superblock, whose: str) -> None:
    """Raises Refused where those of a file are more than a block holds, all that ext4 has."""
    for piece in pieces:
        needs = _BLOCK_HEAD + sum(
            _ENTRY_HEAD
            + -(-len(name) // _ALIGNED) * _ALIGNED
            + -(-len(value) // _ALIGNED) * _ALIGNED
            for name, value in piece.xattrs
        )
        if needs > facts.block_size:
            raise Refused(
                f"the extended attributes of /{piece.path} take {needs} bytes, and on the disk of "
                f"{whose} a file has {facts.block_size} for them; lay fewer or shorter ones"
            )
