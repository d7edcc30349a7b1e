"""Repositories with what is in them, as they were seen last, and who has an image. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sbctui.engine.model.repository import Repository, RepositoryImage, stem
from sbctui.engine.model.site import Node, Site


@dataclass(frozen=True, slots=True)
class Shelf:
    """One repository and its images; ``repository`` is None before the first look at it."""

    name: str
    repository: Repository | None = None
    images: tuple[RepositoryImage, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be read now."""
        return self.repository is not None and self.repository.state == "ready"


@dataclass(frozen=True, slots=True)
class Users:
    """Who has an image: roots made of it, boards with leaves of these, other repositories."""

    roots: tuple[str, ...] = ()
    leaves: int = 0
    held: tuple[str, ...] = ()
    """Repositories with an image at the same place, of the same size."""
    other: tuple[str, ...] = ()
    """Repositories with another version of it."""
    laid: tuple[str, ...] = ()
    """Groups, and boards by how many, that files are laid over it for."""


def users(site: Site, shelves: Iterable[Shelf], image: RepositoryImage) -> Users:
    """Who has an image. Pure."""
    roots = tuple(root.name for root in site.roots if _made_of(root, image))
    leaves = {leaf for name in roots for leaf in site.nodes[name].config.children.values()}
    leaves |= {leaf.name for leaf in site.leaves if leaf.config.origin and _made_of(leaf, image)}
    same: dict[bool, list[str]] = {True: [], False: []}
    for other in shelves:
        if other.name != image.address.repository:
            for one in other.images:
                if one.address.parts == image.address.parts:
                    same[one.size == image.size].append(other.name)
    return Users(
        roots=roots,
        leaves=len(leaves),
        held=tuple(same[True]),
        other=tuple(same[False]),
        laid=_laid(site, {stem(image.address.image), *roots}),
    )


def _made_of(node: Node, image: RepositoryImage) -> bool:
    """Whether a node was made of an image, in whichever repository: paths are the same in all.

    A root that does not know what it was made of is taken for the image of its name.
    """
    origin = node.config.origin
    if origin is None:
        return node.name == stem(image.address.image)
    repository, colon, path = origin.image.partition(":")
    return bool(colon and repository) and path == image.address.path


def _laid(site: Site, roots: set[str]) -> tuple[str, ...]:
    """For whom files are laid over the image of these roots."""
    places = [place for place in sorted(site.overlays) if place.image in roots]
    boards = sum(1 for place in places if place.level == "board")
    groups = [place.said for place in places if place.level == "group"]
    told = [f"{boards} board{'' if boards == 1 else 's'}"] if boards else []
    return (*groups, *told)
