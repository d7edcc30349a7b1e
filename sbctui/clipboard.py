"""Text for the clipboard of the machine one sits at: OSC 52, which goes over ssh as well."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal

MOST = 74_994
"""Bytes of text that terminals take: 100,000 of the whole sequence."""
_SCREEN_PART = 240
"""GNU screen passes on so much at a time."""


def fitting(text: str) -> str:
    """As much of the beginning of ``text`` as terminals take."""
    return text.encode()[:MOST].decode(errors="ignore")


def sequence(text: str, wrap: Literal["", "tmux", "screen"]) -> str:
    """What to send so that ``text`` is on the clipboard; ``wrap`` is the multiplexer between.

    To tmux it is said twice: to itself, for its ``set-clipboard on``, and to be passed on, for
    its ``allow-passthrough``.
    """
    plain = f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07"
    if wrap == "tmux":
        return plain + "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if wrap == "screen":
        parts = (plain[i : i + _SCREEN_PART] for i in range(0, len(plain), _SCREEN_PART))
        return "".join(f"\x1bP{part}\x1b\\" for part in parts)
    return plain
