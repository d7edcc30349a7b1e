"""Reads the admin's templates out of a site's ``templates/`` folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sbctui.engine.boot.template import FOLDER, LEVELS, Overrides, is_place
from sbctui.engine.errors import from_os

_MOST = 1024 * 1024
"""Bytes read of one; what is longer than a template may be is refused when it is used."""


def read_overrides(site: Path) -> Overrides:
    """Path inside ``templates/`` → text. Other files there are left alone. Raises SbcError."""
    found: dict[str, str] = {}
    try:
        for path in sorted(_places(f"{site}/{FOLDER}")):
            with open(site / FOLDER / path, "rb") as file:
                found[path] = file.read(_MOST).decode("utf-8", "replace")
    except OSError as error:
        raise from_os(error, f"reading {FOLDER}") from error
    return found


def newest_change(site: Path, overrides: Overrides) -> float:
    """When a template was last written, added or taken away: epoch seconds, 0 for never."""
    folder = f"{site}/{FOLDER}"
    folders = {os.path.dirname(f"{folder}/{path}") for path in overrides}
    paths = (*(f"{folder}/{path}" for path in overrides), *folders)
    return max(map(_time, (*paths, folder, *(f"{folder}/{level}" for level in LEVELS))))


def _time(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _places(folder: str) -> Iterator[str]:
    for name in _names(folder):
        if name not in LEVELS:
            if is_place(name):
                yield name
            continue
        for owner in _names(f"{folder}/{name}"):
            inside = (f"{name}/{owner}/{file}" for file in _names(f"{folder}/{name}/{owner}"))
            yield from filter(is_place, inside)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
