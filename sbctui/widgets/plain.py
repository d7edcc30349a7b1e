"""Text for terminals that lack glyphs: every cell that is drawn goes through here.

So a border, a name or a widget of another hand needs to know nothing of it.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

GLYPHS = {
    "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "║": "|", "┌": "+", "┐": "+", "└": "+",
    "┘": "+", "├": "+", "┤": "+", "┬": "+", "┴": "+", "┼": "+", "╭": "+", "╮": "+", "╰": "+",
    "╯": "+", "█": "#", "▌": "|", "▐": "|", "▊": "|", "▎": "|", "▔": "-", "▁": "_", "•": "*",
    "▲": "^", "▼": "v", "▶": ">", "◀": "<", "↑": "^", "↓": "v", "→": ">", "←": "<", "…": "~",
    "✓": "+", "✗": "x", "“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-",
}  # fmt: skip
_TABLE = str.maketrans(GLYPHS)
_LATIN = 0x250
"""Letters below are in the fonts of consoles."""


class Plain(LineFilter):
    """Lines and marks as ASCII; what can't be shown becomes ``?``, as wide as it was."""

    def __init__(self, encoding: str = "utf-8", *, wide: bool = True) -> None:
        super().__init__()
        self._encoding = encoding
        self._wide = wide

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, with text that this terminal can show."""
        return [
            s if s.text.isascii() else Segment(_plain(s.text, self._encoding, self._wide), *s[1:])
            for s in segments
        ]


@lru_cache(1024)
def _plain(text: str, encoding: str, wide: bool) -> str:
    return "".join(
        c if _fits(c, encoding, wide) else "?" * cell_len(c) for c in text.translate(_TABLE)
    )


def _fits(char: str, encoding: str, wide: bool) -> bool:
    if char.isascii():
        return True
    if not wide and ord(char) >= _LATIN:
        return False
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
