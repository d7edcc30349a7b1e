"""``sbctui board``: the boards of the lab, with a node and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Seen, Site


@click.group(no_args_is_help=False)
def board() -> None:
    """Boards: those that have a node, and those that ask for an address and have none."""


@board.command("list")
@click.option("--asking", is_flag=True, help="Only those that ask and have no node.")
@options.output_option
@click.pass_obj
def list_(place: Place, asking: bool, json: bool) -> int:
    """List the boards by MAC: what they run from, whether they are up, who asks."""
    site = place.engine().site()
    found = [_asks(seen) for seen in site.facts.seen]
    if not asking:
        found = [*_known(site), *found]
    if json:
        output.document({"boards": found})
        return 0
    heads = ("MAC", "NODE", "IP", "STATE", "SEEN", "TIMES", "SAYS")
    output.table(heads, [_row(one) for one in found], right=(5,))
    return 0


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
    }


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    seen = "now" if one["state"] == "up" else one["last"]
    cells = (one["mac"], one["hostname"], one["ip"], one["state"], seen, one["count"])
    return (*(str(cell or "-") for cell in cells), one["vendor_class"] or "")
