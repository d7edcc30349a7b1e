"""Repositories with what is in them, as they were seen last, and who has an image. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sbctui.engine.model.repository import Repository, RepositoryImage, stem
from sbctui.engine.model.site import Site


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
    """Who has an image: roots of its name, boards with leaves of these, other repositories."""

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
    root = stem(image.address.image)
    node = site.nodes.get(root)
    there = node is not None and node.is_root
    same: dict[bool, list[str]] = {True: [], False: []}
    for other in shelves:
        if other.name != image.address.repository:
            for one in other.images:
                if one.address.parts == image.address.parts:
                    same[one.size == image.size].append(other.name)
    return Users(
        roots=(root,) if there else (),
        leaves=len(node.config.children) if there and node is not None else 0,
        held=tuple(same[True]),
        other=tuple(same[False]),
        laid=_laid(site, root),
    )


def _laid(site: Site, root: str) -> tuple[str, ...]:
    """For whom files are laid over the image of a root."""
    places = [place for place in sorted(site.overlays) if place.image == root]
    boards = sum(1 for place in places if place.level == "board")
    groups = [place.said for place in places if place.level == "group"]
    told = [f"{boards} board{'' if boards == 1 else 's'}"] if boards else []
    return (*groups, *told)
