"""Where an archive is: a path, a place in the image repository, a stream, another machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.distribution import parse_image
from sbctui.engine.model.repository import IMAGES, OWN

STREAM = "-"
"""Standard input or output."""
ENDINGS: Mapping[str, str] = {
    "zstd": ".tar.zst",
    "none": ".tar",
    "gzip": ".tar.gz",
    "xz": ".tar.xz",
}
"""How an archive's name ends, by its compression."""
Kind = Literal["file", "stream", "ssh", "url"]
_REPO = f"{OWN}:"
_URL = re.compile(r"https?://[^\s/?#]+(?:[/?#]\S*)?")
_REMOTE = re.compile(
    r"((?:[a-z_][a-z0-9_-]*@)(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\])):(.+)"
)


def kind_of(place: str) -> Kind:
    """What a place is: ``-``, ``http(s)://…``, ``USER@HOST:PATH``, else a file."""
    if place == STREAM:
        return "stream"
    if _URL.fullmatch(place):
        return "url"
    return "ssh" if _REMOTE.fullmatch(place) else "file"


def remote(place: str) -> tuple[str, str]:
    """Login and path of ``USER@HOST:PATH``."""
    found = _REMOTE.fullmatch(place)
    if found is None:
        raise BadInput(f"{shown(place)} names no file of another machine; write USER@HOST:PATH")
    return found[1].replace("[", "").replace("]", ""), found[2]


def path_of(site: Path, text: str) -> Path:
    """The file that an argument names: ``repo:sub/dir/image`` lies in the site's repository.

    Raises BadInput for an empty one and one that can't be an image's.
    """
    if not text or "\0" in text:
        raise BadInput(f"{shown(text)} is no file; give a path, or repo:FOLDER/IMAGE")
    if not text.startswith(_REPO):
        return Path(text).expanduser().absolute()
    return site.joinpath(OWN, IMAGES, parse_image(text))


def image_at(site: Path, file: str) -> str:
    """The image that a file is in this site's own repository; empty elsewhere."""
    path, top = Path(file), site / OWN / IMAGES
    if not path.is_relative_to(top):
        return ""
    try:
        return parse_image(str(path.relative_to(top)))
    except BadInput:
        return ""


def addressed(site: Path, file: str) -> str:
    """A file as it is shown: one of this site's own repository by its address."""
    image = image_at(site, file)
    return f"{_REPO}{image}" if image else file
