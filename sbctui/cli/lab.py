"""``sbctui lab``: a throw-away site with simulated boards."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from sbctui.cli import options, output
from sbctui.engine.errors import Refused

if TYPE_CHECKING:
    from sbctui.cli.names import Named, Typing
    from sbctui.lab.spec import Power, State


def _macs(at: Typing) -> Iterable[Named]:
    from sbctui.engine.errors import SbcError
    from sbctui.lab.remote import boards

    try:
        return [(board.mac, board.label) for board in boards()]
    except SbcError:
        return ()


@click.group(invoke_without_command=True, no_args_is_help=False)
@click.option("-q", "--quiet", is_flag=True, help="Don't say what is being made.")
@click.pass_context
def lab(ctx: click.Context, quiet: bool) -> None:
    """A lab in a box: the terminal UI on a throw-away site, with real services and simulated
    boards in a network of its own. Nothing of it reaches the real one or stays behind.
    """
    if ctx.invoked_subcommand is not None:
        return
    if output.is_captured() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Refused("the lab opens on a terminal; without one: sbctui lab exec PROGRAM")
    open_lab(quiet=quiet)


def open_lab(*, quiet: bool = False) -> None:
    """Become the terminal UI of a lab. Raises Refused inside one, ToolMissing."""
    _enter([sys.executable, "-P", "-m", "sbctui"], quiet=quiet)


def instead_of_a_site() -> None:
    """Open a lab because there is no site, and say so."""
    output.error_lines(
        ["no site is configured: this is a lab in a box (for real: sudo sbctui setup)"]
    )
    open_lab()


def _enter(program: list[str], *, quiet: bool) -> None:
    from sbctui.lab.world import enter, possible

    world = possible()
    if world.isolation == "none":
        output.error_lines([
            f"lab: this kernel gives {'root' if _root() else 'you'} no network of its own: "
            f"{world.reason}",
            "lab: so there is neither DHCP nor TFTP here; boards get their disks on the loopback",
        ])  # fmt: skip
    enter(world, program, quiet=quiet)


def _root() -> bool:
    import os

    return os.geteuid() == 0


@lab.command("exec", context_settings={"ignore_unknown_options": True})
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-q", "--quiet", is_flag=True, help="Don't say what is being made.")
def exec_(program: tuple[str, ...], quiet: bool) -> None:
    """Run PROGRAM in a lab, as a script or a shell; sbctui is about the lab's site there."""
    _enter(list(program), quiet=quiet)


@lab.command("boards")
@options.output_option
def boards_(json: bool) -> int:
    """List the simulated boards of the open lab and what each is doing."""
    from sbctui.lab.remote import boards

    _show(boards(), json)
    return 0


@lab.command()
@click.argument("to", type=click.Choice(["on", "off", "cut"]))
@click.argument(
    "macs", nargs=-1, type=options.Parsed("mac", "parse_mac", _macs), metavar="[MAC]..."
)
@click.option("--all", "all_", is_flag=True, help="All boards.")
@options.output_option
def power(to: Power, macs: tuple[str, ...], all_: bool, json: bool) -> int:
    """Switch simulated boards on, off, or cut their power without a goodbye."""
    from sbctui.lab.remote import boards

    if bool(macs) == all_:
        raise click.UsageError("Give either MACs or --all", click.get_current_context())
    _show(boards(macs, to), json)
    return 0


def _show(found: Iterable[State], json: bool) -> None:
    if json:
        document = [
            {
                "mac": board.mac,
                "label": board.label,
                "stage": board.stage,
                "said": board.said,
                "since": output.when(board.since),
            }
            for board in found
        ]
        output.document({"boards": document})
        return
    rows = [(board.mac, board.label, board.stage, board.said) for board in found]
    output.table(("MAC", "BOARD", "STAGE", "NOW"), rows)
