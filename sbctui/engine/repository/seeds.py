"""Which images are to be seeded: ``repo/seeds/<hash>.json``, one file for each image.

The wish outlives the job that seeds: one that a crash or a restart of the machine ended is begun
again with the services. Who takes the wish away ends the job's seeding of that image too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.files import Owner, fsync_dir, hit, write_atomic
from sbctui.engine.model.distribution import parse_image
from sbctui.engine.model.repository import OWN
from sbctui.engine.repository.keep import make_folders

FOLDER = "seeds"
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Wish:
    """An image to be seeded on an interface (empty: the site's own), until so many have it, or
    with 0 until the wish is taken away.
    """

    image: str
    interface: str = ""
    receivers: int = 0


def wishes(site: Path) -> tuple[Wish, ...]:
    """All of them, by image; what can't be read as one is none."""
    folder = site / OWN / FOLDER
    found = []
    with suppress(OSError):
        for name in os.listdir(folder):
            if not name.startswith(".") and (wish := _read(folder / name)):
                found.append(wish)
    return tuple(sorted(found))


def wanted(site: Path, image: str) -> bool:
    """Whether an image is to be seeded."""
    return _path(site, image).exists()


def want(site: Path, some: Iterable[Wish], owner: Owner) -> None:
    """Have images seeded from now on. Raises OSError."""
    make_folders(site, f"{OWN}/{FOLDER}", owner)
    for one in some:
        said = {"schema": 1, "image": one.image, "interface": one.interface,
                "receivers": one.receivers}  # fmt: skip
        write_atomic(_path(site, one.image), json.dumps(said).encode() + b"\n", owner=owner)


def forget(site: Path, images: Iterable[str]) -> None:
    """Have them seeded no more. Raises OSError."""
    for image in images:
        hit("seeds.forget")
        _path(site, image).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        fsync_dir(site / OWN / FOLDER)


def _path(site: Path, image: str) -> Path:
    return site / OWN / FOLDER / f"{sha256(image.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> Wish | None:
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, BadInput):
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            said = json.loads(file.read(_LONGEST))
        image, interface = parse_image(str(said["image"])), str(said["interface"])
        return Wish(image, interface, int(said["receivers"]))
    return None
