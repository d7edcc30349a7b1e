"""The images of an older flat tree and where they go in ours. Pure.

Flat folders of images were kept by REMBO and myshn (``hdimages``), and by LINBO (linuxmuster.net,
``/srv/linbo``) up to version 4: ``ubuntu.cloop`` or ``ubuntu.qcow2`` stands beside its
``ubuntu.cloop.desc``, ``.info``, ``.macct``, ``.torrent``, ``.md5``, ``.reg``, ``.postsync`` and
``.prestart``, and the differences ``ubuntu.rsync`` or ``ubuntu.qdiff``. LINBO 4.1 has a folder for
each image below ``images``. All of a name goes into one folder of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from sbctui.engine.errors import BadInput
from sbctui.engine.model.repository import parse_part

IMAGES = (
    ".qcow2", ".qdiff", ".cloop", ".rsync", ".squashfs", ".img", ".raw", ".iso", ".vdi", ".vmdk",
    ".vhd", ".vhdx", ".wim", ".tar", ".tgz", ".img.gz", ".img.xz", ".img.zst", ".img.bz2",
    ".raw.gz", ".raw.xz", ".raw.zst", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2",
)  # fmt: skip
"""Endings by which an image of an older tree is known."""


def by_name(paths: Iterable[str]) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """Files of an older tree (relative to it) by the image they belong to, and those of none.

    Sorted. What has the same file name in two folders, or a name no address can have, is among
    those of none.
    """
    found = sorted(paths)
    names = sorted({_image(path) for path in found} - {""}, key=len, reverse=True)
    groups: dict[str, dict[str, str]] = {name: {} for name in sorted(names)}
    rest: list[str] = []
    for path in found:
        file = PurePosixPath(path).name
        of = next((name for name in names if file.startswith(f"{name}.")), None)
        if of is None or not _can_be(file) or file in groups[of]:
            rest.append(path)
        else:
            groups[of][file] = path
    return {name: tuple(files.values()) for name, files in groups.items() if files}, tuple(rest)


def _image(path: str) -> str:
    """The name of the image that a file is, empty when it is none."""
    file = PurePosixPath(path).name
    endings = [ending for ending in IMAGES if file.lower().endswith(ending)]
    name = file[: -len(max(endings, key=len))] if endings else ""
    return name if name and _can_be(name) else ""


def _can_be(name: str) -> bool:
    try:
        parse_part(name, name)
    except BadInput:
        return False
    return True
