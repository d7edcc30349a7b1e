"""What only the files and the jobs say of one node, looked at in threads for the details.

Nothing of it is asked before the cursor has rested on the node, and a folder that does not
answer holds up nothing but its own details.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.messages import World, in_thread

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.engine.engine import Engine, Job
    from sbctui.engine.model.site import Site

_REST = 0.15
_AGAIN = 30.0
_LATE = 3.0
_AT_ONCE = 3
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class File:
    """An entry of a node's folder: bytes as it says and as it takes, how many files are in it."""

    name: str
    apparent: int
    allocated: int
    inside: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """A node's folder, the bytes only its disk has (None = not known), its newest jobs, and what
    is laid over a leaf's disk: sentences, each with its tone.

    ``late`` are the seconds for which an answer is overdue, ``trouble`` what went wrong.
    """

    files: tuple[File, ...] = ()
    exclusive: int | None = None
    history: tuple[Job, ...] = ()
    laid: tuple[tuple[str, str], ...] = ()
    late: int = 0
    trouble: str = ""


def look(engine: Engine, site: Site, name: str) -> Look:
    """Look, in a thread: at the folder, the disk, the jobs."""
    from sbctui.engine.errors import SbcError

    trouble = ""
    files: tuple[File, ...] = ()
    exclusive = None
    try:
        files = folder(site.node_path(name))
        exclusive = engine.usage(name).exclusive
    except (SbcError, OSError, KeyError) as error:
        trouble = str(error)
    return Look(files, exclusive, engine.history(name), _laid(engine, site, name), trouble=trouble)


def _laid(engine: Engine, site: Site, name: str) -> tuple[tuple[str, str], ...]:
    from sbctui.engine.errors import SbcError
    from sbctui.screens.overlay_lines import brief

    if name not in site.nodes or site.nodes[name].is_root:
        return ()
    try:
        return tuple(brief(engine.overlay(name)))
    except (SbcError, OSError) as error:
        return ((str(error), "bad"),)


def folder(path: Path) -> tuple[File, ...]:
    """What stands in a folder, by name; links are not followed. Raises OSError."""
    with os.scandir(path) as entries:
        return tuple(_file(e) for e in sorted(entries, key=lambda e: e.name))


def _file(entry: os.DirEntry[str]) -> File:
    facts = entry.stat(follow_symlinks=False)
    if not entry.is_dir(follow_symlinks=False):
        return File(entry.name, facts.st_size, facts.st_blocks * 512)
    count = apparent = allocated = 0
    for place, _, names in os.walk(entry.path):
        for name in names:
            below = os.lstat(os.path.join(place, name))
            count, apparent = count + 1, apparent + below.st_size
            allocated += below.st_blocks * 512
        if count > _MOST:
            break
    return File(entry.name + "/", apparent, allocated, count)


Asked = tuple[str, object]
"""A node's name, and what else the answer depends on."""


class Looker:
    """Has the nodes looked at that are asked for; ``told`` is called when an answer is there."""

    def __init__(self, app: SbcApp, told: Callable[[], None]) -> None:
        self._app = app
        self._told = told
        self._known: Asked = ("", None)
        self._found = Look()
        self._when = 0.0
        self._wanted: Asked | None = None
        self._begun: dict[Asked, float] = {}

    def at(self, world: World, name: str) -> Look:
        """What is known of a node; has it looked at when that is old."""
        if world.site is None or name not in world.site.nodes:
            return Look()
        asked = (name, tuple((j.id, j.state) for j in world.jobs))
        now = time.monotonic()
        if asked != self._known or now - self._when > _AGAIN:
            self._want(asked)
        late = int(now - self._begun.get(asked, now))
        known = self._found if self._known[0] == name else Look()
        return replace(known, late=late) if late >= _LATE else known

    def _want(self, asked: Asked) -> None:
        if asked != self._wanted and asked not in self._begun:
            self._wanted = asked
            self._app.set_timer(_REST, lambda: self._begin(asked))

    def _begin(self, asked: Asked) -> None:
        if asked != self._wanted:
            return
        self._wanted = None
        if len(self._begun) < _AT_ONCE:
            self._begun[asked] = time.monotonic()
            self._app.background(self._look(asked))

    async def _look(self, asked: Asked) -> None:
        engine, site = self._app.feeds.engine, self._app.feeds.world.site
        try:
            if engine is not None and site is not None and asked[0] in site.nodes:
                found = await in_thread(lambda: look(engine, site, asked[0]))
                self._known, self._found, self._when = asked, found, time.monotonic()
        finally:
            del self._begun[asked]
        self._told()
