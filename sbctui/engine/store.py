"""The site's folders ⇄ one frozen ``Site``: loading in one pass, and only what changed after.

A node that can't be read becomes a ``Broken`` row with its reason and hides no other.
"""

from __future__ import annotations

import os
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from sbctui.engine.boot.overrides import read_overrides
from sbctui.engine.errors import NoSuchNode, NotASite, NotPermitted
from sbctui.engine.files import is_held
from sbctui.engine.lockfile import read_lock
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.pins import PINS, Pins
from sbctui.engine.model.repository import INDEX, OWN
from sbctui.engine.model.roster import ROSTER, Roster
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import (
    STAGING,
    Broken,
    Node,
    Site,
    Stamp,
    Stray,
    Trashed,
)
from sbctui.engine.model.text import clean
from sbctui.engine.model.trashname import origin
from sbctui.engine.nodefile import read_node, stamp, tree_bytes
from sbctui.engine.pinfile import in_work, read_pins, read_roster
from sbctui.engine.repository.overlay_read import places, stowed

SETTINGS = "site.toml"
GONE = ".gone-"
"""Prefix in ``trash/`` of what is being deleted for good."""

Kind = Literal["file", "folder", "staging", "other"]

TRASHED = re.compile(r"([0-9]{8}T[0-9]{9}Z)-(.+)")
_KNOWN = {SETTINGS, PINS, ROSTER, "lock", "nodes", "trash", "jobs", "derived", "state", "repo",
          "templates", "bootkit", "lost+found"}  # fmt: skip


class Store:
    """One site's folders. Not thread-safe: the engine guards it."""

    def __init__(self, path: Path) -> None:
        """Raises NotASite, NotPermitted."""
        self.path = path
        self._site: Site | None = None
        self._dirty: frozenset[str] = frozenset()
        self._settings: tuple[Stamp | None, Settings] | None = None
        self._pins: tuple[Stamp | None, tuple[Pins, str]] = (None, (Pins(), ""))
        self._roster: tuple[Stamp | None, tuple[Roster, str]] = (None, (Roster(), ""))
        self._trash_stamp: Stamp | None = None
        check_site(path)

    def load(self, *, full: bool = False) -> Site:
        """The site as it is now; rereads what the lock file says changed, or with ``full`` looks.

        A full look stats every node and parses those whose config is another file than before.
        Facts are the caller's. Raises NotASite when site.toml can't be used.
        """
        lock = read_lock(self.path)
        old = self._site
        generation = lock.generation - lock.generation % 2
        if old is not None and not full and generation == old.generation and not self._dirty:
            return self._with_overlays(old)
        changed = lock.since(old.generation) if old and not full else None
        if old is not None and changed is not None:
            site = self._partly(old, changed | self._dirty)
        else:
            site = self._all(old)
        if "*" in self._dirty:
            site = self._all(old)
        pins, fault = self._read_pins()
        roster, roster_fault = self._read_roster()
        self._site = site.with_rest(
            settings=self._read_settings(),
            generation=generation,
            trash=self._trash(old),
            templates=read_overrides(self.path),
            pins=pins,
            pins_fault=fault,
            roster=roster,
            roster_fault=roster_fault,
            overlays=places(self.path),
            listed=os.path.exists(f"{self.path}/{OWN}/{INDEX}"),
        )
        self._dirty = frozenset()
        return self._site

    def _with_overlays(self, old: Site) -> Site:
        """The same site; folders of overlays are made by hand, and count at once."""
        now = places(self.path)
        if now != old.overlays:
            self._site = old = old.with_rest(overlays=now)
        return old

    def touch(self, name: str) -> None:
        """Read this node again at the next load (``*`` = everything)."""
        self._dirty |= {name}

    def _read_settings(self) -> Settings:
        now = stamp(self.path / SETTINGS)
        if self._settings is None or self._settings[0] != now:
            self._settings = (now, read_settings(self.path))
        return self._settings[1]

    def _read_pins(self) -> tuple[Pins, str]:
        now = stamp(self.path / PINS)
        if self._pins[0] != now or now is None:
            self._pins = (now, read_pins(self.path))
        return self._pins[1]

    def _read_roster(self) -> tuple[Roster, str]:
        now = stamp(self.path / ROSTER)
        if self._roster[0] != now or now is None:
            self._roster = (now, read_roster(self.path))
        return self._roster[1]

    def config(self, name: str) -> NodeConfig:
        """One published node's config as it stands on disk now. Raises NoSuchNode."""
        found = read_node(self.path / "nodes" / name)
        if isinstance(found, Broken):
            raise NoSuchNode(f"the node {clean(name)} can't be read: {found.reason}")
        return found.config

    def _all(self, old: Site | None) -> Site:
        nodes: dict[str, Node] = {}
        broken: dict[str, Broken] = {}
        strays: list[Stray] = []
        with os.scandir(self.path / "nodes") as entries:
            for entry in entries:
                self._sort(entry, old, nodes, broken, strays)
        strays += self._top_level()
        strays.sort(key=lambda s: s.path)
        return Site(self.path, Settings(), 0, nodes, broken, tuple(strays))

    def _sort(
        self,
        entry: os.DirEntry[str],
        old: Site | None,
        nodes: dict[str, Node],
        broken: dict[str, Broken],
        strays: list[Stray],
    ) -> None:
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            strays.append(_stray(entry, "nodes"))
            return
        known = old.nodes.get(entry.name) if old else None
        found = read_node(entry.path, known)
        if isinstance(found, Broken):
            broken[entry.name] = found
        else:
            nodes[entry.name] = found

    def _partly(self, old: Site, changed: frozenset[str]) -> Site:
        nodes, broken = dict(old.nodes), dict(old.broken)
        for name in changed:
            nodes.pop(name, None)
            broken.pop(name, None)
            path = self.path / "nodes" / name
            if name and path.is_dir():
                found = read_node(path)
                if isinstance(found, Broken):
                    broken[name] = found
                else:
                    nodes[name] = found
        staged = {f"nodes/{STAGING}{name}": name for name in changed if name}
        strays = [s for s in old.strays if s.path not in staged]
        for staging in staged:
            strays += _staging(self.path / staging, staging)
        return old.with_nodes(nodes, broken, tuple(strays), changed)

    def _top_level(self) -> list[Stray]:
        with os.scandir(self.path) as entries:
            return [_stray(e, "") for e in entries if e.name not in _KNOWN and not in_work(e.name)]

    def _trash(self, old: Site | None) -> tuple[Trashed, ...]:
        now = stamp(self.path / "trash")
        if old is not None and now == self._trash_stamp:
            return old.trash
        self._trash_stamp = now
        known = {t.folder: t for t in old.trash} if old else {}
        found: list[Trashed] = []
        with os.scandir(self.path / "trash") as entries:
            for entry in entries:
                match = TRASHED.fullmatch(entry.name)
                if match:
                    found.append(known.get(entry.name) or _trashed(entry, *match.groups()))
        return tuple(sorted(found, key=lambda t: t.folder))


