"""``sbctui image``: the folder of OS images, and which root boards of a model get."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import Refused

if TYPE_CHECKING:
    from sbctui.engine.images import Image
    from sbctui.engine.model.settings import Settings

_NO_FOLDER = "no folder of images is set; set one with: sbctui image folder PATH"
MODEL = options.Parsed("model", "parse_pattern", module="settings")


@click.group(no_args_is_help=False)
def image() -> None:
    """OS images that roots are made from, and the default root of each board model."""


@image.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List the images in the site's folder of images, with size and kind."""
    from sbctui.engine.images import images

    folder = _settings(place).images
    if not folder:
        raise Refused(_NO_FOLDER)
    found = images(Path(folder))
    if json:
        output.document({"folder": folder, "images": [_json(one) for one in found]})
        return 0
    output.table(
        ("NAME", "KIND", "SIZE", "DISK", "NOTE"), [_row(one) for one in found], right=(2, 3)
    )
    if not found:
        output.say(f"note: there is no image in {folder}")
    return 0


def _json(one: Image) -> dict[str, Any]:
    return {
        "name": one.name,
        "path": str(one.path),
        "kind": one.kind or None,
        "packed": one.packed,
        "size": one.bytes,
        "disk": one.disk or None,
        "filesystem": one.filesystem,
        "fault": one.fault,
    }


def _row(one: Image) -> tuple[str, ...]:
    from sbctui.format import size

    kind = f"{one.kind}, {one.packed}" if one.packed else one.kind
    told = one.fault or one.filesystem
    return (one.name, kind or "unusable", size(one.bytes) if one.bytes else "-",
            size(one.disk) if one.disk else "-", told)  # fmt: skip


@image.command()
@click.argument("path", required=False, type=options.FOLDER)
@click.option("--none", "none", is_flag=True, help="Have no folder of images.")
@options.mutating
@click.pass_obj
def folder(place: Place, path: str | None, none: bool, how: How) -> int:
    """Set the folder where images are kept; its names are completed after root create --from."""
    if (path is None) != none:
        raise click.UsageError("Give a PATH, or --none", click.get_current_context())
    wanted = "" if path is None else os.path.abspath(Path(path).expanduser())
    if wanted:
        from sbctui.engine.images import image_names

        image_names(Path(wanted))
    title = f"take images from {wanted}" if wanted else "have no folder of images"
    return _change(place, title, lambda _: {"images": wanted}, how)


@image.command()
@options.output_option
@click.pass_obj
def models(place: Place, json: bool) -> int:
    """List the default roots by board model."""
    site = place.look(sessions=False)
    roots = {node.name for node in site.roots}
    found = site.settings.models
    if json:
        output.document({"models": [
            {"model": model, "root": root, "there": root in roots} for model, root in found.items()
        ]})  # fmt: skip
        return 0
    rows = [(model, root, "" if root in roots else "there is no such root")
            for model, root in found.items()]  # fmt: skip
    output.table(("MODEL", "ROOT", "NOTE"), rows)
    return 0


@image.command()
@click.argument("name", metavar="MODEL", type=MODEL)
@click.argument("root", required=False, type=options.ROOT)
@click.option("--none", "none", is_flag=True, help="Boards of MODEL have no default root.")
@options.mutating
@click.pass_obj
def model(place: Place, name: str, root: str | None, none: bool, how: How) -> int:
    """Set the root that new leaves of boards of MODEL get; * and ? stand for other letters."""
    if (root is None) != none:
        raise click.UsageError("Give a ROOT, or --none", click.get_current_context())
    if root is not None:
        from sbctui.engine import rules

        rules.root(place.look(sessions=False), root)
        title = f"boards of the model {name} get the root {root}"
    else:
        if name not in _settings(place).models:
            raise Refused(f"{name} has no default root; see: sbctui image models")
        title = f"boards of the model {name} have no default root"

    def change(before: Settings) -> Mapping[str, object]:
        others = {key: value for key, value in before.models.items() if key != name}
        return {"models": others if root is None else {**others, name: root}}

    return _change(place, title, change, how)


def _settings(place: Place) -> Settings:
    from sbctui.engine.store import read_settings

    return read_settings(place.to_open())


def _change(
    place: Place, title: str, change: Callable[[Settings], Mapping[str, object]], how: How
) -> int:
    """Change settings, with the change shown first."""
    from sbctui.engine.siteinit import change_settings

    place.refuse_if_read_only()
    before = _settings(place)
    update = change(before)
    lines = [f"  {key}: {_shown(getattr(before, key))} -> {_shown(value)}"
             for key, value in update.items()]  # fmt: skip
    if all(getattr(before, key) == value for key, value in update.items()):
        lines = ["  it is so already"]
    if how.dry_run:
        if how.json:
            output.document({"plan": {"title": title, "settings": dict(update)}})
        else:
            output.lines([title, *lines, "dry run: nothing was changed"])
        return 0
    place.doer.confirm(title, lines, "", how)
    after = change_settings(place.path, lambda now: _updated(now, change(now)))
    if how.json:
        output.document({"settings": after.model_dump(mode="json", by_alias=True)})
    else:
        output.lines([f"done: {title}"])
    return 0


def _updated(settings: Settings, update: Mapping[str, object]) -> Settings:
    """The settings, checked anew. Raises BadInput."""
    from pydantic import ValidationError

    from sbctui.engine.errors import BadInput

    try:
        return type(settings).model_validate({**settings.model_dump(by_alias=True), **update})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise BadInput(message.removeprefix("Value error, ")) from None


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {root}" for key, root in value.items()) or "none"
    return str(value) or "none"
