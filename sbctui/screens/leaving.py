"""Leaving while jobs run: leave them running, stop them, or stay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sbctui import format as fmt
from sbctui.screens.job_view import JobView
from sbctui.screens.modal import Modal, keys_line
from sbctui.widgets.bars import Bar

Answer = Literal["leave", "stop"]


class LeavingScreen(Modal[Answer]):
    """``leave`` the jobs running, ``stop`` them, or None: stay."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "leave", show=False),
        Binding("l", "answer('leave')", show=False),
        Binding("s", "answer('stop')", show=False),
    ]

    def __init__(self, jobs: Sequence[JobView]) -> None:
        super().__init__(f"{fmt.plural(len(jobs), 'job')} running")
        self._jobs = jobs

    def body(self) -> Iterable[Widget]:
        """The jobs, what becomes of them, the keys."""
        for job in self._jobs[:5]:
            row = Bar()
            row.show(((f"  {job.title}", ""),))
            yield row
        for text in (
            "Left running, they go on without this screen and are found",
            "again at the next start. Stopped, what they have done stays.",
        ):
            row = Bar()
            row.show(((text, "dim"),))
            yield row
        keys = Bar(id="keys")
        stay = ((" ", ""), ("[ Stay ]", "bar"))
        keys.show((*stay, *keys_line(("l", "leave them running"), ("s", "stop them, then leave"))))
        yield keys

    def action_answer(self, answer: Answer) -> None:
        """Close with an answer."""
        self.dismiss(answer)
