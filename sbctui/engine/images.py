"""The folder of images that an admin keeps: what is in it, and what each would give."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sbctui.engine.disks.image import inspect_image, is_image
from sbctui.engine.disks.packed import packer, unpacked
from sbctui.engine.errors import BadInput, SbcError, from_os
from sbctui.engine.model.text import clean

_TAR = slice(257, 262)
_TREE = ("etc", "usr")
"""Folders by which a root file system's tree is known."""
_ENDINGS = (".img", ".raw", ".iso", ".tar", ".tgz", ".gz", ".xz", ".zst", ".bz2")


@dataclass(frozen=True, slots=True)
class Image:
    """One of them. ``bytes`` is the file's size, ``disk`` that of a root made of it, 0 where only
    making it would tell. ``fault`` says why no root can be made of it.
    """

    name: str
    path: Path
    kind: Literal["image", "tar", "directory", ""]
    packed: str = ""
    bytes: int = 0
    disk: int = 0
    filesystem: str = ""
    fault: str = ""


def image_names(folder: Path) -> tuple[str, ...]:
    """What may be an image in a folder, by name alone, sorted. Raises BadInput, NotPermitted."""
    try:
        with os.scandir(folder) as entries:
            found = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and (entry.name.lower().endswith(_ENDINGS) or _is_tree(Path(entry.path)))
            ]
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(
            f"the folder of images {folder} is not there; name another with: "
            "sbctui image folder PATH"
        ) from None
    except OSError as error:
        raise from_os(error, "looking at the folder of images") from error
    return tuple(sorted(found))


def images(folder: Path) -> tuple[Image, ...]:
    """Every image of a folder, broken ones with the reason. Raises like ``image_names``.

    Looks into each, which takes a moment for packed ones.
    """
    return tuple(_looked_at(folder / name) for name in image_names(folder))


def _looked_at(path: Path) -> Image:
    name = clean(path.name)
    try:
        if path.is_dir():
            return Image(name, path, "directory")
        size = path.stat().st_size
        if size == 0:
            raise BadInput("it is empty; get the file again")
        if is_image(path):
            found = inspect_image(path)
            assert found.layout is not None
            return Image(name, path, "image", found.layout.packed, size, found.layout.root.size,
                         found.layout.filesystem)  # fmt: skip
        if _is_tar(path):
            return Image(name, path, "tar", packer(path), size)
        raise BadInput("it is neither a disk image nor a tar")
    except (SbcError, OSError, EOFError) as error:
        broken = path.stat().st_size if path.is_file() else 0
        return Image(name, path, "", bytes=broken, fault=clean(str(error)))


def _is_tar(path: Path) -> bool:
    with unpacked(path) as read:
        return read(512)[_TAR] == b"ustar"


def _is_tree(path: Path) -> bool:
    return path.is_dir() and all((path / name).is_dir() for name in _TREE)
