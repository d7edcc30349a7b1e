"""Files as people name them: a path, or an image of a repository as ``repo:sub/dir/image``.

All of it looks at folders: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.engine.errors import SbcError
from sbctui.engine.model.repository import is_image
from sbctui.screens.fields import completed

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.repository.view import Choice


_OFFERING = (".mcast", ".torrent")


@dataclass(frozen=True, slots=True)
class Spot:
    """A folder: what it is called, and where it is; without one the list of all places."""

    label: str = ""
    folder: Path | None = None

    def inside(self, name: str) -> str:
        """What something in it is called."""
        return f"{self.label}{name}"

    def below(self, name: str) -> Spot:
        """A folder in it."""
        assert self.folder is not None
        return Spot(f"{self.label}{name}/", self.folder / name)

    def above(self) -> Spot:
        """The folder it is in; above a repository and ``/`` are all places."""
        if self.folder is None or self.label.endswith(":") or self.label == "/":
            return Spot()
        label = self.label.rstrip("/")
        cut = max(label.rfind("/"), label.rfind(":")) + 1
        return Spot(label[:cut], self.folder.parent)


def spot_of(engine: Engine, text: str) -> Spot:
    """The folder that a half-typed place is in; all places where that is not there."""
    name, colon, rest = text.partition(":")
    if colon and "/" not in name:
        try:
            root = engine.repository_folder(name)
        except SbcError:
            return Spot()
        folder = rest.rpartition("/")[0]
        there = root / folder
        inside = there.is_dir() and ".." not in folder.split("/")
        return Spot(f"{name}:{folder}/" if folder else f"{name}:", there) if inside else Spot()
    folder = os.path.dirname(os.path.expanduser(text)) if text else ""
    if not folder.startswith("/") or not os.path.isdir(folder):
        return Spot()
    return Spot(folder if folder == "/" else f"{folder}/", Path(folder))


def places(engine: Engine) -> tuple[tuple[Spot, str], ...]:
    """Where files may be, each with a word or two: repositories that are here, home, all."""
    found: list[tuple[Spot, str]] = []
    for name in engine.repository_names():
        try:
            folder = engine.repository_folder(name)
        except SbcError:
            continue
        found.append((Spot(f"{name}:", folder), "repository"))
    home = str(Path.home()).rstrip("/") + "/"
    here = os.getcwd().rstrip("/") + "/"
    for path, what in ((here, "where sbctui was started"), (home, "your home"), ("/", "all")):
        if all(path != spot.label for spot, _ in found):
            found.append((Spot(path, Path(path)), what))
    return tuple(found)


def listed(spot: Spot, *, sides: bool = False) -> tuple[Choice, ...]:
    """What lies in a folder; of a repository no side files. Raises OSError.

    With ``sides`` folders, and the files that tell a receiver what is offered.
    """
    from sbctui.engine.repository.view import choices

    assert spot.folder is not None
    try:
        found = choices(spot.folder)
    except FileNotFoundError:
        if spot.label.endswith(":"):
            return ()  # nothing was exported yet
        raise
    if sides:
        return tuple(c for c in found if c.folder or c.name.endswith(_OFFERING))
    images = not spot.label.startswith("/")
    return tuple(c for c in found if c.folder or not images or is_image(c.name))


def completing(
    engine: Callable[[], Engine | None], *, sides: bool = False
) -> Callable[[str], str | None]:
    """Completes paths, names of repositories, and the images in them, or with ``sides`` their
    side files.
    """

    def complete(text: str) -> str | None:
        asked = engine()
        name, colon, rest = text.partition(":")
        if asked is None or not text or "/" in name:
            return completed(text)
        try:
            if not colon:
                names = (f"{n}:" for n in asked.repository_names())
                return next((n for n in names if n.startswith(text)), None) or completed(text)
            spot = spot_of(asked, text)
            begun = rest.rpartition("/")[2]
            first = next((c for c in listed(spot, sides=sides) if c.name.startswith(begun)), None)
        except (SbcError, OSError, AssertionError):
            return None
        return spot.inside(first.name) + "/" * first.folder if first and begun else None

    return complete
