"""Who made a network card, by the first half of its MAC, from the table that udev brings.

``20-OUI.hwdb`` is text (man hwdb): ``OUI:`` and 6, 7 or 9 hex digits and ``*`` on one line, below
it `` ID_OUI_FROM_DATABASE=`` and the name.
"""

from __future__ import annotations

import mmap
from functools import lru_cache
from pathlib import Path

from sbctui.engine.model.text import clean

TABLES = (
    Path("/usr/lib/udev/hwdb.d/20-OUI.hwdb"),
    Path("/lib/udev/hwdb.d/20-OUI.hwdb"),
)
PACKAGE = "udev"
"""Debian's package that has it."""
_WIDTHS = (9, 7, 6)
_NAME = b" ID_OUI_FROM_DATABASE="
_LONGEST = 80


def is_local(mac: str) -> bool:
    """Whether nobody was given this MAC: it was made up, as on boards without an EEPROM."""
    return bool(int(mac[1], 16) & 2)


@lru_cache(maxsize=4096)
def vendor(mac: str, tables: tuple[Path, ...] = TABLES) -> str:
    """The maker's name, cleaned; empty when the MAC is made up, unknown, or no table is there."""
    if is_local(mac):
        return ""
    digits = mac.replace(":", "").upper().encode()
    for path in tables:
        try:
            with (
                path.open("rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as table,
            ):
                return _find(table, digits)
        except (OSError, ValueError):
            continue
    return ""


def _find(table: mmap.mmap, digits: bytes) -> str:
    """The name under the longest prefix that is listed."""
    for width in _WIDTHS:
        at = table.find(b"\nOUI:" + digits[:width] + b"*\n")
        if at < 0:
            continue
        name = table.find(b"\n", at + 1) + 1
        if table[name : name + len(_NAME)] == _NAME:
            end = table.find(b"\n", name)
            raw = table[name + len(_NAME) : end if end >= 0 else None]
            return clean(raw.decode("utf-8", errors="replace")[:_LONGEST])
    return ""
