"""The hash of an image as the ``.sha256`` beside it tells it, without reading the image."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from sbctui.engine.model.node import Origin

ENDING = ".sha256"
_LINE = 4096
_SUM = re.compile(r"[0-9a-f]{64}")


def told_sum(path: Path) -> str:
    """The word in the side file, in the form of sha256sum(1); empty when there is none."""
    try:
        with path.with_name(path.name + ENDING).open("rb") as file:
            word = file.read(_LINE).split(b" ", 1)[0].removeprefix(b"\\")
    except OSError:
        return ""
    return word.decode("ascii", "replace").strip().lower()


def made_of(address: str, path: Path) -> Origin:
    """An image as what is made of it remembers it; without a hash that is older than the image."""
    known = ""
    with suppress(OSError):
        beside = os.stat(path.with_name(path.name + ENDING)).st_mtime_ns
        known = told_sum(path) if beside >= os.stat(path).st_mtime_ns else ""
    return Origin(image=address, sha256=known if _SUM.fullmatch(known) else "")
