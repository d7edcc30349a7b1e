"""The facade: what the command line, the app and Python programs call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sbctui.engine.audit.finding import Finding
from sbctui.engine.disks.port import Usage
from sbctui.engine.events import Emit, Event, silent
from sbctui.engine.model.requests import Request, RestoreTrash, Source
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Site
from sbctui.engine.plan import Plan, Report
from sbctui.engine.services.port import Control


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its folder tells it. Times are epoch seconds; ``code`` as in ``Report``."""

    id: str
    title: str
    verb: str
    state: Literal["running", "done", "failed", "interrupted"]
    started: float
    finished: float = 0.0
    total: int = 0
    done: int = 0
    failed: int = 0
    code: int = 0


class Engine:
    """One site. Thread-safe; a snapshot is frozen, so share it freely."""

    def __init__(self, path: Path) -> None:
        """Raises NotASite, NotPermitted."""
        self.path = path
        self.control: Control

    def site(self) -> Site:
        """The newest snapshot with facts; cheap when nothing changed; rereads only what did."""
        raise NotImplementedError

    def source(self, path: Path) -> Source:
        """Look at what a root could be filled from. Raises BadInput when it is no image."""
        raise NotImplementedError

    def plan(self, request: Request) -> Plan:
        """Gather the request's facts and plan. Raises BadInput, Refused, NoSuchNode, NoSpace."""
        raise NotImplementedError

    def apply(self, plan: Plan, emit: Emit = silent, stop: threading.Event | None = None) -> Report:
        """Run a plan here and now, journaled. Raises Locked, PlanChanged, NotPermitted."""
        raise NotImplementedError

    def start(self, plan: Plan) -> str:
        """Run a plan in a session of its own that survives this process; its job id."""
        raise NotImplementedError

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        raise NotImplementedError

    def events(self, job: str, stop: threading.Event) -> Iterator[Event]:
        """A job's events from its beginning, then as they come, until Finished or ``stop``."""
        raise NotImplementedError

    def report(self, job: str) -> Report | None:
        """What became of a job; None while it runs."""
        raise NotImplementedError

    def cancel(self, job: str) -> None:
        """Ask a running job to stop; what is done stays."""
        raise NotImplementedError

    def undo(self) -> RestoreTrash:
        """The request that brings back what the last delete job took. Raises Refused."""
        raise NotImplementedError

    def audit(self, site: Site | None = None) -> tuple[Finding, ...]:
        """Every disagreement, in the groups' order."""
        raise NotImplementedError

    def usage(self, name: str) -> Usage:
        """A node's disk: apparent, allocated and exclusive bytes, measured now."""
        raise NotImplementedError


def init_site(path: Path, settings: Settings) -> Site:
    """Make a site in a new or empty folder. Raises Refused, NotPermitted, NotASite."""
    raise NotImplementedError
