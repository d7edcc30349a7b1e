"""The verbs inside a console: the same grammar and the same functions, another way of asking.

What a verb prints is caught; what it would change is handed to the console, which shows the plan
and starts a job. Nothing here reads or writes the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sbctui.cli import output
from sbctui.cli.failing import Declined, Failed, ours
from sbctui.cli.main import cli
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput, Refused
from sbctui.port import Console, Told, Verb

if TYPE_CHECKING:
    from sbctui.cli.act import Make
    from sbctui.engine.engine import Engine

_INSTEAD = {
    "supervise": "the services' keeper runs in a terminal of its own; here: services start",
    "completion": "completion is for shells, and works in this line by itself",
    "job run": "jobs are started by their plans, never by hand; E on it in pane 4 does the rest",
    "lab exec": "programs run in a lab from a shell: sbctui lab exec PROGRAM",
    "board watch": "it goes on until Ctrl+C, in a terminal of its own; here: board watch --once",
    "job follow": "the console follows every job: pane 4, and Enter on it",
}
"""What makes no sense inside a console, and what to do instead."""
_CHANGES = ("job cancel",)
"""Verbs that change something and have no plan."""
_MAY_LOOK = ("audit", "repo sidefiles")
"""Verbs that have a plan only with an option."""


class Inside:
    """The ``Verbs`` of this program."""

    def known(self) -> Sequence[Verb]:
        """Nouns' verbs and lone verbs, in the order of the help."""
        return tuple(_verbs(click.Context(cli, info_name="sbctui"), ""))

    def complete(
        self, words: Sequence[str], incomplete: str, path: Path
    ) -> Sequence[tuple[str, str]]:
        """As a shell is answered, without what makes no sense here."""
        from sbctui.cli.completing import complete

        found = complete(list(words), incomplete, Place(str(path)))
        before = " ".join(words)
        return [one for one in found if f"{before} {one[0]}".strip() not in _INSTEAD]

    def run(self, words: Sequence[str], console: Console) -> Told:
        """Do a line and catch what it prints."""
        with output.captured(console.columns) as text:
            try:
                code = _do(list(words), console)
            except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - told in the line
                if isinstance(error, click.exceptions.Exit):
                    return Told(error.exit_code, text.getvalue(), "")
                found = ours(error, Path.home())
                code = found.exit_code if isinstance(found, Failed) else found.code
                return Told(code, text.getvalue(), str(found))
        return Told(code, text.getvalue(), "")


def _read_only() -> Refused:
    from sbctui.engine.rules import READ_ONLY  # loads the model, too long before the first frame

    return Refused(READ_ONLY)


def _do(words: list[str], console: Console) -> int:
    if words[0].startswith("-"):
        raise BadInput(
            f"this console has {console.path} open; for another site leave it with q "
            "and start: sbctui --site DIR"
        )
    path, command = _found(words)
    if path in _INSTEAD:
        raise Refused(_INSTEAD[path])
    if {"-h", "--help"} & set(words):
        output.lines(command.get_help(command_context(words, console.columns)).splitlines())
        return 0
    if console.read_only and _changes(path, command) and "--dry-run" not in words:
        raise _read_only()
    place = _OpenPlace(str(console.path), console)
    code = cli.main(words, prog_name="sbctui", standalone_mode=False, obj=place)
    return code if isinstance(code, int) else 0


def _found(words: Sequence[str]) -> tuple[str, click.Command]:
    """The longest beginning of a line that is a verb or noun, and its command."""
    context = command_context(words, 80)
    return context.command_path.partition(" ")[2], context.command


def command_context(words: Sequence[str], columns: int) -> click.Context:
    """The context of the command that a line begins with; the program's own when none."""
    context = click.Context(
        cli, info_name="sbctui", terminal_width=columns, help_option_names=["-h", "--help"]
    )
    for word in words:
        if not isinstance(context.command, click.Group):
            break
        found = context.command.get_command(context, word)
        if found is None:
            break
        context = click.Context(found, parent=context, info_name=word)
    return context


def _verbs(context: click.Context, before: str) -> Iterator[Verb]:
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        words = f"{before} {name}".strip()
        if command is None or command.hidden or words in _INSTEAD:
            continue
        if isinstance(command, click.Group):
            yield from _verbs(click.Context(command, parent=context, info_name=name), words)
        else:
            yield Verb(words, command.get_short_help_str(200), _changes(words, command))


def _changes(words: str, command: click.Command) -> bool:
    plans = any(param.name == "dry_run" for param in command.params)
    return words in _CHANGES or (plans and words not in _MAY_LOOK)


@dataclass(frozen=True)
class _OpenPlace(Place):
    """The site that the console has open, through its engine."""

    console: Console | None = None

    @property
    def _console(self) -> Console:
        assert self.console is not None
        return self.console

    @property
    def option(self) -> str:
        """Nothing: lines typed in the console are about its site."""
        return ""

    def engine(self) -> Engine:
        """The console's."""
        return self._console.engine()

    @property
    def doer(self) -> _ByConsole:
        """The console."""
        return _ByConsole(self._console)


class _ByConsole:
    """What changes something is shown as a plan, and asked for where it has none."""

    hands_over = True

    def __init__(self, console: Console) -> None:
        self._console = console

    def change(self, make: Make, how: How) -> int:
        """Hand it over. Raises Refused in a console that only looks."""
        self._refuse_if_read_only()
        self._console.offer(make)
        return 0

    def confirm(self, title: str, lines: Sequence[str], word: str, how: How) -> None:
        """Ask in a dialog, also when the line says --yes. Raises Declined, Refused."""
        self._refuse_if_read_only()
        if not self._console.ask(title, lines, word):
            raise Declined(f"not done: {title} was declined; nothing was changed")

    def announce(self, title: str) -> None:
        """What a terminal is not asked about, a console asks about."""
        self.confirm(title, (), "", How())

    def _refuse_if_read_only(self) -> None:
        if self._console.read_only:
            raise _read_only()
