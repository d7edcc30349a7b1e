"""All of ``derived/exports``: what should be served now, read again only where it changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown, undashed
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.text import clean
from sbctui.engine.services.exportfile import SUFFIX, exports_dir, read_export
from sbctui.engine.services.port import Target

_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be served, by export; ``refused`` maps a file's name to what is wrong."""

    targets: Mapping[str, Target]
    refused: Mapping[str, str]


class DerivedExports:
    """The folder of one site; a file is read again only after it has been replaced."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[tuple[int, int, int], Target | str]] = {}

    def read(self) -> Wanted:
        """Everything that should be served now; a bad file is reported and keeps none out."""
        with self._lock:
            return self._read()

    def _read(self) -> Wanted:
        before, self._seen = self._seen, {}
        targets: dict[str, Target] = {}
        refused: dict[str, str] = {}
        try:
            entries = list(os.scandir(exports_dir(self._site)))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(SUFFIX):
                continue
            export = entry.name.removesuffix(SUFFIX)
            found = self._one(entry, export, before)
            if isinstance(found, Target):
                targets[export] = found
            else:
                refused[clean(export)] = found
        return Wanted(targets, refused)

    def one(self, export: str) -> Target | None:
        """One export; None when it should not be served. Raises BadInput."""
        if undashed(export) is None:
            raise BadInput(f"{shown(export)} is no export's name")
        path = exports_dir(self._site) / (export + SUFFIX)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return read_export(data[:_BYTES], export, self._site)

    def _one(
        self,
        entry: os.DirEntry[str],
        export: str,
        before: Mapping[str, tuple[tuple[int, int, int], Target | str]],
    ) -> Target | str:
        found: Target | str
        try:
            facts = entry.stat(follow_symlinks=False)
            stamp = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            known = before.get(export)
            if known is not None and known[0] == stamp:
                self._seen[export] = known
                return known[1]
            if facts.st_size > _BYTES:
                raise BadInput(f"{exact(facts.st_size)} are no export")
            found = read_export(Path(entry.path).read_bytes(), export, self._site)
        except OSError as error:
            return error.strerror or "unreadable"
        except BadInput as error:
            found = str(error)
        self._seen[export] = (stamp, found)
        return found
