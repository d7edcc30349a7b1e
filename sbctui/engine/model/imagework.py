"""What is asked about images of this server's own repository, as files."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.distribution import Image


class Stored(Value):
    """An image with all that lies beside it: paths relative to the site, bytes in all."""

    image: Image
    files: tuple[str, ...]
    bytes: int = 0


class DeleteImages(Asked):
    """Move images to the trash, each with its side files. ``found`` is filled in by the facade."""

    verb: Literal["repo delete"] = "repo delete"
    images: tuple[Image, ...] = Field(min_length=1)
    found: tuple[Stored, ...] = ()
