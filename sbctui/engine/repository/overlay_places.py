"""Which overlays are whose, and where they go when that changes. Pure."""

from __future__ import annotations

from sbctui.engine.errors import Refused
from sbctui.engine.model.overlay import FOLDERS, Place
from sbctui.engine.model.site import Site


def image_of(site: Site, leaf: str) -> str:
    """The root whose image a leaf is of; empty for an orphan that does not know it."""
    listed = site.listed_by.get(leaf, ())
    return listed[0] if listed else site.nodes[leaf].config.parent or ""


def places_of(site: Site, leaf: str, group: str, image: str) -> tuple[Place, ...]:
    """Those overlays there are for a leaf, the group's first."""
    wanted = (Place("group", group, image), Place("board", leaf, image))
    return tuple(place for place in wanted if place in site.overlays)


def moved_images(site: Site, old: str, new: str) -> tuple[tuple[str, str], ...]:
    """Overlays of an image that gets another name: from where to where, relative to the site.

    Raises Refused when something is there already.
    """
    pairs = []
    for place in sorted(site.overlays):
        if place.image == old:
            there = type(place)(place.level, place.owner, new)
            if there in site.overlays:
                raise Refused(f"{there.path} is there already; move its files away first")
            pairs.append((place.path, there.path))
    return tuple(pairs)


def of_node(site: Site, name: str) -> tuple[str, ...]:
    """Folders of overlays that go where a node goes: a board's whole folder, or an image's."""
    node = site.nodes.get(name)
    if node is not None and node.is_root:
        return tuple(place.path for place in sorted(site.overlays) if place.image == name)
    mine = any(place.level == "board" and place.owner == name for place in site.overlays)
    return (f"{FOLDERS['board']}/{name}",) if mine else ()


def taken(site: Site, paths: tuple[str, ...]) -> str | None:
    """Which of these folders (of one group or board, or of one image) is there already."""
    for path in paths:
        place = Place.parse(path)
        inside = (one.path for one in site.overlays if one.path.startswith(f"{path}/"))
        if place in site.overlays or any(inside):
            return path
    return None
