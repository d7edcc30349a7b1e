"""``sbctui board``: the boards of the lab, with a node and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import maclist, options, output
from sbctui.cli.act import act, stoppable
from sbctui.cli.audit import FINDINGS
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.boards.compare import Compared
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.boots import Timeline
    from sbctui.engine.model.requests import Request
    from sbctui.engine.model.site import Node, Seen, Site

_LOOK = 0.5
"""Seconds between looks at the boots."""


@click.group(no_args_is_help=False)
def board() -> None:
    """Boards: those that have a node, and those that ask for an address and have none."""


@board.command("list")
@click.option("--asking", is_flag=True, help="Only those that ask and have no node.")
@click.option("--ignored", is_flag=True, help="Those that are ignored.")
@click.option("--registered", is_flag=True, help="Those on the list of registered boards.")
@options.output_option
@click.pass_obj
def list_(place: Place, asking: bool, ignored: bool, registered: bool, json: bool) -> int:
    """List the boards by MAC: what they run from, whether they are up, who asks."""
    site = place.engine().site()
    if ignored or registered:
        return _listed(site, ignored, json)
    found = [_asks(seen) for seen in site.facts.seen]
    if not asking:
        found = [*_known(site), *found]
    if json:
        output.document({"boards": found})
        return 0
    heads = ("MAC", "NODE", "IP", "STATE", "SEEN", "TIMES", "BOARD")
    output.table(heads, [_row(one) for one in found], right=(5,))
    return 0


def _listed(site: Site, ignored: bool, json: bool) -> int:
    roster = site.roster
    if json:
        chosen = roster.ignored if ignored else roster.registered
        output.document({"boards": [one.model_dump(mode="json") for one in chosen]})
    elif ignored:
        rows = [(one.mac, output.iso(one.made), one.note) for one in roster.ignored]
        output.table(("MAC", "SINCE", "NOTE"), rows)
    else:
        rows = [(one.mac, one.alias or "-", one.group or "-") for one in roster.registered]
        output.table(("MAC", "ALIAS", "GROUP"), rows)
    return 0


@board.command()
@click.argument("macs", nargs=-1, required=True, type=options.MAC, metavar="MAC...")
@click.option("--note", default="", help="Why, for whoever looks next.")
@options.mutating
@click.pass_obj
def ignore(place: Place, macs: tuple[str, ...], note: str, how: How) -> int:
    """Show these boards no more among those that ask."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import IgnoreBoards

        return IgnoreBoards(macs=macs, note=note)

    return act(place, make, how)


@board.command()
@click.argument("macs", nargs=-1, required=True, type=options.IGNORED, metavar="MAC...")
@options.mutating
@click.pass_obj
def unignore(place: Place, macs: tuple[str, ...], how: How) -> int:
    """Show them again."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import UnignoreBoards

        return UnignoreBoards(macs=macs)

    return act(place, make, how)


@board.command()
@click.argument("file", type=options.FILE)
@options.mutating
@click.pass_obj
def register(place: Place, file: str, how: How) -> int:
    """Write the boards in FILE (MAC, alias, group a line; - is stdin) on the site's list."""
    text = maclist.gathered((), file)
    boards = maclist.parsed(text or "")

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import BoardSpec, RegisterBoards

        return RegisterBoards(
            boards=tuple(BoardSpec(mac=b.mac, alias=b.alias, group=b.group) for b in boards)
        )

    return act(place, make, how)


@board.command()
@click.argument("macs", nargs=-1, type=options.MAC, metavar="[MAC]...")
@click.option("--all", "all_", is_flag=True, help="The whole list.")
@options.mutating
@click.pass_obj
def unregister(place: Place, macs: tuple[str, ...], all_: bool, how: How) -> int:
    """Strike boards off the list."""
    if bool(macs) is all_:
        raise click.UsageError("Give MACs, or --all", click.get_current_context())

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import UnregisterBoards

        return UnregisterBoards(macs=None if all_ else macs)

    return act(place, make, how)


@board.command()
@options.output_option
@click.pass_obj
def compare(place: Place, json: bool) -> int:
    """Compare boards registered, known to DHCP, and seen on the wire; 8 if they disagree."""
    found = place.engine().compared()
    code = FINDINGS if any(one.verdict for one in found) else 0
    if json:
        output.document({"boards": [_compared(one) for one in found]})
        return code
    heads = ("MAC", "NAME", "REGISTERED", "DHCP", "SEEN", "VERDICT")
    rows = [
        (
            one.mac,
            one.alias or "-",
            "yes" if one.registered else "no",
            "yes" if one.dhcp else "no",
            output.when(one.last) or "never",
            one.verdict,
        )
        for one in found
    ]
    output.table(heads, rows)
    return code


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "mac": one.mac,
        "alias": one.alias or None,
        "node": one.node or None,
        "registered": one.registered,
        "dhcp": one.dhcp,
        "seen": one.seen,
        "last": output.when(one.last),
        "verdict": one.verdict or None,
    }


