"""``sbctui services``: DHCP, TFTP and NBD."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import Refused, ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sbctui.engine.services.port import Status


@click.group(no_args_is_help=False)
def services() -> None:
    """The site's daemons: DHCP and TFTP (dnsmasq), the disks (NBD), the gate before them, HTTP."""


@services.command()
@options.output_option
@click.pass_obj
def status(place: Place, json: bool) -> int:
    """Show every daemon; exit 6 if one fails."""
    engine = place.engine()
    found = engine.control.status()
    _show(found, json)
    return ServiceFailed.code if any(one.state == "failing" for one in found) else 0


def _show(found: Sequence[Status], json: bool) -> None:
    if json:
        output.document({"services": [_json(one) for one in found]})
        return
    rows = [(one.name, one.state, str(one.pid or "-"), output.when(one.since) or "-",
             str(one.restarts), one.detail) for one in found]  # fmt: skip
    heads = ("SERVICE", "STATE", "PID", "SINCE", "RESTARTS", "DETAIL")
    output.table(heads, rows, right=(2, 4))


def _json(one: Status) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "detail": one.detail,
        "pid": one.pid or None,
        "since": output.when(one.since),
        "restarts": one.restarts,
    }


@services.command()
@options.mutating
@click.pass_obj
def start(place: Place, how: How) -> int:
    """Start them in a session of their own; what runs already is left alone. Asks nothing."""
    place.refuse_if_read_only()
    engine = place.engine()
    engine.site()  # a site.toml that can't be used is said here, not by the supervisor
    if how.dry_run:
        return _dry("start the services", engine.control.status(), how)
    from sbctui.engine.services.control import start_services

    place.doer.announce("start the services")
    start_services(place.path)
    _show(engine.control.status(), how.json)
    return 0


@services.command()
@click.argument("names", nargs=-1, type=click.Choice(("storage", "gate", "dnsmasq", "http")))
@options.mutating
@click.pass_obj
def restart(place: Place, names: tuple[str, ...], how: How) -> int:
    """Begin them anew, after an upgrade say: all, or those named. Boards keep their disks.

    The gate hands its connections to its successor, and holds them while the storage daemon is
    away. Asks nothing.
    """
    place.refuse_if_read_only()
    engine = place.engine()
    engine.site()
    title = f"restart {', '.join(names) or 'the services'}"
    if how.dry_run:
        return _dry(title, engine.control.status(), how)
    from sbctui.engine.services.control import restart_services

    place.doer.announce(title)
    restart_services(place.path, names)
    _show(engine.control.status(), how.json)
    return 0


@services.command()
@click.option("--cut", is_flag=True, help="Also when boards have their disks open.")
@options.mutating
@click.pass_obj
def stop(place: Place, cut: bool, how: How) -> int:
    """Stop them all. Refused while boards have their disks open."""
    place.refuse_if_read_only()
    engine = place.engine()
    boards = sorted({session.export for session in engine.control.sessions()})
    if boards and not cut:
        who = (
            "1 board has its disk" if len(boards) == 1 else f"{len(boards)} boards have their disks"
        )
        names = ", ".join(boards[:3]) + (" …" if len(boards) > 3 else "")
        raise Refused(f"{who} open ({names}); shut them down first, or say --cut")
    title = "stop the services"
    if how.dry_run:
        return _dry(title, engine.control.status(), how)
    idle = all(one.state in ("stopped", "off") for one in engine.control.status())
    if not idle:
        lines = [f"  {name} loses its disk" for name in boards]
        place.doer.confirm(title, lines, str(len(boards)) if boards else "", how)
    from sbctui.engine.services.control import stop_services

    stop_services(place.path, cut)
    _show(engine.control.status(), how.json)
    return 0


def _dry(title: str, found: Sequence[Status], how: How) -> int:
    if how.json:
        plan = {"title": title, "services": [_json(one) for one in found]}
        output.document({"plan": plan})
    else:
        output.lines([title, *(f"  {one.name}: {one.state} now" for one in found)])
        output.lines(["dry run: nothing was changed"])
    return 0


@services.command()
@options.mutating
@click.pass_obj
def apply(place: Place, how: How) -> int:
    """Derive every file again from the nodes and make the daemons follow."""
    from sbctui.engine.model.requests import ApplyServices

    return act(place, lambda engine: ApplyServices(), how)


@services.command()
@options.mutating
@click.pass_obj
def install(place: Place, how: How) -> int:
    """Have systemd start them with the machine and keep their supervisor running."""
    from sbctui.engine.services import systemd

    unit = systemd.wanted(_written(place))
    name = unit.path.name
    lines = [f"  write {unit.path}", f"  enable and start {name}"]
    lines += [f"  its drop-in {one} stays as it is" for one in unit.dropins]
    if unit.state == "current":
        lines[0] = f"  {unit.path} is there and stays as it is"
    title = f"install the unit {name} of systemd"
    if how.dry_run:
        return _dry_lines(title, lines, how)
    place.doer.confirm(title, lines, "", how)
    from sbctui.engine.services.control import start_services

    engine = place.engine()
    systemd.install(place.path)
    systemd.take_over(place.path)
    start_services(place.path)
    _show(engine.control.status(), how.json)
    return 0


@services.command()
@options.mutating
@click.pass_obj
def uninstall(place: Place, how: How) -> int:
    """Take the unit of systemd away; what runs goes on, and drop-ins stay."""
    from sbctui.engine.services import systemd

    unit = systemd.wanted(_written(place))
    lines = [f"  stop and disable {unit.path.name}", f"  remove {unit.path}"]
    lines += [f"  its drop-in {one} stays as it is" for one in unit.dropins]
    if unit.state == "missing":
        lines = [f"  there is no {unit.path}"]
    title = f"remove the unit {unit.path.name} of systemd"
    if how.dry_run:
        return _dry_lines(title, lines, how)
    if unit.state != "missing":
        place.doer.confirm(title, lines, "", how)
    from sbctui.engine.services.control import start_services

    engine = place.engine()
    served = engine.control.running()
    systemd.uninstall(place.path)
    if served:
        start_services(place.path)
    _show(engine.control.status(), how.json)
    return 0


def _written(place: Place) -> Path:
    place.refuse_if_read_only()
    return place.to_open()


def _dry_lines(title: str, lines: Sequence[str], how: How) -> int:
    if how.json:
        output.document({"plan": {"title": title, "steps": [line.strip() for line in lines]}})
    else:
        output.lines([title, *lines, "dry run: nothing was changed"])
    return 0
