"""The lists in this server's repository, by which others follow it: of all files, of what these
have of extended attributes, and of boards.

They are there from the first export, or ``repo index``, on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sbctui.engine.files import Owner, write_atomic
from sbctui.engine.model.distribution import HALF
from sbctui.engine.model.repository import IMAGES, INDEX, OWN, is_image
from sbctui.engine.model.site import Site
from sbctui.engine.repository import attributes
from sbctui.engine.repository.boards import board_lists, replace_files
from sbctui.engine.repository.keep import make_folders
from sbctui.engine.repository.tree import BOARDS, TREES, Entry, from_json, to_json, walk

_MOST = 256 * 1024**2


def worth_listing(site: Site) -> bool:
    """Whether there are lists already, or an image to be listed. Raises OSError."""
    root = site.path / OWN
    return (root / INDEX).exists() or any(
        one.kind == "file" and is_image(one.path.rpartition("/")[2])
        for one in walk(root, (IMAGES,))
    )


def write_lists(site: Site, owner: Owner) -> None:
    """Write them as they should be now. Raises OSError."""
    root = site.path / OWN
    make_folders(site.path, f"{OWN}/{IMAGES}", owner)
    make_folders(root, BOARDS, owner)
    lists = {f"{name}.csv": text.encode() for name, text in board_lists(site).items()}
    replace_files(root / BOARDS, lists, owner)
    own = attributes.to_json(attributes.of_files(root))
    if _read(root / attributes.LIST) != own:
        write_atomic(root / attributes.LIST, own, owner=owner)
    write_atomic(root / INDEX, to_json(walk(root)), owner=owner)


def renew_lists(site: Site, owner: Owner) -> None:
    """Write them anew where there are some and they are not right. Raises OSError."""
    if stale_lists(site):
        write_lists(site, owner)


def stale_lists(site: Site) -> tuple[str, ...]:
    """Lists that are not right, relative to the site; none where nothing was ever listed."""
    root = site.path / OWN
    try:
        with open(root / INDEX, "rb") as file:
            told = _known(from_json(file.read(_MOST)))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError):
        told = None
    wrong = _wrong_boards(site, root)
    with suppress(OSError):
        if told is None or told != _known(walk(root)):
            wrong.append(INDEX)
        if _read(root / attributes.LIST) != attributes.to_json(attributes.of_files(root)):
            wrong.append(attributes.LIST)
    return tuple(f"{OWN}/{name}" for name in wrong)


def _known(entries: Iterable[Entry]) -> frozenset[tuple[object, ...]]:
    """What readers go by: of what is laid over images also mode and owner, and where links lead.

    Not what is being received.
    """
    return frozenset(
        (one.path, one.kind, one.size, one.mtime if one.kind == "file" else 0, *_laid(one))
        for one in entries
        if not (one.path.startswith(f"{IMAGES}/") and one.path.endswith(HALF))
    )


def _laid(one: Entry) -> tuple[object, ...]:
    if one.path.partition("/")[0] not in TREES:
        return ()
    return one.mode, one.uid, one.gid, one.target


def _wrong_boards(site: Site, root: Path) -> list[str]:
    wanted = {f"{name}.csv": text.encode() for name, text in board_lists(site).items()}
    there: set[str] = set()
    with suppress(OSError):
        there = set(os.listdir(root / BOARDS))
    off = [name for name, data in wanted.items() if _read(root / BOARDS / name) != data]
    return [f"{BOARDS}/{name}" for name in sorted({*off, *(there - wanted.keys())})]


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
