"""What an admin keeps as it is: findings of the audit with a note and a last day (``pins.json``).

Schema 1. Unknown keys survive a read and a write. Sizes are bytes, times UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PINS = "pins.json"
"""The file's name in the site's folder."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class Pin(_Stored):
    """One finding that is kept through the day ``until``.

    ``title``, ``proof`` and ``bytes`` are what the finding said then: one that says something
    else now is not the one that was kept. ``by`` is who kept it.
    """

    finding: str
    title: str
    proof: str = ""
    bytes: int = Field(default=0, ge=0)
    note: str
    until: date
    made: datetime
    by: str = ""


class Pins(_Stored):
    """All of them, each finding once."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    pins: tuple[Pin, ...] = ()

    def changed(self, add: tuple[Pin, ...], drop: tuple[str, ...]) -> Pins:
        """With more pins, in place of older ones of the same findings, and without others."""
        gone = {*drop, *(pin.finding for pin in add)}
        left = tuple(pin for pin in self.pins if pin.finding not in gone)
        return self.model_copy(update={"pins": (*left, *add)})

    def to_json(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json(indent=2, by_alias=True).encode() + b"\n"


def day(now: float) -> date:
    """The day (UTC) of a time in epoch seconds."""
    return datetime.fromtimestamp(now, UTC).date()
