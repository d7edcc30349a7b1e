"""``sbctui overlay``: files laid over an image, for a group and for a board."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output, overlayshow
from sbctui.cli.act import act
from sbctui.cli.audit import FINDINGS
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.overlay import Place as Folder
    from sbctui.engine.model.requests import Request
    from sbctui.engine.model.site import Site

_GROUP = click.option("--group", type=options.GROUP, default="", help="For the boards of a group.")
_CLIENT = click.option(
    "--client", type=options.LEAF, default="", metavar="MAC|LEAF", help="For one board."
)
_IMAGE = click.option("--image", type=options.ROOT, default="",
                      help="Over this root; else the one that the boards are of.")  # fmt: skip


@click.group(no_args_is_help=False)
def overlay() -> None:
    """Files laid over an image: of a group over the image's, of a board over both."""


@overlay.command("list")
@click.option("--image", type=options.ROOT, default="", help="Only those over this root.")
@options.output_option
@click.pass_obj
def list_(place: Place, image: str, json: bool) -> int:
    """List the overlays there are, and how many leaves each is for."""
    engine = place.engine()
    found = [one for one in engine.overlays() if not image or one.place.image == image]
    if json:
        output.document({"overlays": [
            {
                "level": one.place.level,
                "owner": one.place.owner,
                "image": one.place.image,
                "path": one.place.path,
                "files": one.files,
                "bytes": one.bytes,
                "leaves": len(one.leaves),
                "fault": one.fault or None,
            }
            for one in found
        ]})  # fmt: skip
        return 0
    from sbctui import format as words

    rows = [
        (one.place.owner, one.place.level, one.place.image, str(one.files), words.size(one.bytes),
         str(len(one.leaves)), one.fault or "fine")
        for one in found
    ]  # fmt: skip
    output.table(
        ("OWNER", "KIND", "IMAGE", "FILES", "SIZE", "LEAVES", "STATE"), rows, right=(3, 4, 5)
    )
    return 0


@overlay.command()
@click.argument("name", type=options.LEAF)
@options.output_option
@click.pass_obj
def show(place: Place, name: str, json: bool) -> int:
    """Print each file laid over the disk of NAME, from where, what it hides, and how it stands."""
    engine = place.engine()
    from sbctui.cli.show import find

    found = engine.overlay(find(engine.site(), name))
    if json:
        output.document({"overlay": overlayshow.document(found)})
    else:
        overlayshow.print_(found)
    return FINDINGS if found.faults else 0


def _one_overlay(function: options.Decorated) -> options.Decorated:
    """The options that say which overlay is meant."""
    for option in (_IMAGE, _CLIENT, _GROUP):
        function = option(function)
    return function


@overlay.command()
@click.argument("source", type=options.FILE)
@click.argument("target")
@_one_overlay
@click.option("--owner", default="", metavar="UID[:GID]", help="Whose it is; else root's.")
@click.option("--mode", default="", metavar="OCTAL", help="Its permissions; else the file's own.")
@click.option("--xattr", "xattrs", multiple=True, metavar="NAME=VALUE",
              help="An extended attribute beside those it has; VALUE as for setfattr.")  # fmt: skip
@click.option("--template", is_flag=True, help="{{hostname}} and the like are filled in.")
@options.mutating
@click.pass_obj
def add(
    place: Place,
    source: str,
    target: str,
    group: str,
    client: str,
    image: str,
    owner: str,
    mode: str,
    xattrs: Sequence[str],
    template: bool,
    how: How,
) -> int:
    """Lay SOURCE (a file, link or folder) over an image as TARGET, a path on the board."""
    _check(owner, mode)
    more = _attributes(xattrs)
    path, given = _target(target), os.path.abspath(source)

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import AddOverlay

        which = _which(engine, group, client, image)
        return AddOverlay(
            target=path, source=given, owner=owner, mode=mode, template=template, xattrs=more,
            **which,
        )  # fmt: skip

    return act(place, make, how)


def _check(owner: str, mode: str) -> None:
    from sbctui.engine.repository.overlay_table import parse_mode, parse_owner

    if owner:
        parse_owner(owner)
    if mode:
        parse_mode(mode)


