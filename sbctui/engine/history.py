"""Which jobs were about which node, as their plans say. A plan never changes: each is read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from sys import intern

from sbctui.engine.errors import NoSuchNode
from sbctui.engine.jobfolder import Job, read_plan
from sbctui.engine.model.requests import RenameRoot

_NAMES = re.compile(rb'"(?:node|name|root|source|to)":\s*"([a-z0-9-]{1,63})"')
"""The keys of a plan whose value is a node's name; parsing a plan of a thousand costs 100 times."""


class History:
    """The jobs folder, by node. Reads every plan on the first question."""

    def __init__(self, jobs: Path) -> None:
        self._folder = jobs
        self._named: dict[str, frozenset[str]] = {}

    def of(self, name: str, jobs: Sequence[Job], limit: int) -> tuple[Job, ...]:
        """Those of ``jobs`` (newest first) that were about the node, under earlier names too."""
        there = {job.id for job in jobs}
        self._named = {job: names for job, names in self._named.items() if job in there}
        found: list[Job] = []
        for job in jobs:
            if name in self._names(job.id):
                found.append(job)
                name = self._before(job, name)
                if len(found) == limit:
                    break
        return tuple(found)

    def _names(self, job: str) -> frozenset[str]:
        if job not in self._named:
            try:
                data = (self._folder / job / "plan.json").read_bytes()
            except OSError:
                return frozenset()
            self._named[job] = frozenset(intern(n.decode()) for n in set(_NAMES.findall(data)))
        return self._named[job]

    def _before(self, job: Job, name: str) -> str:
        """What the node was called before this job."""
        if job.verb != "root rename" or job.state != "done":
            return name
        try:
            request = read_plan(self._folder / job.id).request
        except NoSuchNode:
            return name
        return request.name if isinstance(request, RenameRoot) and request.to == name else name
