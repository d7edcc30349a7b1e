"""``sbctui leaf``: boards' own copies of a root."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import click

from sbctui.cli import archiving, maclist, options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import ExportLeaf, LeafSpec, Packing, Request
    from sbctui.engine.model.site import Node, Site

_SHOWN = 10


@click.group(no_args_is_help=False)
def leaf() -> None:
    """Leaves: one board's own writable copy of a root, known by its MAC."""


@leaf.command("list")
@click.argument("root", required=False, type=options.ROOT)
@click.option("--group", type=options.GROUP, help="Only those of this group.")
@options.output_option
@click.pass_obj
def list_(place: Place, root: str | None, group: str | None, json: bool) -> int:
    """List the leaves of ROOT, or all of them, orphans too."""
    site = place.look(sessions=True)
    from sbctui import format as words
    from sbctui.cli import show

    nodes, broken = _listed(site, root)
    if group is not None:
        nodes, broken = [node for node in nodes if node.config.group == group], []
    if json:
        found = [show.node_json(site, node) for node in nodes]
        odd = [show.broken_json(site.broken[name]) for name in broken if name in site.broken]
        missing = [
            {"name": name, "kind": None, "state": "missing", "reason": "there is no such folder"}
            for name in broken
            if name not in site.broken
        ]
        output.document({"leaves": found + odd + missing})
        return 0
    rows = [show.leaf_row(site, node) for node in nodes]
    for name in broken:
        state, used = ("broken", site.broken[name].allocated) if name in site.broken else (
            "missing", 0)  # fmt: skip
        mac = show.mac_of(name) or show.NONE
        rows.append((name, mac, show.NONE, state, words.size(used), show.NONE, "no"))
    heads = ("NAME", "MAC", "IP", "STATE", "ALLOC", "GROUP", "OPEN")
    output.table(heads, rows, right=(4,))
    return 0


def _listed(site: Site, name: str | None) -> tuple[list[Node], list[str]]:
    """Leaves to show, and folder names that are broken or missing."""
    from sbctui.cli import show
    from sbctui.engine import rules

    if name is None:
        return list(site.leaves), [b.name for b in show.broken_leaves(site)]
    folders = rules.root(site, name).config.children.values()
    good = [site.nodes[folder] for folder in sorted(folders) if folder in site.nodes]
    return good, [folder for folder in sorted(folders) if folder not in site.nodes]


@leaf.command()
@click.argument("root", required=False, type=options.ROOT)
@click.argument("macs", nargs=-1, type=options.BOARD, metavar="[MAC[,ALIAS[,GROUP]]]...")
@click.option("--macs", "file", type=options.FILE, metavar="FILE",
              help="Read them from a list or CSV, one board a line (MAC, alias, group); "
              "- is stdin.")  # fmt: skip
@click.option("--ip", type=options.IP, help="The address, of one leaf; else a rule chooses it.")
@options.network
@options.mutating
@click.pass_obj
def create(
    place: Place,
    root: str | None,
    macs: tuple[str, ...],
    file: str | None,
    ip: IPv4Address | None,
    network: str,
    how: How,
) -> int:
    """Make one leaf of ROOT per MAC; those that are there already are left alone.

    Without ROOT they are of the default root of the boards' model.
    """
    if root is not None and _begins_with_mac(root):
        macs, root = (root, *macs), None
    text = maclist.gathered(macs, file)
    if text is None:
        raise click.UsageError("Give MACs, or --macs FILE", click.get_current_context())
    leaves = maclist.parsed(text)
    if ip is not None:
        if len(leaves) > 1:
            raise BadInput(f"--ip is for one leaf and {len(leaves)} are asked for; leave it out")
        leaves = (leaves[0].model_copy(update={"ip": ip}),)

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import CreateLeaves

        chosen = root or _default(engine, leaves)
        return CreateLeaves(root=chosen, leaves=leaves, network=network)

    return act(place, make, how)


def _begins_with_mac(text: str) -> bool:
    """Whether a line of boards stands where a root may; no root is called like a MAC."""
    from sbctui.engine.model.addresses import parse_mac

    if text == "-" or "[" in text or "{" in text:
        return True
    try:
        parse_mac(text.split(",")[0].split(";")[0].strip())
    except BadInput:
        return False
    return True


def _default(engine: Engine, leaves: Sequence[LeafSpec]) -> str:
    from sbctui.engine.model.boardmodel import root_for

    return root_for(engine.site(), (leaf.mac for leaf in leaves))


