"""The manifest of an archive found by the table of frames at its end, without reading the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import zstandard
from pydantic import ValidationError

from sbctui.engine.archive import tarhead
from sbctui.engine.archive.format import FRAME, MANIFEST, RECORD, BadArchive
from sbctui.engine.archive.manifest import Manifest
from sbctui.engine.archive.seektable import read_frames

_LAST = 12
"""Of so many frames at the end, the manifest has some."""


def manifest_of(path: Path) -> Manifest | None:
    """What an archive says of itself; None where that is not found at its end.

    Nothing is compared with what it holds. Raises OSError.
    """
    with open(path, "rb") as file:
        try:
            return _found(file)
        except (BadArchive, ValidationError, zstandard.ZstdError, RecursionError):
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
    frames = read_frames(file.fileno(), _LAST) or ()
    if any(one.unpacked > FRAME or one.size > 2 * FRAME for one in frames):
        return []
    machine = zstandard.ZstdDecompressor()
    return [
        machine.decompress(os.pread(file.fileno(), one.size, one.offset), one.unpacked)
        for one in frames
    ]
