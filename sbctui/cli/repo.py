"""``sbctui repo``: where images are kept, here and elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import distribute, imagework, options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.model.repositories import Configured
    from sbctui.engine.model.repository import Repository, RepositoryImage
    from sbctui.engine.model.requests import Request
    from sbctui.engine.repository.check import ImageFault

_KINDS = ("ssh", "https", "nfs", "smb", "folder", "removable", "cache")


@click.group(no_args_is_help=False)
def repo() -> None:
    """Repositories of images: this server's own, other ones, and caches."""


@repo.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List every repository with kind, health, free space and number of images."""
    found = place.engine().repositories()
    if json:
        output.document({"repositories": [_json(one) for one in found]})
        return 0
    from sbctui.format import size

    rows = [
        (one.name, one.kind, one.state, _flag(one), size(one.free) if one.free is not None else "-",
         str(one.images) if one.images is not None else "-", one.told or one.folder or one.place)
        for one in found
    ]  # fmt: skip
    output.table(("NAME", "KIND", "STATE", "ACCESS", "FREE", "IMAGES", "NOTE"), rows, right=(4, 5))
    return 0


def _flag(one: Repository) -> str:
    if one.state != "ready":
        return "-"
    return "write" if one.writable else "read"


def _json(one: Repository) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "place": one.place,
        "state": one.state,
        "told": one.told,
        "folder": one.folder,
        "writable": one.writable,
        "total": one.total,
        "free": one.free,
        "images": one.images,
        "configured": one.configured,
        "mountable": one.mountable,
    }


@repo.command()
@click.argument("name", type=options.REPOSITORY)
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("where", metavar="PLACE")
@click.option("--options", "options_", default="", metavar="LIST", help="Options for mount.")
@click.option("--port", type=int, default=22, help="Of the ssh server.")
@click.option("--key", default="", type=options.FILE, metavar="FILE", help="A private key for ssh.")
@click.option("--known-hosts", default="", type=options.FILE, metavar="FILE",
              help="The host key the ssh server must have.")  # fmt: skip
@click.option("--ca", default="", type=options.FILE, metavar="FILE",
              help="The authority of the https server's certificate.")  # fmt: skip
@click.option("--full", type=click.Choice(["refuse", "lru"]), default="refuse",
              help="A cache without room: refuse, or drop what was not used for long.")  # fmt: skip
@click.option("--no-backup", is_flag=True, help="A cache keeps no former versions.")
@options.mutating
@click.pass_obj
def add(
    place: Place, name: str, kind: str, where: str, options_: str, port: int, key: str,
    known_hosts: str, ca: str, full: str, no_backup: bool, how: How,
) -> int:  # fmt: skip
    """Add a repository: PLACE as its kind wants it, see docs/repository.md."""
    from sbctui.engine.model.requests import AddRepository

    one = _configured(
        {
            "kind": kind,
            "place": where,
            "options": options_,
            "port": port,
            "key": _full_path(key),
            "known_hosts": _full_path(known_hosts),
            "ca": _full_path(ca),
            "full": full,
            "backup": not no_backup,
        }
    )
    return act(place, lambda _: AddRepository(name=name, repository=one), how)


def _full_path(path: str) -> str:
    return os.path.abspath(path) if path else ""


def _configured(fields: dict[str, Any]) -> Configured:
    from pydantic import ValidationError

    from sbctui.engine.errors import BadInput
    from sbctui.engine.model.repositories import Configured

    try:
        return Configured.model_validate(fields)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise BadInput(message.removeprefix("Value error, ")) from None


def _of_repository(kind: Callable[[], Callable[..., Request]]) -> Callable[..., int]:
    """A verb about one repository; ``kind`` gives its request, and is the verb's help."""

    @click.argument("name", type=options.REPOSITORY)
    @options.mutating
    @click.pass_obj
    @wraps(kind)
    def verb(place: Place, name: str, how: How) -> int:
        return act(place, lambda _: kind()(name=name), how)

    return verb


@repo.command()
@_of_repository
def remove() -> Callable[..., Request]:
    """Forget a repository; what is in it stays."""
    from sbctui.engine.model.requests import RemoveRepository

    return RemoveRepository


