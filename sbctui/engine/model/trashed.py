"""What was deleted, as people think of it: an image and the files beside it are one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sbctui.engine.model.repository import ATTACHED, IMAGES, OWN, SIDE_FILES, is_image
from sbctui.engine.model.site import Trashed
from sbctui.engine.model.text import clean

_PLACE = f"{OWN}/{IMAGES}/"


def image_of(entry: Trashed) -> str:
    """The address of the image that it was, as ``repo:sub/dir/image``; empty for anything else."""
    inside = entry.origin.startswith(_PLACE) and is_image(entry.origin.rpartition("/")[2])
    return f"{OWN}:{entry.origin.removeprefix(_PLACE)}" if inside else ""


def told(entry: Trashed) -> str:
    """What is deleted in a word: an image by its address, a node by its folder's name."""
    return clean(image_of(entry) or entry.name)


def gathered(trash: Iterable[Trashed]) -> Mapping[str, tuple[Trashed, ...]]:
    """All of what is in the trash, by folder: each entry with the files that went beside it.

    Those are not named by themselves, unless their image is not there.
    """
    entries = tuple(trash)
    found = {(entry.origin, entry.deleted): entry for entry in entries if entry.origin}
    whole: dict[str, tuple[Trashed, ...]] = {}
    taken: set[str] = set()
    for entry in entries:
        places = [entry.origin + ending for ending in (*SIDE_FILES, *ATTACHED)]
        at = [found.get((place, entry.deleted)) for place in places if image_of(entry)]
        beside = tuple(one for one in at if one is not None)
        whole[entry.folder] = (entry, *beside)
        taken |= {one.folder for one in beside}
    return {folder: all_ for folder, all_ in whole.items() if folder not in taken}
