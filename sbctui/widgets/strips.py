"""A line of text and tones as cells of a certain width."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from sbctui.format import Line
from sbctui.widgets.looks import STYLES


def strip(line: Line, width: int, over: Style | None = None) -> Strip:
    """A line as cells, exactly ``width`` wide; ``~`` at its end says that some is missing.

    ``over`` replaces the tones when it reverses, else it is laid over them.
    """
    segments = [Segment(text, look(tone, over)) for text, tone in line]
    made = Strip(segments)
    if made.cell_length > width:
        last = segments[-1].style
        made = Strip([*made.crop(0, width - 1), Segment("~", last)])
    return made.extend_cell_length(width, look("", over))


def look(tone: str, over: Style | None) -> Style:
    """The style of a tone under ``over``."""
    if over is None:
        return STYLES[tone]
    return over if over.reverse else STYLES[tone] + over
