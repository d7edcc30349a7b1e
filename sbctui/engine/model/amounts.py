"""Bytes as people read them. Pure."""

from __future__ import annotations

_UNITS = "BKMGTP"


def exact(count: int) -> str:
    """The same with the number of bytes where that says more: ``16M (16777217 bytes)``."""
    return f"{size(count)} ({count} bytes)" if count >= 1000 else f"{count} bytes"


def size(count: float) -> str:
    """Bytes in binary units, at most five characters: ``0``, ``912B``, ``4.8G``, ``541G``."""
    if count <= 0:
        return "0"
    value, step = float(count), 0
    while value >= 999.5 and step < len(_UNITS) - 1:
        value, step = value / 1024, step + 1
    if step == 0 or value >= 9.95:
        return f"{value:.0f}{_UNITS[step]}"
    text = f"{value:.1f}".removesuffix(".0") or "0"
    return f"{text}{_UNITS[step]}"
