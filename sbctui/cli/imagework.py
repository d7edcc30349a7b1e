"""Verbs about many archives at once, and about images as files."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from sbctui.cli import names, options
from sbctui.cli.act import act
from sbctui.cli.archiving import packing_options
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Packing, Request

_IMAGE = options.Parsed("image", "parse_image", names.own_images, module="distribution")


@click.command()
@click.argument("nodes", nargs=-1, required=True, metavar="NODE...", type=options.NODE)
@click.option("--to", "folder", required=True, metavar="FOLDER",
              type=options.TARGET_FOLDER,
              help="Where to: a folder, repo: or repo:DIR/.")  # fmt: skip
@click.option("--difference", is_flag=True,
              help="Of leaves only what differs from the roots they were made of.")  # fmt: skip
@packing_options
@options.mutating
@click.pass_obj
def export(
    place: Place, nodes: tuple[str, ...], folder: str, difference: bool, packing: Packing,
    replace: bool, how: How,
) -> int:  # fmt: skip
    """Write roots and leaves into archives in FOLDER, each under its own name."""

    def make(engine: Engine) -> Request:
        from sbctui.engine import rules
        from sbctui.engine.archive.address import ENDINGS
        from sbctui.engine.model.requests import ExportMany

        site = engine.site()
        found = [rules.node(site, name) for name in dict.fromkeys(nodes)]
        files = [one.config.hostname + ENDINGS[packing.compression] for one in found]
        targets = [engine.target(_inside(folder, file)) for file in files]
        return ExportMany(
            names=tuple(one.name for one in found),
            targets=tuple(targets),
            packing=packing,
            replace=replace,
            difference=difference,
        )

    return act(place, make, how)


def _inside(folder: str, file: str) -> str:
    """A file in a folder; of an address the parts are joined as they are."""
    if folder.startswith("repo:"):
        path = folder.removeprefix("repo:").strip("/")
        return f"repo:{path}/{file}" if path else f"repo:{file}"
    return str(PurePath(folder) / file)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=_IMAGE)
@options.mutating
@click.pass_obj
def delete(place: Place, images: tuple[str, ...], how: How) -> int:
    """Move images of this server's repository to the trash, with what lies beside them."""
    from sbctui.engine.model.requests import DeleteImages

    return act(place, lambda _: DeleteImages(images=images), how)