def _trashed(entry: os.DirEntry[str], when: str, name: str) -> Trashed:
    deleted = datetime.strptime(when[:-4], "%Y%m%dT%H%M%S").replace(
        microsecond=int(when[-4:-1]) * 1000, tzinfo=UTC
    )
    folder = entry.is_dir(follow_symlinks=False)
    size = tree_bytes(entry.path) if folder else entry.stat(follow_symlinks=False).st_blocks * 512
    if place := origin(name):
        return Trashed(entry.name, place, deleted, None, size, place)
    node = read_node(entry.path, named=name) if folder else None
    config = node.config if isinstance(node, Node) else None
    with_it = stowed(entry.path, name) if folder else ()
    return Trashed(entry.name, name, deleted, config, size, overlays=with_it)


def _stray(entry: os.DirEntry[str], parent: str) -> Stray:
    path = f"{parent}/{entry.name}" if parent else entry.name
    folder = entry.is_dir(follow_symlinks=False)
    if folder and entry.name.startswith(STAGING):
        return next(iter(_staging(Path(entry.path), path)), Stray(path, "staging", 0, 0.0))
    kind: Kind = "folder" if folder else "file" if entry.is_file(follow_symlinks=False) else "other"
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return Stray(path, "other", 0, 0.0)
    size = tree_bytes(entry.path) if folder else facts.st_blocks * 512
    return Stray(path, kind, size, facts.st_mtime)


def _staging(folder: Path, path: str) -> list[Stray]:
    try:
        facts = folder.stat(follow_symlinks=False)
    except OSError:
        return []
    live = is_held(folder)
    return [Stray(path, "staging", 0 if live else tree_bytes(folder), facts.st_mtime, live)]


def read_settings(site: Path) -> Settings:
    """site.toml. Raises NotASite with the line or key that is wrong, NotPermitted."""
    path = site / SETTINGS
    try:
        return Settings.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise NotASite(f"{site} is no site; make one with: sbctui site init") from None
    except PermissionError:
        raise NotPermitted(f"{path} is not yours to read; run as its owner or with sudo") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotASite(clean(f"{path}: {where}: {first['msg']}; mend that line")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise NotASite(clean(f"{path} can't be read as TOML: {error}; mend that line")) from None


def check_site(path: Path) -> None:
    """Refuse what is no site, and a site others could plant files in.

    Raises NotASite; NotPermitted for a foreign owner or a world-writable folder above it.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise NotASite(f"there is no site at {path}; make one with: sbctui site init") from None
    except PermissionError:
        raise NotPermitted(f"{path} is not yours to read; run as its owner or with sudo") from None
    if not (path / SETTINGS).exists():
        raise NotASite(f"{path} is no site; make one with: sbctui site init")
    if os.geteuid() not in (0, facts.st_uid):
        raise NotPermitted(f"{path} belongs to another user; run as its owner or with sudo")
    for folder in (path, *path.resolve().parents):
        mode = folder.stat().st_mode
        if mode & 0o002 and not mode & 0o1000:
            raise NotPermitted(
                f"{folder} can be written by everybody; mend it with: chmod o-w {folder}"
            )