@leaf.command()
@click.argument("name", type=options.LEAF)
@click.option("--alias", type=options.ALIAS, help="Its shown name and host name; '' for none.")
@click.option("--group", type=options.GROUP, help="Its group; '' for none.")
@click.option("--notes", help="A note for people.")
@click.option("--ip", type=options.IP, help="Another address.")
@options.mutating
@click.pass_obj
def edit(
    place: Place,
    name: str,
    alias: str | None,
    group: str | None,
    notes: str | None,
    ip: IPv4Address | None,
    how: How,
) -> int:
    """Change alias, group, notes or address of NAME (alias or MAC)."""
    if all(value is None for value in (alias, group, notes, ip)):
        raise click.UsageError(
            "Give --alias, --group, --notes or --ip", click.get_current_context()
        )

    def make(engine: Engine) -> Request:
        from sbctui.cli.show import find
        from sbctui.engine.model.requests import EditNode

        folder = find(engine.site(), name)
        return EditNode(name=folder, alias=alias, group=group, notes=notes, ip=ip)

    return act(place, make, how)


@leaf.command()
@click.argument("name", type=options.ORPHAN)
@click.argument("root", type=options.ROOT)
@options.network
@options.mutating
@click.pass_obj
def attach(place: Place, name: str, root: str, network: str, how: How) -> int:
    """List the orphan NAME (alias or MAC) in the children of ROOT again.

    With --network it gets another address, of that network.
    """

    def make(engine: Engine) -> Request:
        from sbctui.cli.show import find
        from sbctui.engine.model.requests import AttachLeaf

        return AttachLeaf(name=find(engine.site(), name), root=root, network=network)

    return act(place, make, how)


@leaf.command()
@click.argument("name", type=options.LEAF)
@click.argument("file", type=options.ARCHIVE)
@click.option("--difference", is_flag=True,
              help="Only what differs from the root it was made of.")  # fmt: skip
@archiving.packing_options
@options.mutating
@click.pass_obj
def export(
    place: Place,
    name: str,
    file: str,
    difference: bool,
    packing: Packing,
    replace: bool,
    how: How,
) -> int:
    """Write the leaf NAME (alias or MAC) into the archive FILE; - is stdout."""

    def make(engine: Engine) -> ExportLeaf:
        from sbctui.cli.show import find
        from sbctui.engine.model.requests import ExportLeaf

        return ExportLeaf(
            name=find(engine.site(), name),
            target=engine.target(file),
            packing=packing,
            replace=replace,
            difference=difference,
        )

    return archiving.export(place, make, file, how)


@leaf.command("import")
@archiving.from_archive
@click.option("--mac", type=options.MAC, help="Its board's MAC; else the one it was of.")
@click.option("--root", default="", type=options.ROOT,
              help="The root it is a leaf of; else the one it was of.")  # fmt: skip
@click.option("--ip", type=options.IP, help="Its address; else as leaf create chooses one.")
@options.network
@options.mutating
@click.pass_obj
def import_(
    place: Place,
    where: str,
    mac: str | None,
    root: str,
    ip: IPv4Address | None,
    network: str,
    unverified: bool,
    how: How,
) -> int:
    """Make a leaf out of the archive FILE; - is stdin. For another board it is made another's."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import ImportLeaf

        archive = engine.archive(where, far=True)
        return ImportLeaf(
            archive=archive, mac=mac, root=root, ip=ip, network=network, unverified=unverified
        )

    return act(place, make, how)


@leaf.command()
@click.argument("root", type=options.ROOT)
@click.argument("names", nargs=-1, type=options.LEAF, metavar="[MAC|ALIAS]...")
@click.option("--all", "all_", is_flag=True, help="All leaves of ROOT.")
@click.option("--cut", is_flag=True, help="Pull the disk away from boards that are running.")
@options.mutating
@click.pass_obj
def delete(place: Place, root: str, names: tuple[str, ...], all_: bool, cut: bool, how: How) -> int:
    """Move leaves of ROOT to the trash: those named, or --all."""
    if bool(names) == all_:
        raise click.UsageError("Give either MACs or --all", click.get_current_context())

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import DeleteLeaves

        macs = None if all_ else tuple(_mac(engine.site(), name) for name in names)
        return DeleteLeaves(root=root, macs=macs, cut=cut)

    return act(place, make, how)


def _mac(site: Site, text: str) -> str:
    """The MAC that an argument stands for: an alias's, or itself. Raises BadInput."""
    from sbctui.engine.model.addresses import parse_mac

    found = site.by_alias.get(text)
    mac = site.nodes[found[0]].config.mac if found else None
    return mac or parse_mac(text)
