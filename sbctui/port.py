"""The command line inside the console: what each of the two knows of the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request


EXITS = {
    0: "done", 1: "failed, or declined", 2: "can't be parsed", 3: "refused by a rule",
    4: "no such node", 5: "permission", 6: "an outside tool failed or is missing",
    7: "partly done", 8: "findings", 9: "no space", 75: "locked by another run",
    130: "interrupted",
}  # fmt: skip
"""What the exit codes of the command line mean."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line: ``root create``, one line about it, whether it ``changes``."""

    words: str
    help: str
    changes: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What a typed verb came to: its exit code, what it printed, and its sentence if it failed."""

    code: int
    text: str
    error: str


class Console(Protocol):
    """What a typed verb may ask of the console; all of it is called in a thread."""

    @property
    def path(self) -> Path:
        """The open site's folder."""

    @property
    def read_only(self) -> bool:
        """Whether this console only looks."""

    @property
    def columns(self) -> int:
        """The width that tables are cut to."""

    def engine(self) -> Engine:
        """The open site's engine. Raises Refused before it is open."""

    def offer(self, make: Callable[[Engine], Request]) -> None:
        """Show the plan of what ``make`` asks for; agreed to, it runs as a job."""

    def ask(self, title: str, lines: Sequence[str], word: str) -> bool:
        """Whether the admin says y to what is no plan, or types ``word``."""


class Verbs(Protocol):
    """What the console asks of the command line; nothing of it is for an event loop."""

    def known(self) -> Sequence[Verb]:
        """The verbs that can be used inside a console."""

    def complete(
        self, words: Sequence[str], incomplete: str, path: Path
    ) -> Sequence[tuple[str, str]]:
        """Values for a half-typed word behind ``words``, each with one line about it."""

    def run(self, words: Sequence[str], console: Console) -> Told:
        """Do a line, without the program's name. Never raises."""
