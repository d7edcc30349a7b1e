"""One run of bulk creation: its bar, and what of it has to be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from sbctui import format as fmt
from sbctui.format import Line
from sbctui.messages import World
from sbctui.screens.bulk_text import failures
from sbctui.screens.job_view import JobView, line
from sbctui.widgets.rows import Rows

if TYPE_CHECKING:
    from sbctui.engine.model.requests import LeafSpec
    from sbctui.engine.plan import Report


class Run(Rows):
    """The bar with what is being made below it; hidden until a run begins."""

    @dataclass
    class Ended(Message):
        """The job is over."""

        job: JobView

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.display = False
        self.job = ""
        self.runs = False
        self._specs: dict[str, LeafSpec] = {}

    def begin(self, job: str, wanted: Sequence[LeafSpec]) -> None:
        """Follow a job that makes these."""
        self.job, self.runs, self.display = job, True, True
        self._specs = {leaf.mac: leaf for leaf in wanted}

    def follow(self, world: World) -> None:
        """Show how far it is."""
        job = next((j for j in world.jobs if j.id == self.job), None)
        if job is None:
            return
        told = f"  {job.unit}" if job.unit else f"  {fmt.plural(job.failed, 'line')} to retry above"
        below: dict[str, Line] = {"unit": ((told, "dim"),)} if job.running or job.failed else {}

        def draw(key: str, width: int) -> Line:
            return line(job, width) if key == "job" else below[key]

        self.show(["job", *below], draw)
        if self.runs and not job.running:
            self.runs = False
            self.post_message(self.Ended(job))

    def again(self, report: Report) -> tuple[dict[str, str], list[LeafSpec]]:
        """What was asked for and not made: the reason by MAC, and the leaves."""
        failed = dict(failures(report, self._specs))
        return failed, [self._specs[mac] for mac in failed]