@board.command()
@click.argument("name", type=options.NODE, metavar="NODE|MAC")
@options.output_option
@click.pass_obj
def timeline(place: Place, name: str, json: bool) -> int:
    """Show the last boots of a board stage by stage: where it stopped, and why."""
    from sbctui import bootlines

    engine = place.engine()
    found = engine.timeline(_meant(engine.site(), name))
    if json:
        output.document({"boots": [bootlines.as_json(one) for one in found]})
    elif found:
        output.lines([text for one in found for text in bootlines.lines(one)])
    else:
        output.lines([_no_boots(engine.site(), name)])
    return 0


def _meant(site: Site, name: str) -> str:
    """The node meant, else the MAC. Raises NoSuchNode for what is neither."""
    from sbctui.cli import show

    mac = show.mac_of(name)
    return mac if mac is not None and mac not in site.by_mac else show.find(site, name)


def _no_boots(site: Site, name: str) -> str:
    from sbctui.cli import show

    mac = show.mac_of(name)
    if any(seen.mac == mac for seen in site.facts.seen):
        return f"{mac} asks for an address and no node has its MAC: sbctui leaf create ROOT {mac}"
    return f"no boot of {name} is known; boots are followed while the services run"


@board.command()
@click.option("--once", is_flag=True, help="Print them as they are now, and end.")
@options.output_option
@click.pass_obj
def watch(place: Place, once: bool, json: bool) -> int:
    """Print a line whenever a board comes a step further; Ctrl+C ends it."""
    engine = place.engine()
    told: dict[str, tuple[object, ...]] = {}
    with stoppable() as stop:
        while True:
            for one in engine.boots():
                now = (one.began, one.state, one.stage, len(one.files), one.reason)
                if told.get(one.mac) != now:
                    told[one.mac] = now
                    _tell(one, json)
            if once or stop.wait(_LOOK):
                return 0


def _tell(one: Timeline, json: bool) -> None:
    from sbctui import bootlines

    if json:
        output.json_line(bootlines.as_json(one))
    else:
        output.lines([bootlines.row(one)])


def _known(site: Site) -> Iterator[dict[str, Any]]:
    held = {lease.mac for lease in site.facts.leases if not 0 < lease.expires <= site.facts.now}
    for node in sorted(site.nodes.values(), key=lambda node: node.config.mac or ""):
        if node.config.mac is not None:
            yield _runs(site, node, held)


def _runs(site: Site, node: Node, held: set[str]) -> dict[str, Any]:
    config = node.config
    sessions = site.sessions_of.get(config.export, ())
    return {
        "mac": config.mac,
        "node": node.name,
        "hostname": config.hostname,
        "ip": str(config.ip) if config.ip else None,
        "state": "up" if sessions else "dhcp" if config.mac in held else "down",
        "since": output.when(min(s.since for s in sessions)) if sessions else None,
        "first": None,
        "last": None,
        "count": None,
        "vendor_class": None,
        **dict.fromkeys(_TOLD),
    }


def _asks(seen: Seen) -> dict[str, Any]:
    return {
        "mac": seen.mac,
        "node": None,
        "hostname": None,
        "ip": None,
        "state": "ask",
        "since": None,
        "first": output.when(seen.first),
        "last": output.when(seen.last),
        "count": seen.count,
        "vendor_class": seen.vendor_class,
        "vendor": seen.vendor or None,
        "local": seen.local,
        "model": seen.model or None,
        "serial": seen.serial or None,
        "architecture": seen.architecture or None,
        "says": seen.hostname or None,
    }


_TOLD = ("vendor", "local", "model", "serial", "architecture", "says")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    seen = "now" if one["state"] == "up" else one["last"]
    cells = (one["mac"], one["hostname"], one["ip"], one["state"], seen, one["count"])
    return (*(str(cell or "-") for cell in cells), _told(one))


def _told(one: dict[str, Any]) -> str:
    """What is known of a board that asks, the surest first."""
    serial = f"serial {one['serial']}" if one["serial"] else ""
    maker = one["vendor"] or ("made-up MAC" if one["local"] else "")
    known = (one["model"] or maker, serial, one["architecture"], one["says"])
    return ", ".join(filter(None, known)) or one["vendor_class"] or ""
