"""Where an archive comes from and goes to, as far as a plan needs to know. Nothing is read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from sbctui.engine.archive.address import STREAM, kind_of, path_of
from sbctui.engine.errors import BadInput, from_os
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.repository import IMAGES, OWN
from sbctui.engine.model.requests import Incoming, Target


def incoming(site: Path, place: str) -> Incoming:
    """An archive to be imported. Raises BadInput where no file is, NotPermitted."""
    if kind_of(place) != "file":
        return Incoming(place=place)
    path = path_of(site, place)
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise BadInput(f"{shown(str(path))} is no file; give an archive of a node")
        with open(path, "rb"):
            return Incoming(place=str(path), bytes=facts.st_size)
    except (FileNotFoundError, NotADirectoryError):
        raise BadInput(f"there is no {shown(str(path))}; give an archive of a node") from None
    except OSError as error:
        raise from_os(error, f"reading {shown(str(path))}") from error


def target(site: Path, file: str) -> Target:
    """A file to be written, or standard output.

    Raises BadInput where it can't be one, NotPermitted.
    """
    if file == STREAM:
        return Target(file=STREAM)
    path = path_of(site, file)
    if path.is_relative_to(site) and not path.is_relative_to(site / OWN / IMAGES):
        raise BadInput(
            f"{shown(str(path))} is among the site's own files; name another, or {OWN}:FOLDER/IMAGE"
        )
    try:
        folder = path.parent
        while not folder.exists() and site in folder.parents:
            folder = folder.parent  # folders of the repository are made
        if not folder.is_dir():
            raise BadInput(f"there is no folder {shown(str(folder))}; make it, or name another")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        there = os.path.lexists(path)
        if there and not stat.S_ISREG(path.lstat().st_mode):
            raise BadInput(f"{shown(str(path))} is no file; name another one, or - for a pipe")
        room = os.statvfs(folder)
    except OSError as error:
        raise from_os(error, f"writing {shown(str(path))}") from error
    return Target(file=str(path), there=there, free=room.f_bavail * room.f_frsize)
