"""``sbctui root``: images."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sbctui.cli import archiving, options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Packing, Request


@click.group(no_args_is_help=False)
def root() -> None:
    """Images: a root is an OS image; its leaves are boards' own copies."""


@root.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List the roots."""
    site = place.look(sessions=json)
    from sbctui import format as words
    from sbctui.cli import show

    broken = show.broken_roots(site)
    if json:
        found = [show.node_json(site, node) for node in site.roots]
        output.document({"roots": found + [show.broken_json(b) for b in broken]})
        return 0
    rows = [show.root_row(site, node) for node in site.roots]
    rows += [
        (b.name, "broken", show.NONE, show.NONE, show.NONE, words.size(b.allocated), show.NONE)
        for b in broken
    ]
    heads = ("NAME", "STATE", "MAC", "IP", "SIZE", "ALLOC", "LEAVES")
    output.table(heads, rows, right=(4, 5, 6))
    odd = sum(str(site.state(n.name)) == "orphan" for n in site.leaves)
    odd += len(site.broken) + sum(s.kind == "staging" and not s.live for s in site.strays)
    if odd:
        output.say(f"note: {odd} broken, half-made or orphaned; see: sbctui audit")
    return 0


@root.command()
@click.argument("name", type=options.NAME)
@click.option("--size", type=options.SIZE, help="The disk's size, as 2G or 512M; without it, that "
              "of the image it is filled from.")  # fmt: skip
@click.option("--from", "source", type=options.IMAGE, metavar="PATH",
              help="Fill it from an OS image or a rootfs tar (plain, gz, xz or zst), or from a "
              "directory.")  # fmt: skip
@click.option("--notes", default="", help="A note for people.")
@options.mutating
@click.pass_obj
def create(
    place: Place, name: str, size: int | None, source: str | None, notes: str, how: How
) -> int:
    """Make a root NAME: an empty disk, or filled from an OS image, a tar or a directory."""
    from sbctui.cli.newsite import create_root

    return create_root(place, name, size, Path(source) if source is not None else None, notes, how)


@root.command()
@click.argument("source", type=options.ROOT)
@click.argument("name", type=options.NAME)
@options.mutating
@click.pass_obj
def clone(place: Place, source: str, name: str, how: How) -> int:
    """Copy the root SOURCE to a new root NAME, also while a board runs from it."""
    from sbctui.engine.model.requests import CloneRoot

    return act(place, lambda engine: CloneRoot(source=source, name=name), how)


@root.command()
@click.argument("name", type=options.ROOT)
@click.argument("file", type=options.ARCHIVE)
@archiving.packing_options
@options.mutating
@click.pass_obj
def export(place: Place, name: str, file: str, packing: Packing, replace: bool, how: How) -> int:
    """Write the root NAME into the archive FILE, also while a board runs from it; - is stdout."""
    from sbctui.engine.model.requests import ExportRoot

    return archiving.export(
        place,
        lambda engine: ExportRoot(
            name=name, target=engine.target(file), packing=packing, replace=replace
        ),
        file,
        how,
    )


@root.command("import")
@archiving.from_archive
@click.option("--name", type=options.NAME, help="The new root's name; else that of the file.")
@click.option("--base", default="", type=options.ROOT,
              help="The root that a difference is laid over; else the one it names.")  # fmt: skip
@options.mutating
@click.pass_obj
def import_(
    place: Place,
    where: str,
    name: str | None,
    base: str,
    unverified: bool,
    how: How,
) -> int:
    """Make a root out of the archive FILE; - is stdin."""
    return archiving.take(place, where, name, base, unverified, how)


@root.command()
@click.argument("name", type=options.ROOT)
@click.option("--mac", required=True, type=options.MAC, help="The board's MAC.")
@click.option("--ip", type=options.IP, help="Its address; else from the name, by the four rules.")
@options.network
@options.mutating
@click.pass_obj
def allocate(
    place: Place, name: str, mac: str, ip: IPv4Address | None, network: str, how: How
) -> int:
    """Let one board boot from the root NAME itself."""
    from sbctui.engine.model.requests import AllocateRoot

    asked = AllocateRoot(name=name, mac=mac, ip=ip, network=network)
    return act(place, lambda engine: asked, how)


@root.command()
@click.argument("name", type=options.ROOT)
@click.option("--cut", is_flag=True, help="Pull the disk away if the board keeps it.")
@click.option("--no-reboot", is_flag=True, help="Don't ask the board to reboot.")
@options.mutating
@click.pass_obj
def deallocate(place: Place, name: str, cut: bool, no_reboot: bool, how: How) -> int:
    """Take MAC, address and services away from NAME and reboot its board."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import DeallocateRoot

        return DeallocateRoot(name=name, cut=cut, reboot=not no_reboot)

    return act(place, make, how)


@root.command()
@click.argument("name", type=options.ROOT)
@click.argument("size", type=options.SIZE)
@options.mutating
@click.pass_obj
def resize(place: Place, name: str, size: int, how: How) -> int:
    """Grow the disk of NAME, and its file system, to SIZE."""
    from sbctui.engine.model.requests import ResizeRoot

    return act(place, lambda engine: ResizeRoot(name=name, size=size), how)


@root.command()
@click.argument("name", metavar="OLD", type=options.ROOT)
@click.argument("to", metavar="NEW", type=options.NAME)
@options.mutating
@click.pass_obj
def rename(place: Place, name: str, to: str, how: How) -> int:
    """Give the free root OLD the name NEW."""
    from sbctui.engine.model.requests import RenameRoot

    return act(place, lambda engine: RenameRoot(name=name, to=to), how)


@root.command()
@click.argument("name", type=options.ROOT)
@options.mutating
@click.pass_obj
def delete(place: Place, name: str, how: How) -> int:
    """Move the root NAME to the trash."""
    from sbctui.engine.model.requests import DeleteRoot

    return act(place, lambda engine: DeleteRoot(name=name), how)
