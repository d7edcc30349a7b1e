"""``sbctui site``: making one, changing its network, showing it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput, NotASite, Refused

if TYPE_CHECKING:
    from sbctui.engine.model.settings import Settings
    from sbctui.engine.model.site import Site


@click.group(no_args_is_help=False)
def site() -> None:
    """The site: the one folder that holds all nodes."""


@site.command()
@click.option("--interface", type=options.INTERFACE,
              help="The interface the boards are on; without one DHCP and TFTP never "
              "start.")  # fmt: skip
@click.option("--subnet", type=options.SUBNET, help="The boards' subnet, as 10.77.0.0/24.")
@click.option("--pool", type=options.POOL, help="The addresses to give, as "
              "10.77.0.50-10.77.0.250.")  # fmt: skip
@click.option("--server", type=options.IP, help="This machine's address there; else the "
              "interface's own.")  # fmt: skip
@click.option("--dhcp", type=click.Choice(["serve", "proxy"]),
              help="proxy: beside another DHCP server, which gives the addresses.")  # fmt: skip
@click.option("--owner", metavar="USER", help="Give the site to this user (as root).")
@options.mutating
@click.pass_obj
def init(
    place: Place,
    interface: str | None,
    subnet: IPv4Network | None,
    pool: tuple[IPv4Address, IPv4Address] | None,
    server: IPv4Address | None,
    dhcp: str | None,
    owner: str | None,
    how: How,
) -> int:
    """Make a site in a new or empty folder; on a site that is there, change its network."""
    place.refuse_if_read_only()
    found = place.found()
    if found == "other":
        raise NotASite(
            f"{place.path} is not empty and is no site; choose a new or empty folder with --site"
        )
    given = {"interface": interface, "subnet": subnet, "server": server, "dhcp": dhcp}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if pool is not None:
        changes["pool"] = {"first": pool[0], "last": pool[1]}
    if found == "site" and (not changes or owner):
        raise Refused(f"{place.path} is a site already; look at it with: sbctui site show")
    settings = _settings(place, changes, new=found != "site")
    title = f"{'change the network of' if found == 'site' else 'make'} the site {place.path}"
    return _make(place, settings, owner, title, how, new=found != "site")


def _settings(place: Place, changes: dict[str, Any], *, new: bool) -> Settings:
    """The settings asked for. Raises BadInput when they don't agree."""
    from pydantic import ValidationError

    from sbctui.cli.hostaddress import own_address
    from sbctui.engine.model.settings import Network, Settings
    from sbctui.engine.store import read_settings

    before = Settings() if new else read_settings(place.path)
    try:
        network = Network.model_validate(before.network.model_dump() | changes)
        if network.server is None and network.subnet is not None and network.interface:
            server = own_address(network.interface, network.subnet)
            network = Network.model_validate(network.model_dump() | {"server": server})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{where}: {message}" if where else message) from None
    return before.model_copy(update={"network": network})


def _make(
    place: Place, settings: Settings, owner: str | None, title: str, how: How, *, new: bool
) -> int:
    from sbctui.engine.engine import init_site
    from sbctui.engine.places import usual_owner

    document = settings.model_dump(mode="json", by_alias=True)
    if how.dry_run:
        if how.json:
            output.document({"plan": {"title": title, "path": str(place.path), "new": new,
                                      "settings": document}})  # fmt: skip
        else:
            output.lines([title, *_network(settings), "dry run: nothing was changed"])
        return 0
    if not new:
        place.doer.confirm(title, _network(settings), "", how)
    init_site(place.path, settings, owner=owner or (usual_owner(place.path) if new else ""))
    if how.json:
        output.document({"site": {"path": str(place.path), "new": new, "settings": document}})
    else:
        done = "made" if new else "changed"
        output.lines([f"{done} the site {place.path}", *_network(settings)])
    return 0


def _network(settings: Settings) -> list[str]:
    net = settings.network
    pool = f"{net.pool.first}-{net.pool.last}" if net.pool else "none"
    lines = [
        f"  interface {net.interface or 'none'}, subnet {net.subnet or 'none'}, pool {pool}, "
        f"server {net.server or 'none'}"
    ]
    lines += [f"  interface {one.interface}, subnet {one.subnet}, server {one.server or 'none'}"
              for one in net.more]  # fmt: skip
    if net.dhcp == "proxy":
        lines.append("  note: another DHCP server gives the addresses; what can't be done then: "
                     "sbctui doctor")  # fmt: skip
    if not net.interface:
        lines.append("  note: without an interface DHCP and TFTP never start; "
                     "give one with: sbctui site init --interface IF")  # fmt: skip
    elif net.server is None:
        lines.append(f"  note: {net.interface} has no address in the subnet yet; "
                     "set it up and give it with: sbctui site init --server IP")  # fmt: skip
    return lines


@site.command()
@options.output_option
@click.pass_obj
def show(place: Place, json: bool) -> int:
    """Show the site: its network, disks and counts."""
    found = place.engine().site()
    document = _document(found)
    if json:
        output.document({"site": document})
    else:
        _print(found, document)
    return 0


def _document(found: Site) -> dict[str, Any]:
    facts = found.facts
    return {
        "path": str(found.path),
        "generation": found.generation,
        "settings": found.settings.model_dump(mode="json", by_alias=True),
        "roots": len(found.roots),
        "leaves": len(found.leaves),
        "broken": len(found.broken),
        "trash": len(found.trash),
        "filesystem": facts.filesystem,
        "disk_kind": facts.store,
        "total": facts.total_bytes,
        "free": facts.free_bytes,
        "writable": facts.writable,
        "serving": facts.serving,
        "sessions": len(facts.sessions),
    }


def _print(found: Site, document: dict[str, Any]) -> None:
    from sbctui import format as words

    net = found.settings.network
    output.pairs([
        ("site", document["path"]),
        ("interface", net.interface or "none: DHCP and TFTP never start"),
        ("subnet", str(net.subnet or "none")),
        ("pool", f"{net.pool.first}-{net.pool.last}" if net.pool else "none"),
        ("server", str(net.server or "none")),
        ("NBD port", str(net.nbd_port)),
        ("HTTP", "on" if net.http else "off"),
        ("roots", str(document["roots"])),
        ("leaves", str(document["leaves"])),
        ("broken", str(document["broken"]) if document["broken"] else ""),
        ("images", found.settings.images),
        ("by model", ", ".join(f"{m}: {r}" for m, r in found.settings.models.items())),
        ("trash", words.plural(document["trash"], "node")),
        ("disks", f"{document['disk_kind']} on {document['filesystem']}"),
        ("space", f"{words.size(document['free'])} free of {words.size(document['total'])}"),
        ("writable", "yes" if document["writable"] else "no"),
        ("services", f"running, {words.plural(document['sessions'], 'board')} connected"
         if document["serving"] else "not running; start them with: sbctui services start"),
    ])  # fmt: skip
