"""The files of images that somebody wants to delete, looked up for the planner."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.errors import NoSuchNode, from_os
from sbctui.engine.model.imagework import DeleteImages, Stored
from sbctui.engine.model.repository import ATTACHED, SIDE_FILES
from sbctui.engine.model.site import Site
from sbctui.engine.repository.sidefiles import image_path


def gather_deleted(site: Site, request: DeleteImages) -> DeleteImages:
    """The request with the files of each image. Raises NoSuchNode, NotPermitted."""
    found = tuple(_stored(site.path, image) for image in dict.fromkeys(request.images))
    return request.model_copy(update={"found": found})


def _stored(site: Path, image: str) -> Stored:
    path = image_path(site, image)
    beside = (path.with_name(path.name + end) for end in (*SIDE_FILES, *ATTACHED))
    try:
        if path.is_symlink() or not path.is_file():
            raise NoSuchNode(f"there is no image repo:{image}; see: sbctui repo tree repo:")
        files = [path, *(one for one in beside if one.is_file() and not one.is_symlink())]
        size = sum(one.stat().st_blocks * 512 for one in files)
    except OSError as error:
        raise from_os(error, f"looking at repo:{image}") from error
    names = tuple(str(one.relative_to(site)) for one in files)
    return Stored(image=image, files=names, bytes=size)
