"""The manifest of an archive found at its end, without reading the rest."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pydantic import ValidationError

from sbctui.engine.archive import tarhead
from sbctui.engine.archive.format import MANIFEST, MOST_CONFIG, RECORD, BadArchive
from sbctui.engine.archive.manifest import Manifest
from sbctui.engine.archive.tail import pieces_back

_NAME = MANIFEST.encode() + b"\0"
_MOST = MOST_CONFIG + 1024**2
"""Bytes at the end among which a manifest is looked for."""


def manifest_of(path: Path) -> Manifest | None:
    """What an archive says of itself; None where that is not found at its end.

    Nothing is compared with what it holds. Raises OSError.
    """
    end = b""
    with open(path, "rb") as file, closing(pieces_back(file.fileno())) as pieces:
        for piece in pieces:
            end = piece + end
            at = _last_header(end)
            if at is not None:
                return _parsed(end[at:])
            if len(end) > _MOST:
                break
    return None


def _last_header(end: bytes) -> int | None:
    """Where the manifest's header is, counted in records from the end."""
    at = len(end)
    while (at := end.rfind(_NAME, 0, at)) >= 0:
        if (len(end) - at) % RECORD == 0 and tarhead.begins(end[at : at + RECORD]):
            return at
    return None


def _parsed(end: bytes) -> Manifest | None:
    """A manifest with nothing but zeros behind it."""
    try:
        head = tarhead.parse(end[:RECORD])
        data = end[RECORD : RECORD + head.size]
        if head.name != MANIFEST or len(data) < head.size or any(end[RECORD + head.size :]):
            return None
        return Manifest.model_validate_json(data)
    except (BadArchive, ValidationError, RecursionError):
        return None
