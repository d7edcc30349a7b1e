"""What ``check`` found, kept for as long as nothing it looked at has changed.

On disk it is ``state/boot-checks.json`` (docs/on-disk.md), so that a verb of the command line need
not unpack an initramfs again; that file may be deleted, and whoever can't write it does without.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from sbctui import __version__
from sbctui.engine.boot.check import check
from sbctui.engine.boot.initramfs import Lack
from sbctui.engine.boot.pi import PI_KERNELS
from sbctui.engine.boot.render import RENDERED
from sbctui.engine.bootkit.kits import FOLDER
from sbctui.engine.errors import SbcError
from sbctui.engine.files import Owner, write_atomic
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import BOOT, Site

FILE = "state/boot-checks.json"
_SCHEMA = 1
_MOST = 1024**2
"""Bytes of that file; a longer one is none."""
NO_KERNEL = Lack(
    "kernel",
    "vmlinuz",
    "there is no kernel to load",
    "put one into /boot of the root before it is imported, or into its boot folder",
)


class Known:
    """The newest answers about one site's nodes."""

    def __init__(self, site: Path, owner: Owner, *, read_only: bool) -> None:
        self._file = site / FILE
        self._owner = owner
        self._read_only = read_only
        self._mutex = threading.Lock()
        self._answers: dict[str, tuple[str, tuple[Lack, ...]]] | None = None

    def stops(self, site: Site, name: str, stop: threading.Event) -> Lack | None:
        """What first keeps every board from booting from a node; None when nothing is seen.

        Nothing either where it can't be looked at now. Raises Cancelled.
        """
        if not site.nodes[name].config.boot.kernel and not _has_pi_kernel(site, name):
            return NO_KERNEL
        return next((lack for lack in self._lacks(site, name, stop) if lack.stops), None)

    def _lacks(self, site: Site, name: str, stop: threading.Event) -> tuple[Lack, ...]:
        try:
            key = _key(site, name)
        except OSError:
            return ()
        with self._mutex:
            if self._answers is None:
                self._answers = dict(_read(self._file))
            known = self._answers.get(name)
        if known is not None and known[0] == key:
            return known[1]
        try:
            found = check(site, name, stop=stop)
        except (SbcError, OSError):
            if stop.is_set():
                raise
            return ()
        self._keep(site, name, key, found)
        return found

    def _keep(self, site: Site, name: str, key: str, found: tuple[Lack, ...]) -> None:
        with self._mutex:
            answers = {} if self._answers is None else self._answers
            answers = {n: one for n, one in answers.items() if n in site.nodes}
            answers[name] = (key, found)
            self._answers = answers
            if not self._read_only:
                with suppress(OSError):
                    write_atomic(self._file, _written(answers), owner=self._owner)


def _written(answers: dict[str, tuple[str, tuple[Lack, ...]]]) -> bytes:
    nodes = {
        name: {"key": key, "lacks": [asdict(lack) for lack in lacks]}
        for name, (key, lacks) in sorted(answers.items())
    }
    return json.dumps({"schema": _SCHEMA, "nodes": nodes}, indent=1).encode() + b"\n"


def _read(path: Path) -> Iterator[tuple[str, tuple[str, tuple[Lack, ...]]]]:
    """What stands in the file; nothing of it where it is not what we write."""
    try:
        with path.open("rb") as file:
            found: Any = json.loads(file.read(_MOST))
        nodes = found["nodes"].items() if found["schema"] == _SCHEMA else ()
        answers = [(n, (e["key"], tuple(Lack(**lack) for lack in e["lacks"]))) for n, e in nodes]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return
    yield from answers


def _key(site: Site, name: str) -> str:
    """A hash of everything that an answer follows from; files by inode, time and size."""
    config = site.nodes[name].config
    about = (
        __version__,
        config.model_dump_json(include=_OF_CONFIG),
        str(site.settings.network.server),
        sorted(site.templates.items()),
        sorted(_stamps(site.node_path(name) / BOOT)),
        sorted(_kits(site.path)),
        list(_disk(site, config)),
    )
    return sha256(repr(about).encode()).hexdigest()


_OF_CONFIG = {"name", "kind", "mac", "ip", "parent", "group", "disk", "boot"}


def _stamps(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name not in RENDERED and not entry.name.startswith("."):
                yield (entry.name, *_stamp(entry.stat(follow_symlinks=False)))


def _stamp(facts: os.stat_result) -> tuple[int, int, int]:
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _kits(site: Path) -> Iterator[tuple[str, int, int, int]]:
    for path in (site / FOLDER).glob("[!.]*/[!.]*/*"):
        with suppress(OSError):
            yield (str(path), *_stamp(path.stat()))


def _disk(site: Site, config: NodeConfig) -> Iterable[int]:
    """Its disk, whose time changes for as long as a board runs from it."""
    try:
        facts = site.disk_path(config.name).stat()
    except OSError:
        return ()
    return (facts.st_ino, facts.st_size, 0 if config.mac else facts.st_mtime_ns)


def _has_pi_kernel(site: Site, name: str) -> bool:
    folder = site.node_path(name) / BOOT
    return any((folder / kernel).is_file() for kernel in PI_KERNELS)
