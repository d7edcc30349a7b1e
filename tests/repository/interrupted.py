"""A transfer that a restart of the machine interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from sbctui.engine import journal
from sbctui.engine.engine import Engine
from sbctui.engine.events import Receiver, Started
from sbctui.engine.jobs import Jobs
from sbctui.engine.model.requests import SeedImages


def interrupted_seeding(engine: Engine, image: str, told: Mapping[str, str]) -> str:
    """Its job, whose process is gone; it had ``told`` what became of receivers."""
    plan = engine.plan(SeedImages(images=(image,), receivers=9, interface="lo"))
    jobs = Jobs(engine.path)
    claim = jobs.create(plan)
    with open(engine.path / "jobs" / claim.job / "events.jsonl", "ab", buffering=0) as file:
        write = journal.Writer(file).write
        write(Started(title=plan.title, total=1, at=time.time()))
        for who, state in told.items():
            write(Receiver(who=who, state=state, at=time.time()))
    os.close(claim.fd)
    return claim.job
