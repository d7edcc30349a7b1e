"""How far each boot of a board came: what happened, and what a wall of boards shows of it.

Times are epoch seconds, durations seconds and never negative. Texts from outside are cleaned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageName = Literal["asked", "offered", "files", "disk", "write", "up"]
STAGES: tuple[StageName, ...] = ("asked", "offered", "files", "disk", "write", "up")
"""In order: asked for an address, was given it, fetched boot files, opened its disk, wrote to it
for the first time, answers by ssh."""
StageState = Literal["done", "now", "failed", "waiting"]
"""``now``: it is at this one; ``failed``: it stopped here; ``waiting``: it has not come so far."""
BootState = Literal["booting", "running", "up", "stopped", "off"]
"""``running``: it writes to its disk and does not answer by ssh; ``off``: it ran, and has let go
of its disk again."""
Outcome = Literal["sent", "missing", "failed"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file the board asked for by TFTP or HTTP, as it named it.

    ``at`` is when it was last answered, ``times`` how often, ``size`` in bytes. ``seconds`` is
    what it took by HTTP, by TFTP since the board's step before; None where nothing was sent.
    ``why`` is the reason of a failure.
    """

    path: str
    at: float
    outcome: Outcome
    times: int = 1
    size: int | None = None
    seconds: float | None = None
    why: str = ""
    by: Literal["tftp", "http"] = "tftp"


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot as it was observed; a time is None for what was not.

    ``began`` names it: the first thing known of it. ``tries`` counts requests for an address
    before the first file, ``left_out`` files beyond those kept. ``ended`` and ``end`` are when and
    why its disk's connection went. ``refused`` is why the gate let it not have its disk.
    ``asked_again``, ``offered_again``: it asked again since, as its system does, or its next boot.
    """

    mac: str
    began: float
    last: float
    ip: str = ""
    tries: int = 0
    asked: float | None = None
    offered: float | None = None
    leased: float | None = None
    asked_again: float | None = None
    offered_again: float | None = None
    files: tuple[Fetched, ...] = ()
    left_out: int = 0
    disk: float | None = None
    connections: int = 0
    refused: str = ""
    write: float | None = None
    up: float | None = None
    ended: float | None = None
    end: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a boot. ``title`` is for people, ``detail`` one short line more, or empty.

    ``at`` is when it was reached. ``seconds``: how long it took since the step before; for one
    that is ``now`` or ``failed``, how long it has been waited for.
    """

    name: StageName
    title: str
    state: StageState
    at: float | None = None
    seconds: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """One boot as it is judged at one moment.

    ``node`` is the node's folder and ``hostname`` its shown name; both empty for a board that
    has none any more. ``stage`` is where it is or stopped. ``seconds`` is from its beginning to
    being up, or to now. ``silent`` is since anything was heard of it. ``reason`` is one sentence:
    why it stopped, or what it is waiting for; empty when it is up.
    """

    mac: str
    node: str
    hostname: str
    ip: str
    began: float
    state: BootState
    stage: StageName
    seconds: float
    silent: float
    reason: str
    stages: tuple[Stage, ...]
    files: tuple[Fetched, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class BootNews:
    """Boots that changed since an earlier look; ``version`` is what to name at the next."""

    version: int
    boots: tuple[Boot, ...] = ()
