"""A job's journal as lines: commands, what they said, and what became of each unit; pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sbctui import format as fmt
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.events import Event, Output, UnitFinished

Kind = Literal["command", "output", "info", "warning", "unit", "end"]
_TONES = {"command": "dim", "warning": "warn", "output": "dim", "info": "", "end": ""}
_INDENT = " " * 11


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: clean lines, without times; ``bad`` when it is an error."""

    kind: Kind
    lines: tuple[str, ...]
    at: float = 0.0
    bad: bool = False

    @property
    def text(self) -> str:
        """As it is copied and searched."""
        return "\n".join(self.lines)

    @property
    def tone(self) -> str:
        """How it looks."""
        return "bad" if self.bad else _TONES.get(self.kind, "")


def entry(event: Event) -> Entry | None:
    """What an event adds to the log; None when it is only progress."""
    match event.kind:
        case "note":
            sign = {"command": "$ ", "warning": "! "}.get(event.level, "")
            kind: Kind = event.level
            return Entry(kind, (sign + clean(event.text),), event.at)
        case "output":
            return _output(event)
        case "receiver":
            text = f"{clean(event.who)}: {clean(event.state)}"
            return Entry("info", (text,), event.at)
        case "unit-finished":
            return _unit(event)
        case "waiting":
            text = f"waits for {clean(event.holder)}" if event.holder else "goes on"
            return Entry("info", (text,), event.at)
        case _:
            return None


def _output(event: Output) -> Entry:
    said = tuple(clean(line) for line in event.text.splitlines())
    took = f"after {event.seconds:.1f} s"
    if event.code:
        how = f"exit code {event.code}" if event.code > 0 else "it was ended"
        return Entry("output", (f"! {how} {took}", *said), event.at, bad=True)
    return Entry("output", said or (f"it ended well {took}",), event.at)


def _unit(event: UnitFinished) -> Entry:
    failed = event.outcome == "failed"
    text = f"{'! ' if failed else ''}{event.outcome:8}{clean(event.title)}"
    text += f": {clean(event.error)}" if event.error else ""
    return Entry("unit", (text,), event.at, bad=failed)


def rows(one: Entry, width: int) -> list[fmt.Line]:
    """The lines of an entry in at most ``width`` columns."""
    lines = [_below(text, one.tone) for text in one.lines]
    if one.kind != "output":
        when = time.strftime("%H:%M:%S ", time.localtime(one.at)) if one.at else ""
        lines[0] = ((when, "dim"), (one.lines[0], one.tone))
    return fmt.wrapped(lines, max(20, width))


def _below(text: str, tone: str) -> fmt.Line:
    """An indented line; what of it is continued stands under its text."""
    lead = len(text) - len(text.lstrip())
    return ((_INDENT + " " * lead, ""), (text[lead:], tone))


def errors(entries: Sequence[Entry]) -> str:
    """All errors, each with the command that led to it; empty when there are none."""
    blocks: list[str] = []
    command = ""
    for one in entries:
        if one.kind == "command":
            command = one.text
        elif one.bad:
            blocks.append(f"{command}\n{one.text}" if command else one.text)
            command = ""
        elif one.kind == "unit":
            command = ""
    return "\n".join(blocks)


def around(entries: Sequence[Entry], index: int) -> str:
    """One entry as it is copied: what a command said comes with the command."""
    one = entries[index]
    if one.kind == "output" and index and entries[index - 1].kind == "command":
        return f"{entries[index - 1].text}\n{one.text}"
    return one.text
