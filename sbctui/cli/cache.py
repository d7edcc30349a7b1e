"""``sbctui cache``: a copy of a repository's images on a disk of this machine."""

from __future__ import annotations

from typing import Any

import click

from sbctui.cli import options
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place


@click.group(no_args_is_help=False)
def cache() -> None:
    """Images of other repositories, kept here so that they are there when the others are not."""


@cache.command()
@click.argument("repository", metavar="REPOSITORY", type=options.ADDRESS)
@click.argument("folder", metavar="[FOLDER]", default="")
@click.argument("image", metavar="[IMAGE]", default="")
@click.option("--cache", "into", default="cache", type=options.CACHE, metavar="NAME",
              help="Which cache, where there are several.")  # fmt: skip
@click.option("--check", is_flag=True, help="Read what is there already, and mend it.")
@click.option("--delay", type=click.IntRange(0, 86400), default=0, metavar="SECONDS",
              help="Begin after a random time of up to SECONDS.")  # fmt: skip
@options.mutating
@click.pass_obj
def update(
    place: Place, repository: Any, folder: str, image: str, into: str, check: bool, delay: int,
    how: How,
) -> int:  # fmt: skip
    """Fetch what changed in REPOSITORY: all, a FOLDER, or one IMAGE.

    REPOSITORY may be an address that names folder and image too, as repo:sub/dir/image.
    """
    from sbctui.engine.model.repository import parse_path
    from sbctui.engine.model.requests import UpdateCache

    parts = [repository.path, folder.strip("/"), image]
    path = "/".join(part for part in parts if part)
    asked = UpdateCache(
        repository=repository.repository,
        path="/".join(parse_path(path)) if path else "",
        cache=into,
        check=check,
        delay=delay,
    )
    return act(place, lambda _: asked, how)


@cache.command()
@click.argument("address", type=options.CACHED, default="cache")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@options.output_option
@click.pass_obj
def verify(place: Place, address: Any, quiet: bool, json: bool) -> int:
    """Read the cache's images and compare them with their hashes; 8 if one is not whole."""
    from sbctui.cli.repo import verified

    return verified(place, address, quiet, json)


@cache.command()
@click.argument("images", metavar="[IMAGE]...", nargs=-1, type=options.CACHED)
@options.mutating
@click.pass_obj
def serve(place: Place, images: tuple[Any, ...], how: How) -> int:
    """Boot boards from what the cache has, while its repository is away: from all, or IMAGE...

    An IMAGE is cache:sub/dir/image, or a folder of them. What is missing here is made: roots out
    of images, leaves for their boards, with the files that are laid over them.
    """
    from sbctui.engine.errors import BadInput
    from sbctui.engine.model.repository import CACHE
    from sbctui.engine.model.requests import ServeCache

    names = {one.repository for one in images} or {CACHE}
    if len(names) > 1:
        raise BadInput("name images of one cache; each has its own boards")
    whole = any(not one.path for one in images)
    paths = () if whole else tuple(dict.fromkeys(one.path for one in images))
    asked = ServeCache(cache=names.pop(), images=paths)
    return act(place, lambda _: asked, how)


@cache.command()
@click.argument("address", type=options.CACHED)
@options.mutating
@click.pass_obj
def restore(place: Place, address: Any, how: How) -> int:
    """Let an image of a cache and its former version change places."""
    from sbctui.engine.model.requests import RestoreImage

    asked = RestoreImage(cache=address.repository, path=address.path)
    return act(place, lambda _: asked, how)
