"""A list of boards in a file: read whole, and told from what is no text."""

from __future__ import annotations

import codecs
import stat
from pathlib import Path

from sbctui.engine.errors import BadInput, from_os
from sbctui.engine.model.addresses import shown

LARGEST = 16 * 1024**2
"""Bytes of a list that are read."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_list(path: Path) -> str:
    """The text of a file. Raises BadInput for what is no list: missing, a folder, not text."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInput(f"{shown(path.name)} is no file; give a list of MACs or a CSV")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise BadInput(f"there is no file {shown(str(path))}") from None
    except OSError as error:
        raise from_os(error, f"reading {shown(path.name)}") from error
    return decode_list(data, path.name)


def decode_list(data: bytes, name: str) -> str:
    """Bytes as text, as spreadsheets save it too. Raises BadInput when too large or no text."""
    if len(data) > LARGEST:
        raise BadInput(
            f"{shown(name)} is larger than {LARGEST // 1024**2} MiB; it is no list of MACs"
        )
    if data.startswith(_UTF16):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise BadInput(f"{shown(name)} is no text; give a list of MACs or a CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
