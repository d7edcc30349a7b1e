"""``sbctui setup``: a server for boards out of this machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import click

from sbctui.cli import options, output
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.services.port import Status
    from sbctui.engine.setup.plan import Setup


@click.command()
@click.option("--interface", required=True, type=options.INTERFACE, help="The one the boards "
              "are on.")  # fmt: skip
@click.option("--subnet", type=options.SUBNET, help="The boards' subnet; else the interface's own.")
@click.option("--pool", type=options.POOL, help="The addresses for boards; else most of the "
              "subnet.")  # fmt: skip
@click.option("--server", type=options.IP, help="This machine's address there; else the "
              "interface's own.")  # fmt: skip
@options.mutating
@click.pass_obj
def setup(
    place: Place,
    interface: str,
    subnet: IPv4Network | None,
    pool: tuple[IPv4Address, IPv4Address] | None,
    server: IPv4Address | None,
    how: How,
) -> int:
    """Make a server of this machine: user, site, unit of systemd, running services.

    What is there already is left alone. Refused where another DHCP server answers.
    """
    from sbctui.engine.setup.look import look
    from sbctui.engine.setup.plan import Wish, plan

    place.refuse_if_read_only()
    wish = Wish(place.path, interface, subnet, pool, server)
    found = look(wish, place.found())
    made = plan(wish, found, dry=how.dry_run)
    if how.dry_run:
        return _dry(made, how)
    if made.steps:
        place.doer.confirm(made.title, _lines(made), "", how)
    from sbctui.engine.setup.perform import perform

    done: list[str] = []
    status = perform(made, found, lambda step: _tell(step.title, done, how))
    return _done(made, done, status, how)


def _tell(title: str, done: list[str], how: How) -> None:
    done.append(title)
    if not how.json and not how.quiet:
        output.lines([f"done: {title}"])


def _lines(made: Setup) -> list[str]:
    return [
        *(f"  {number}. {step.title}" for number, step in enumerate(made.steps, 1)),
        *(f"  note: {note}" for note in made.notes),
    ]


def _dry(made: Setup, how: How) -> int:
    if how.json:
        settings = made.settings.model_dump(mode="json", by_alias=True, exclude_none=True)
        output.document({"plan": {
            "title": made.title, "path": str(made.wish.site), "settings": settings,
            "steps": [step.title for step in made.steps], "notes": list(made.notes),
        }})  # fmt: skip
        return 0
    nothing = [] if made.steps else ["  nothing to do: it is set up"]
    output.lines([made.title, *_lines(made), *nothing, "dry run: nothing was changed"])
    return 0


def _done(made: Setup, done: list[str], status: tuple[Status, ...], how: How) -> int:
    if how.json:
        output.document({"setup": {
            "path": str(made.wish.site), "done": done, "notes": list(made.notes),
            "services": [{"name": one.name, "state": one.state} for one in status],
        }})  # fmt: skip
        return 0
    if not made.steps:
        output.lines(["nothing to do: it is set up"])
    names = ", ".join(f"{one.name} {one.state}" for one in status)
    output.lines([*(f"note: {note}" for note in made.notes), f"{made.title}: {names}"])
    return 0
