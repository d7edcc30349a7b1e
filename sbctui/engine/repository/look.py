"""A look at a folder in a process of its own, since a dead file server never lets go of who asks.

``python -m sbctui.engine.repository.look FOLDER`` prints one JSON document.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.errors import SbcError, from_os
from sbctui.engine.model.text import clean
from sbctui.engine.repository.tree import IMAGES, Entry, from_json, to_json, walk

_SECONDS = 4.0
"""Seconds in which a file system that works has told what is in a repository."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder: bytes in all and free, whether it can be written, what is in ``images/``, and of
    what is hidden there the former versions.
    """

    total: int
    free: int
    writable: bool
    entries: tuple[Entry, ...]


def look(folder: Path, seconds: float = _SECONDS) -> Seen | SbcError:
    """Look at a repository's folder; why not, when it can't be looked at in that time."""
    told = commands.answer(
        [sys.executable, "-P", "-m", "sbctui.engine.repository.look", str(folder)], seconds
    )
    if told is None:
        return SbcError(f"{folder} does not answer within {seconds:g} s; its server may be down")
    raw = json.loads(told)
    if fault := raw.get("fault"):
        return _failed(folder, OSError(*fault))
    return Seen(raw["total"], raw["free"], raw["writable"], from_json(told, former=True))


def _failed(folder: Path, error: OSError) -> SbcError:
    if isinstance(error, PermissionError):
        return from_os(error, f"reading {clean(str(folder))}")
    return SbcError(f"{clean(str(folder))} can't be read: {error.strerror}")


def _main(folder: str) -> None:
    try:
        space = os.statvfs(folder)
        found = json.loads(to_json(walk(Path(folder), (IMAGES,), former=True)))
    except OSError as error:
        where = os.fsdecode(error.filename) if error.filename else ""
        _tell({"fault": [error.errno, error.strerror, where]})
        return
    found["total"] = space.f_blocks * space.f_frsize
    found["free"] = space.f_bavail * space.f_frsize
    found["writable"] = os.access(folder, os.W_OK) and not space.f_flag & os.ST_RDONLY
    _tell(found)


def _tell(found: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1])
