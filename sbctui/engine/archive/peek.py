"""The manifest of an archive found by the table of frames at its end, without reading the rest."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import zstandard
from pydantic import ValidationError

from sbctui.engine.archive import tarhead
from sbctui.engine.archive.format import FRAME, MANIFEST, RECORD, BadArchive
from sbctui.engine.archive.frames import SEEKABLE, SKIPPABLE
from sbctui.engine.archive.manifest import Manifest

_FOOTER, _HEAD = 9, 8
_LAST = 12
"""Of so many frames at the end, the manifest has some."""


def manifest_of(path: Path) -> Manifest | None:
    """What an archive says of itself; None where that is not found at its end.

    Nothing is compared with what it holds. Raises OSError.
    """
    with open(path, "rb") as file:
        try:
            return _found(file)
        except (BadArchive, ValidationError, zstandard.ZstdError, struct.error, RecursionError):
            return None


def _found(file: BinaryIO) -> Manifest | None:
    after, frames = b"", _last_frames(file)
    for frame in reversed(frames):
        if len(frame) == RECORD and any(frame):
            head = tarhead.parse(frame)
            if head.name != MANIFEST or head.size > len(after):
                return None
            return Manifest.model_validate_json(after[: head.size])
        after = frame + after
    return None


def _last_frames(file: BinaryIO) -> list[bytes]:
    size = file.seek(0, 2)
    if size < _FOOTER + _HEAD:
        return []
    file.seek(size - _FOOTER)
    count, flags, magic = struct.unpack("<IBI", file.read(_FOOTER))
    table = count * 8 + _FOOTER
    start = size - table - _HEAD
    if magic != SEEKABLE or flags or start < 0:
        return []
    file.seek(start)
    if struct.unpack("<II", file.read(_HEAD)) != (SKIPPABLE, table):
        return []
    kept = min(count, _LAST)
    file.seek(size - _FOOTER - 8 * kept)
    sizes = list(struct.iter_unpack("<II", file.read(8 * kept)))
    at = start - sum(packed for packed, _ in sizes)
    if at < 0 or any(unpacked > FRAME or packed > 2 * FRAME for packed, unpacked in sizes):
        return []
    file.seek(at)
    machine = zstandard.ZstdDecompressor()
    return [
        machine.decompress(file.read(packed), max_output_size=unpacked)
        for packed, unpacked in sizes
    ]
