"""What a verb that was typed in the console printed, and how it ended."""

from __future__ import annotations

from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.port import EXITS, Told
from sbctui.screens.modal import TextModal


class VerbOutput(TextModal):
    """As wide as the screen: tables want it."""

    def __init__(self, line: str, told: Told) -> None:
        lines: list[Line] = [((clean(row) or " ", ""),) for row in told.text.splitlines()]
        if told.error:
            lines.append(((clean(told.error), "bad"),))
        tone = "good" if told.code == 0 else "warn"
        lines.append(((f"exit {told.code}: {EXITS.get(told.code, 'see docs/cli.md')}", tone),))
        super().__init__(f": {clean(line)}", lines)

    def columns(self) -> int:
        """The width of the text."""
        return max(20, self.app.size.width - 5)
