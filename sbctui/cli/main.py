"""The top of the command line: verbs loaded when asked for, every error one sentence and a code.

Nothing heavy is imported here: a noun's file, the engine and the app come in with the verb that
needs them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from sbctui import __version__
from sbctui.cli import output
from sbctui.cli.failing import told, wants_json
from sbctui.cli.options import FOLDER
from sbctui.cli.place import Place
from sbctui.engine.errors import SbcError
from sbctui.lab import PLACE

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_VERBS = {
    "setup": "make a server for boards of this machine",
    "site": "make a site, or show what it is",
    "root": "images: create, list, clone, export, import, allocate, resize, rename, delete",
    "image": "OS images kept for roots, and the default root of a board model",
    "leaf": "one board's own copy of a root: create, list, edit, attach, export, delete",
    "archive": "what an exported archive holds, and whether it is whole",
    "overlay": "files laid over an image, for a group and for a board: show, add, apply",
    "group": "groups of nodes: list, set, rename, delete, with all that is theirs",
    "node": "everything about one node",
    "boot": "what a node's board asks for and gets, and whether it could boot",
    "board": "boards by MAC: which are up, which ask, how far each boot came",
    "bootkit": "initramfs of our own, for roots whose own can't have a disk over the network",
    "repo": "repositories of images, here and elsewhere: list, add, mount, check, send to many",
    "cache": "images of other repositories kept here: update, verify, restore",
    "trash": "what was deleted: list, restore, purge",
    "undo": "bring back what the last delete took",
    "audit": "what disagrees on this site, and mending it",
    "services": "DHCP, TFTP and NBD: status, start, stop, apply",
    "supervise": "keep the services running, in the foreground",
    "doctor": "what this machine lacks, and the command that mends it",
    "job": "running and past jobs: list, show, follow, cancel",
    "keys": "what the keys of the terminal UI do, as they are set",
    "lab": "a throw-away site with simulated boards, to try all this",
    "completion": "verbs and names by the Tab key, in bash, zsh or fish",
}
COMPLETE = "_SBCTUI_COMPLETE"
"""Set by the scripts of ``sbctui completion``: the shell's name; what is typed comes with it."""
_PATIENCE = 1.0
"""Seconds in which a file system that works has told what is in a folder."""
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Lazy(click.Group):
    """A group whose verbs live in files of their own, imported when one is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The nouns, in the order a new user meets them."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now."""
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"sbctui.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The nouns that begin as typed, without importing any; or the program's own options."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(n, help=h) for n, h in _VERBS.items() if n.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_Lazy, invoke_without_command=True, context_settings=_HELP)
@click.option("--site", "given", type=FOLDER, metavar="DIR",
              help="The site's folder (else SBCTUI_SITE, else 'site' in "
              "~/.config/sbctui/config.toml or /etc/sbctui/config.toml).")  # fmt: skip
@click.option("--read-only", is_flag=True, help="Only look: whatever changes something is refused.")
@click.option("--or-lab", is_flag=True,
              help="Open a lab in a box where no site is configured.")  # fmt: skip
@click.version_option(__version__, message="sbctui %(version)s")
@click.pass_context
def cli(ctx: click.Context, given: str | None, read_only: bool, or_lab: bool) -> None:
    """Manage the network-booted boards of a lab. Without a verb: the terminal UI.

    Exit codes: 0 done, 1 failed or declined, 2 can't be parsed, 3 refused by a rule, 4 no such
    node, 5 permission, 6 an outside tool failed or is missing, 7 partly done, 8 findings, 9 no
    space, 10 no cache, 75 locked by another run, 130 interrupted.
    """
    ctx.obj = ctx.obj or Place(given, read_only=read_only)
    if ctx.invoked_subcommand is None:
        _console(ctx, or_lab=or_lab)


def _console(ctx: click.Context, *, or_lab: bool) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        output.error_text(ctx.get_help())
        ctx.exit(2)
    place: Place = ctx.obj
    if or_lab and not place.configured:
        from sbctui.cli.lab import instead_of_a_site

        instead_of_a_site()
    _refuse_what_is_no_site(place)
    from sbctui.app import run_app
    from sbctui.cli.inside import Inside

    said = _greeting() if PLACE in os.environ else ""
    ctx.exit(run_app(place.path, read_only=place.read_only, verbs=Inside(), greeting=said))


def _greeting() -> str:
    from sbctui.lab.remote import greeting

    return greeting()


def _refuse_what_is_no_site(place: Place) -> None:
    """Raises like ``to_open``; where nothing answers the console opens, and says so."""
    path, refused = place.path, list[Exception]()

    def look() -> None:
        try:
            if place.read_only or place.found() == "other":
                place.to_open()
        except SbcError as error:
            refused.append(error)

    looking = Thread(target=look, daemon=True, name=f"look at {path}")
    looking.start()
    looking.join(_PATIENCE)
    if refused:
        raise refused[0]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. Prints what it has to say and never raises."""
    output.prepare()
    if asked := os.environ.get(COMPLETE):
        from sbctui.cli.completion import answer

        return answer(asked)
    try:
        code = cli.main(list(arguments), prog_name="sbctui", standalone_mode=False)
        output.flush()
        return code if isinstance(code, int) else 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last one to ask
        return told(error, json=wants_json(arguments), home=Path.home())
