"""What a root has, fetched to be laid over a leaf's disk again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sbctui.engine.disks.debugfs import Entry, Image
from sbctui.engine.disks.lay import Listing, Piece, above, entry_of, through_link
from sbctui.engine.model.overlay_merge import Back, within

_MODE = 0o7777


@dataclass(frozen=True, slots=True)
class Original:
    """The pieces, and the paths of devices, pipes and sockets, which can't be given back."""

    pieces: tuple[Piece, ...]
    left: tuple[str, ...] = ()


def original(root: Image, back: Back) -> Original:
    """What another file system has there, fetched into its scratch folder.

    A folder among the single paths is left as it is. Raises ToolFailed, Cancelled, Refused.
    """
    listing = root.folders(*above((*back.paths, *back.folders)))
    trees = {path: root.tree(f"/{path}") for path in back.folders if _is_folder(listing, path)}
    wanted: dict[str, Entry] = {}
    absent = []
    for path in back.paths:
        there = entry_of(listing, path)
        if path in trees or within(path, trees):
            continue
        if there is None or through_link(listing, path):
            absent.append(Piece(path, "absent"))
        elif there.is_replaceable:
            wanted[path] = there
    for top, tree in trees.items():
        there = entry_of(listing, top)
        assert there is not None
        wanted[top] = there
        wanted |= dict(_inside(tree))
    left = tuple(path for path, one in wanted.items() if not _can_be_made(one))
    wanted = {path: one for path, one in wanted.items() if _can_be_made(one)}
    return Original((*absent, *_fetched(root, wanted, set(trees))), left)


def _is_folder(listing: Listing, path: str) -> bool:
    there = entry_of(listing, path)
    return there is not None and there.is_folder and not through_link(listing, path)


def _inside(tree: Listing) -> Iterator[tuple[str, Entry]]:
    for folder, entries in tree.items():
        for name, one in entries.items():
            yield f"{folder}/{name}".lstrip("/"), one


def _can_be_made(one: Entry) -> bool:
    return one.is_folder or one.is_replaceable


def _fetched(root: Image, wanted: dict[str, Entry], tops: set[str]) -> Sequence[Piece]:
    """Pieces; files are fetched together. Folders come as they are, and ``tops`` clear first."""
    dressed = [f"/{path}" for path, one in wanted.items() if not one.is_link]
    xattrs = root.xattrs(dressed) if dressed else {}
    targets = root.targets([f"/{path}" for path, one in wanted.items() if one.is_link])
    sources: dict[str, str] = {}
    pieces = []
    for number, (path, one) in enumerate(wanted.items()):
        mode, own = one.mode & _MODE, xattrs.get(f"/{path}", ())
        if one.is_folder:
            piece = Piece(path, "folder", mode, one.uid, one.gid, clears=path in tops, xattrs=own)
        elif one.is_file:
            source = sources[f"/{path}"] = f"root-{number}"
            piece = Piece(path, "file", mode, one.uid, one.gid, one.size, source, xattrs=own)
        else:
            target = targets[f"/{path}"]
            piece = Piece(path, "link", 0o777, one.uid, one.gid, target=target)
        pieces.append(piece)
    if sources:
        root.fetch(sources)
    return pieces
