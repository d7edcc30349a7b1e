"""``sbctui group``: groups of nodes, with all that is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sbctui.cli import options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request


@click.group(no_args_is_help=False)
def group() -> None:
    """Groups of nodes: boards that get the same files and boot templates."""


@group.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List the groups with members, overlays and templates."""
    site = place.look(sessions=False)
    from sbctui.engine.repository.group_plan import groups

    found = groups(site)
    if json:
        output.document({"groups": [
            {
                "name": one.name,
                "members": list(one.members),
                "overlays": [{"image": o.image, "path": o.path} for o in one.overlays],
                "templates": list(one.templates),
                "registered": list(one.registered),
            }
            for one in found
        ]})  # fmt: skip
        return 0
    rows = [
        (one.name, str(len(one.members)), ", ".join(o.image for o in one.overlays) or "-",
         ", ".join(one.templates) or "-", str(len(one.registered)))
        for one in found
    ]  # fmt: skip
    heads = ("NAME", "NODES", "FILES OVER", "BOOT TEMPLATES", "REGISTERED")
    output.table(heads, rows, right=(1, 4))
    return 0


@group.command("set")
@click.argument("names", nargs=-1, required=True, type=options.GROUPED, metavar="NODE...")
@click.argument("group", type=options.GROUP)
@options.mutating
@click.pass_obj
def set_(place: Place, names: Sequence[str], group: str, how: How) -> int:
    """Put nodes into GROUP; '' takes them out of theirs."""

    def make(engine: Engine) -> Request:
        from sbctui.cli.show import find
        from sbctui.engine.model.requests import SetGroup

        site = engine.site()
        return SetGroup(names=tuple(find(site, name) for name in names), group=group)

    return act(place, make, how)


@group.command()
@click.argument("name", type=options.GROUP)
@click.argument("to", type=options.NAME)
@click.option("--merge", is_flag=True, help="TO may be there already: the two become one.")
@options.mutating
@click.pass_obj
def rename(place: Place, name: str, to: str, merge: bool, how: How) -> int:
    """Give a group another name: nodes, overlays and boot templates follow."""
    from sbctui.engine.model.requests import RenameGroup

    return act(place, lambda engine: RenameGroup(name=name, to=to, merge=merge), how)


@group.command()
@click.argument("name", type=options.GROUP)
@options.mutating
@click.pass_obj
def delete(place: Place, name: str, how: How) -> int:
    """Take all nodes out of a group; its files go to the trash."""
    from sbctui.engine.model.requests import DeleteGroup

    return act(place, lambda engine: DeleteGroup(name=name), how)