def _attributes(words: Sequence[str]) -> dict[str, str]:
    from sbctui.engine.model.xattrs import parse_word

    return dict(map(parse_word, words))


def _target(text: str) -> str:
    from sbctui.engine.model.overlay import parse_path

    return parse_path(text)


def _of_path(kind: Callable[[], Callable[..., Request]]) -> Callable[..., int]:
    """A verb about one path of one overlay; ``kind`` gives its request, and is the verb's help."""

    @click.argument("target")
    @_one_overlay
    @options.mutating
    @click.pass_obj
    @wraps(kind)
    def verb(place: Place, target: str, group: str, client: str, image: str, how: How) -> int:
        path = _target(target)

        def make(engine: Engine) -> Request:
            return kind()(target=path, **_which(engine, group, client, image))

        return act(place, make, how)

    return verb


@overlay.command()
@_of_path
def hide() -> Callable[..., Request]:
    """Let boards have no file or folder TARGET, though their image or a board's group has one."""
    from sbctui.engine.model.requests import HideOverlay

    return HideOverlay


@overlay.command()
@_of_path
def remove() -> Callable[..., Request]:
    """Take TARGET out of an overlay; its files go to the trash."""
    from sbctui.engine.model.requests import RemoveOverlay

    return RemoveOverlay


@overlay.command()
@click.argument("names", nargs=-1, type=options.LEAF, metavar="[LEAF]...")
@click.option("--group", type=options.GROUP, default="", help="All leaves of a group.")
@click.option("--again", is_flag=True, help="Also what is there already: boards may have changed "
              "it.")  # fmt: skip
@options.mutating
@click.pass_obj
def apply(place: Place, names: Sequence[str], group: str, again: bool, how: How) -> int:
    """Lay the files over the disks of these leaves now, where they are not there yet."""
    if bool(names) == bool(group):
        raise click.UsageError("Give leaves, or --group", click.get_current_context())

    def make(engine: Engine) -> Request:
        from sbctui.cli.show import find
        from sbctui.engine.model.requests import ApplyOverlays

        site = engine.site()
        folders = tuple(find(site, name) for name in names)
        return ApplyOverlays(names=folders, group=group, again=again)

    return act(place, make, how)


def _which(engine: Engine, group: str, client: str, image: str) -> dict[str, Any]:
    """The fields of a request that say which overlay is meant. Raises BadInput, NoSuchNode."""
    folder = _folder(engine.site(), group, client, image)
    board = folder.owner.replace("-", ":") if folder.level == "board" else None
    return {"image": folder.image, "group": group, "board": board}


def _folder(site: Site, group: str, client: str, image: str) -> Folder:
    """The overlay that is meant. Raises BadInput, NoSuchNode."""
    from sbctui.cli.show import find, mac_of
    from sbctui.engine import rules
    from sbctui.engine.model.addresses import dashed, parse_mac, parse_name
    from sbctui.engine.model.overlay import Place as Folder
    from sbctui.engine.repository.overlay_places import image_of

    if bool(group) == bool(client):
        raise BadInput("an overlay is of a group or of a board: give --group or --client")
    if image:
        parse_name(image)
    if group:
        return Folder("group", group, image or _image_of_group(site, group))
    mac = mac_of(client)
    name = dashed(parse_mac(client)) if mac is not None else find(site, client)
    if name in site.nodes:
        rules.leaf(site, name)
        image = image or image_of(site, name)
    if not image:
        raise BadInput(f"{client} has no root here yet; say over which: --image ROOT")
    return Folder("board", name, image)


def _image_of_group(site: Site, group: str) -> str:
    from sbctui.engine.repository.overlay_places import image_of

    images = {image_of(site, leaf.name) for leaf in site.leaves if leaf.config.group == group}
    images -= {""}
    if len(images) == 1:
        return images.pop()
    which = f"its boards are of {', '.join(sorted(images))}" if images else "it has no boards yet"
    raise BadInput(f"say over which root the group {group} gets it, with --image: {which}")
