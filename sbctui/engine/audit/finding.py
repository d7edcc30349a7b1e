"""One disagreement, in words, with what can be done about it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from sbctui.engine.plan import Unit

Group = Literal["orphan", "mis-parented", "broken", "half-made", "stray", "conflict", "missing",
                "drift", "service"]  # fmt: skip
"""What kind of finding, in the order in which screens show them."""


class Kept(BaseModel):
    """That somebody keeps a finding as it is: why, through which day (UTC), since when, who."""

    model_config = ConfigDict(frozen=True)

    note: str
    until: date
    made: datetime
    by: str = ""


class Finding(BaseModel):
    """``id`` is stable while the fault stands: ``<check>:<subject>``.

    ``why`` explains in one or two sentences; ``proof`` is the evidence (a path, a config line,
    an open session); ``fix`` is the unit that mends it, or None and then ``unfixable`` says why.
    ``safe`` fixes lose nothing and hurt no running board. Bytes and epoch seconds. ``nodes`` are
    the nodes and export names it is about: where to go from it, and what it explains.
    ``trash`` moves what it is about to the trash, or None and then ``untrashable`` says why.
    ``kept``: an admin keeps it as it is, so it is counted no more; ``lapsed`` is the sentence
    that says why a pin of it holds no more.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    group: Group
    subject: str
    title: str
    why: str
    proof: str = ""
    bytes: int = 0
    since: float = 0.0
    fix: Unit | None = None
    fix_title: str = ""
    safe: bool = False
    unfixable: str = ""
    trash: Unit | None = None
    untrashable: str = ""
    kept: Kept | None = None
    lapsed: str = ""
    nodes: tuple[str, ...] = ()
