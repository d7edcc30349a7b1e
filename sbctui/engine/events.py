"""What the engine tells while it works: small frozen values, sent to one callback.

Bytes are bytes, times are seconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Started(_Event):
    """A plan begins; ``total`` units that count are ahead."""

    kind: Literal["started"] = "started"
    title: str
    total: int
    at: float


class UnitStarted(_Event):
    """Unit number ``index`` (from 0) begins."""

    kind: Literal["unit-started"] = "unit-started"
    index: int
    title: str
    at: float


class Progress(_Event):
    """Inside a long step: ``done`` of ``total`` bytes; ``total`` is 0 when it can't be known."""

    kind: Literal["progress"] = "progress"
    what: str
    done: int
    total: int
    at: float = 0.0


class Waiting(_Event):
    """The site's lock is another's: ``holder`` in words; empty when the job goes on."""

    kind: Literal["waiting"] = "waiting"
    holder: str
    at: float


class Output(_Event):
    """How the last command ended: exit code (-1: it was ended), seconds, what it said at last.

    ``text`` is cleaned, one line of the command's a line.
    """

    kind: Literal["output"] = "output"
    code: int
    seconds: float
    text: str = ""
    at: float


class Note(_Event):
    """A sentence for the log: a command run, an outcome, a warning."""

    kind: Literal["note"] = "note"
    level: Literal["command", "info", "warning"]
    text: str
    at: float


class Receiver(_Event):
    """What became, up to now, of one of those to whom something is sent or offered.

    ``who`` is its address, after the image's name where there are several.
    """

    kind: Literal["receiver"] = "receiver"
    who: str
    state: str
    at: float


class UnitFinished(_Event):
    """Unit ``index`` stands (``error`` empty), was skipped, or failed and was undone.

    ``done`` and ``failed`` count the units up to now, as ``Finished`` does.
    """

    kind: Literal["unit-finished"] = "unit-finished"
    index: int
    title: str
    outcome: Literal["done", "failed", "skipped"]
    error: str = ""
    done: int = 0
    failed: int = 0
    at: float


class Finished(_Event):
    """The plan is over; ``code`` is the exit code the command line would return.

    Units that only prepare or tidy up are counted when they failed.
    """

    kind: Literal["finished"] = "finished"
    code: int
    done: int
    failed: int
    skipped: int
    at: float


Event = Annotated[
    Started | UnitStarted | Progress | Waiting | Note | Output | Receiver | UnitFinished | Finished,
    Field(discriminator="kind"),
]
Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """An ``Emit`` for callers that want no events."""
