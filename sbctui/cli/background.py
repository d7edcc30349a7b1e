"""Verbs that may go on for long: here and now, or as a job in a session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sbctui.cli import output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.cli.act import Make

option = click.option(
    "--background", is_flag=True, help="As a job in a session of its own; see: sbctui job."
)


def act_or_start(place: Place, make: Make, how: How, *, background: bool) -> int:
    """Do it and wait for its end; or with ``background`` start it, and tell the job."""
    if not background or how.dry_run or place.doer.hands_over:
        return act(place, make, how)
    from sbctui.cli.act import agreed

    place.refuse_if_read_only()
    engine = place.engine()
    plan = engine.plan(make(engine))
    if not agreed(plan, how):
        return 0
    job = engine.start(plan)
    if how.json:
        output.document({"job": job})
    else:
        output.lines([f"the job {job} does it; sbctui job follow {job}, or job cancel {job}"])
    return 0
