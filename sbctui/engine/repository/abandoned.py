"""What killed exports left in this server's repository: taken away, or listed where it stands."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from sbctui.engine.archive.address import image_at
from sbctui.engine.archive.partfile import part_of
from sbctui.engine.files import Owner, flocked, hit, is_held
from sbctui.engine.model.repository import OWN
from sbctui.engine.model.site import Site
from sbctui.engine.plan import IndexRepository, Plan, WriteArchive
from sbctui.engine.repository.keep import sweep
from sbctui.engine.repository.lists import worth_listing, write_lists
from sbctui.engine.repository.sidefiles import image_path

_MADE = (0o700, 0o750)
"""Modes of a folder that was made for an export, the first for a moment only."""


def settle(site: Site, plan: Plan, owner: Owner, say: Callable[[str], None]) -> None:
    """End what the killed job of a plan began here, under the site's lock. Raises OSError."""
    for image in _images(site.path, plan):
        path = image_path(site.path, image)
        part = part_of(str(path))
        if is_held(part):
            continue
        if _drop(part):
            say(f"dropped what a killed export left of repo:{image}")
        _sweep(path)
        _drop_folders(path.parent, site.path / OWN)
    indexes = any(isinstance(a, IndexRepository) for unit in plan.units for a in unit.actions)
    if indexes and worth_listing(site):
        write_lists(site, owner)


def _images(site: Path, plan: Plan) -> Iterator[str]:
    for unit in plan.units:
        for action in unit.actions:
            if isinstance(action, WriteArchive) and (image := image_at(site, action.target)):
                yield image


def _drop(part: Path) -> bool:
    with suppress(FileNotFoundError, NotADirectoryError, BlockingIOError):
        with flocked(part, blocking=False):
            hit("recovery.drop-part")
            part.unlink()
        return True
    return False


def _sweep(path: Path) -> None:
    """Side files that had no image yet; those of one that stands are its own run's."""
    with suppress(FileNotFoundError, NotADirectoryError, BlockingIOError):
        if path.exists():
            with flocked(path, blocking=False):
                sweep(path)
        else:
            sweep(path)


def _drop_folders(folder: Path, repository: Path) -> None:
    """Those that hold nothing, up to the repository's own; not what looks like an admin's."""
    while repository in (folder, *folder.parents):
        try:
            if stat.S_IMODE(folder.lstat().st_mode) not in _MADE:
                return
            hit("recovery.drop-folder")
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:
            return
        folder = folder.parent