@repo.command()
@_of_repository
def mount() -> Callable[..., Request]:
    """Mount a repository, read-only unless it is a cache; needs root."""
    from sbctui.engine.model.requests import MountRepository

    return MountRepository


@repo.command()
@_of_repository
def unmount() -> Callable[..., Request]:
    """Unmount a repository; needs root."""
    from sbctui.engine.model.requests import UnmountRepository

    return UnmountRepository


@repo.command()
@click.argument("address", type=options.ADDRESS, default="repo")
@options.output_option
@click.pass_obj
def tree(place: Place, address: Any, json: bool) -> int:
    """List the images at ADDRESS and below, with size, time and side files."""
    found = place.engine().images(address)
    if json:
        output.document({"images": [_image_json(one) for one in found]})
        return 0
    from sbctui.format import size

    rows = [
        (str(one.address), size(one.size), (output.when(one.mtime) or "-")[:16], _sides(one))
        for one in found
    ]
    output.table(("IMAGE", "SIZE", "CHANGED", "BESIDE"), rows, right=(1,))
    return 0


def _sides(one: RepositoryImage) -> str:
    words = [f"{ending[1:]} (stale)" if ending in one.stale else ending[1:] for ending in one.sides]
    words += ["former version"] if one.former else []
    return " ".join(words) or "-"


def _image_json(one: RepositoryImage) -> dict[str, Any]:
    return {
        "address": str(one.address),
        "size": one.size,
        "changed": output.when(one.mtime),
        "sides": list(one.sides),
        "stale": list(one.stale),
        "former": one.former
        and {"size": one.former.size, "changed": output.when(one.former.mtime)},
    }


@repo.command()
@click.argument("address", type=options.ADDRESS, default="repo")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@options.output_option
@click.pass_obj
def check(place: Place, address: Any, quiet: bool, json: bool) -> int:
    """Read the images at ADDRESS and below, and compare them with their side files; 8 if any isn't
    what it should be."""
    return verified(place, address, quiet, json)


def verified(place: Place, address: Any, quiet: bool, json: bool) -> int:
    """Check images, print what is wrong with them; 0, or 8 with findings."""
    import sys

    from sbctui.cli.act import stoppable
    from sbctui.cli.progress import Progress

    engine = place.engine()
    progress = Progress(sys.stderr, quiet=quiet)
    with stoppable() as stop:
        try:
            found = engine.check_images(address, stop, progress.emit)
        finally:
            progress.close()
    if json:
        output.document({"faults": [_fault_json(one) for one in found]})
    elif found:
        rows = [(str(one.address), one.what, one.remedy) for one in found]
        output.table(("IMAGE", "FAULT", "REMEDY"), rows)
    else:
        count = len(engine.images(address))
        one = count == 1
        output.lines(["1 image: as it should be" if one else f"{count} images: as they should be"])
    return 8 if found else 0


def _fault_json(one: ImageFault) -> dict[str, Any]:
    return {"address": str(one.address), "what": one.what, "remedy": one.remedy}


@repo.command()
@options.output_option
@click.pass_obj
def env(place: Place, json: bool) -> int:
    """Print REPO, CACHE and the folders of removable ones, as lines for a shell."""
    found = place.engine().hook_variables()
    if json:
        output.document({"variables": dict(found)})
        return 0
    from sbctui.engine.repository.hookenv import shell_lines

    lines: Sequence[str] = shell_lines(found)
    output.lines(lines)
    return 0


@repo.command()
@options.mutating
@click.pass_obj
def index(place: Place, how: How) -> int:
    """Make what others need who follow this server's repository: hashes, chunks and a list."""
    from sbctui.engine.model.requests import IndexRepository

    return act(place, lambda _: IndexRepository(), how)


@repo.command("import-tree")
@click.argument("folder", metavar="DIR", type=options.FOLDER)
@click.option("--move", is_flag=True, help="Take the files away from DIR.")
@options.mutating
@click.pass_obj
def import_tree(place: Place, folder: str, move: bool, how: How) -> int:
    """Bring the images of an older flat tree into this server's repository."""
    from sbctui.engine.model.requests import ImportTree

    return act(place, lambda _: ImportTree(folder=os.path.abspath(folder), move=move), how)


for _verb in distribute.VERBS:
    repo.add_command(_verb)
repo.add_command(imagework.delete)
