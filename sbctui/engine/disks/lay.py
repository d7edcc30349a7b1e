"""Laying files over an ext file system without mounting it: all of them, or none.

What stands in the way is found before anything is written. Paths of the image are never followed
through a link of it: a board could have made that lead anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sbctui.engine.disks.debugfs import Entry, Image, quoted
from sbctui.engine.disks.ext4 import Superblock
from sbctui.engine.disks.repair import repair
from sbctui.engine.errors import NoSpace, Refused
from sbctui.engine.model.overlay import parse_path
from sbctui.engine.model.text import clean

_FORMATS = {"file": 0o100000, "link": 0o120000, "folder": 0o040000}
_LONGEST_TARGET = 4095
Kind = Literal["file", "link", "folder", "removed", "absent"]
"""``removed``: no file or link is there. ``absent``: nor a folder, unless something is in it."""
Listing = Mapping[str, Mapping[str, Entry]]
"""Folders (with their first slash) and what is in them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One path (without its first slash) and what is to stand there.

    ``source`` is a plain file name in the image's scratch folder. ``mode`` are permission bits. A
    folder that is there keeps its own mode and owner unless ``set_``.
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


def original(root: Image, paths: Sequence[str]) -> tuple[Piece, ...]:
    """What another file system has at these paths, fetched into its scratch folder.

    A folder there is left as it is. Raises ToolFailed, Cancelled, Refused.
    """
    listing = root.folders(*_above(paths))
    wanted: dict[str, str] = {}
    pieces = []
    for number, path in enumerate(paths):
        there = _entry(listing, path)
        if there is None or _through_link(listing, path):
            pieces.append(Piece(path, "absent"))
        elif there.is_file:
            wanted[f"/{path}"] = f"root-{number}"
            mode = there.mode & 0o7777
            pieces.append(
                Piece(path, "file", mode, there.uid, there.gid, there.size, f"root-{number}")
            )
        elif there.is_link:
            target = root.target(f"/{path}")
            pieces.append(Piece(path, "link", 0o777, there.uid, there.gid, target=target))
    if wanted:
        root.fetch(wanted)
    return tuple(pieces)


def lay(image: Image, facts: Superblock, pieces: Iterable[Piece], whose: str) -> None:
    """Write all pieces; ``whose`` disk it is stands in the refusals.

    Raises Refused and NoSpace before anything is written, ToolFailed.
    """
    wanted = sorted(pieces, key=lambda piece: piece.path)
    absent = [piece.path for piece in reversed(wanted) if piece.kind == "absent"]
    folders = [*_above(piece.path for piece in wanted), *(f"/{path}" for path in absent)]
    work = _Work(image.folders(*dict.fromkeys(folders)), image, whose)
    for path in absent:
        work.take_away(path)
    for piece in wanted:
        if piece.kind != "absent":
            work.put(piece)
    _check_room(wanted, facts, whose)
    if work.script:
        forgotten = bool(work.removed) and image.has_attribute_block(work.removed)
        image.write(work.script)
        if forgotten:
            repair(image.disk, stop=image.stop, log=image.log)


def _above(paths: Iterable[str]) -> list[str]:
    """Every folder on the way to some paths, from the top down, with their first slash."""
    found = {"/": None}
    for path in sorted(paths):
        for place, char in enumerate(path):
            if char == "/":
                found[f"/{path[:place]}"] = None
    return list(found)


def _parent(path: str) -> str:
    return "/" + path.rpartition("/")[0]


def _entry(listing: Listing, path: str) -> Entry | None:
    return listing.get(_parent(path), {}).get(path.rpartition("/")[2])


def _ways(path: str) -> Iterator[str]:
    """Every folder on the way to a path, without the first slash, from the top down."""
    return (path[:place] for place, char in enumerate(path) if char == "/")


def _through_link(listing: Listing, path: str) -> bool:
    return any((way := _entry(listing, above)) and way.is_link for above in _ways(path))


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
        if piece.kind == "folder":
            self._folder(piece, there)
            return
        if there is not None and not there.is_replaceable:
            what = "a folder" if there.is_folder else "neither file nor link"
            raise Refused(f"/{piece.path} is {what} on the disk of {self._whose}; {_INSTEAD}")
        if there is not None:
            self._drop(piece.path)
        if piece.kind == "removed":
            return
        folder, name = _parent(piece.path), piece.path.rpartition("/")[2]
        for way in _ways(piece.path):
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
        there = _entry(self._listing, path)
        if there is None or _through_link(self._listing, path):
            return
        if there.is_replaceable:
            self._drop(path)
        elif there.is_folder and not self._listing.get(f"/{path}", {}).keys() - {".", ".."}:
            self.script.append(f"rmdir {quoted(f'/{path}')}")
            del self._listing[_parent(path)][path.rpartition("/")[2]]

    def _there(self, piece: Piece) -> Entry | None:
        """What stands at a path now. Raises Refused for one that leads elsewhere."""
        for way in _ways(piece.path):
            entry = _entry(self._listing, way)
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
        return _entry(self._listing, piece.path)

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

    def _drop(self, path: str) -> None:
        self.script.append(f"rm {quoted(f'/{path}')}")
        self.removed.append(f"/{path}")
        del self._listing[_parent(path)][path.rpartition("/")[2]]

    def _made(self, piece: Piece) -> None:
        """Owner and mode of what was just made, and that it is there."""
        word = quoted(f"/{piece.path}")
        mode = _FORMATS[piece.kind] | piece.mode
        self.script.append(f"set_inode_field {word} mode 0{mode:o}")
        self.script += [f"set_inode_field {word} uid {piece.uid}"]
        self.script += [f"set_inode_field {word} gid {piece.gid}"]
        parent = self._listing.setdefault(_parent(piece.path), {})
        parent[piece.path.rpartition("/")[2]] = Entry(mode, piece.size, piece.uid, piece.gid)


_INSTEAD = "lay it elsewhere, or change the image"


def _check_room(pieces: Sequence[Piece], facts: Superblock, whose: str) -> None:
    """Raises NoSpace; what is replaced is counted as if it stayed."""
    block = facts.block_size
    made = [piece for piece in pieces if piece.kind in _FORMATS]
    needs = sum(-(-piece.size // block) * block + block for piece in made)
    if needs > facts.free:
        raise NoSpace(
            f"the overlay takes up to {needs} bytes and the disk of {whose} has {facts.free} free; "
            "lay less over it, or make it larger"
        )
    if len(made) > facts.free_inodes:
        raise NoSpace(
            f"the overlay holds {len(made)} files and the disk of {whose} has room for "
            f"{facts.free_inodes} more"
        )
