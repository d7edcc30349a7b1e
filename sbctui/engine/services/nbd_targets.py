"""``derived/exports``: one small JSON file for each disk that should be served."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown, undashed
from sbctui.engine.model.text import clean
from sbctui.engine.services.port import Target

_FOLDER = Path("derived", "exports")
_SUFFIX = ".json"
_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be served, by export; ``refused`` maps a file's name to what is wrong."""

    targets: Mapping[str, Target]
    refused: Mapping[str, str]


def render_export(target: Target, site: Path) -> bytes:
    """The file's content; paths are relative to the site. Raises BadInput for a path outside."""
    try:
        file = target.file.relative_to(site)
        base = None if target.base is None else str(target.base.relative_to(site))
    except ValueError:
        raise BadInput(f"{target.export}: its disk is outside the site; move it there") from None
    fields = {
        "export": target.export,
        "file": str(file),
        "format": target.format,
        "address": str(target.address),
        "base": base,
    }
    return json.dumps(fields, indent=1).encode() + b"\n"


def parse_export(data: bytes, export: str, site: Path) -> Target:
    """One file's content. Raises BadInput saying which field is wrong."""
    try:
        raw = json.loads(data)
    except ValueError:
        raise BadInput("no JSON") from None
    if not isinstance(raw, dict) or raw.keys() != {"export", "file", "format", "address", "base"}:
        raise BadInput("wants the fields export, file, format, address and base")
    if raw["export"] != export or undashed(export) is None:
        raise BadInput(f"export {shown(str(raw['export']))} is not the MAC of its file's name")
    if raw["format"] not in ("raw", "qcow2"):
        raise BadInput(f"format {shown(str(raw['format']))} is neither raw nor qcow2")
    if raw["base"] is not None and raw["format"] != "qcow2":
        raise BadInput("only a qcow2 disk can stand on a base")
    try:
        address = IPv4Address(raw["address"]) if isinstance(raw["address"], str) else None
    except ValueError:
        address = None
    if address is None:
        raise BadInput(f"address {shown(str(raw['address']))} is no IPv4 address")
    base = None if raw["base"] is None else _inside(raw["base"], site)
    return Target(export, _inside(raw["file"], site), raw["format"], address, base)


def _inside(text: Any, site: Path) -> Path:
    """A path below the site's nodes, with nothing in it that leads elsewhere."""
    path = PurePosixPath(text) if isinstance(text, str) else PurePosixPath("/")
    plain = isinstance(text, str) and "\0" not in text and str(path) == text
    if not plain or path.is_absolute() or ".." in path.parts or path.parts[0] != "nodes":
        raise BadInput(f"path {shown(str(text))} is not below nodes/")
    return site / path


class DerivedExports:
    """The folder of one site; a file is read again only after it has been replaced."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._seen: dict[str, tuple[tuple[int, int, int], Target | str]] = {}

    def read(self) -> Wanted:
        """Everything that should be served now; a bad file is reported and keeps none out."""
        before, self._seen = self._seen, {}
        targets: dict[str, Target] = {}
        refused: dict[str, str] = {}
        try:
            entries = list(os.scandir(self._site / _FOLDER))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.endswith(_SUFFIX):
                continue
            export = entry.name.removesuffix(_SUFFIX)
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
        path = self._site / _FOLDER / (export + _SUFFIX)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return parse_export(data[:_BYTES], export, self._site)

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
                raise BadInput(f"{facts.st_size} bytes are no export")
            found = parse_export(Path(entry.path).read_bytes(), export, self._site)
        except OSError as error:
            return error.strerror or "unreadable"
        except BadInput as error:
            found = str(error)
        self._seen[export] = (stamp, found)
        return found


def wanted_exports(site: Path) -> dict[str, Target]:
    """Everything that should be served, read afresh; what can't be used is left out."""
    return dict(DerivedExports(site).read().targets)
