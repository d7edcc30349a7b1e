"""``sbctui trash``: what was deleted and is kept for a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from sbctui.cli import options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request
    from sbctui.engine.model.site import Site, Trashed


@click.group(no_args_is_help=False)
def trash() -> None:
    """What was deleted: it comes back until it expires or is purged."""


@trash.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List the trash, oldest first."""
    site = place.engine().site()
    from sbctui import format as words

    days = timedelta(days=site.settings.trash_days)
    if json:
        output.document({"trash": [
            {
                "folder": t.folder,
                "name": t.name,
                "kind": t.config.kind if t.config else None,
                "parent": t.config.parent if t.config else None,
                "mac": t.config.mac if t.config else None,
                "allocated": t.allocated,
                "deleted": output.iso(t.deleted),
                "expires": output.iso(t.deleted + days),
            }
            for t in site.trash
        ]})  # fmt: skip
        return 0
    from sbctui.engine.model.trashed import gathered, told

    rows = [
        (
            t.folder,
            _kind(t),
            t.config.hostname if t.config else told(t),
            words.size(sum(one.allocated for one in (t, *beside))),
            output.iso(t.deleted + days)[:10],
        )
        for t, *beside in gathered(site.trash).values()
    ]
    output.table(("FOLDER", "KIND", "NAME", "ALLOC", "EXPIRES"), rows, right=(3,))
    return 0


def _kind(entry: Trashed) -> str:
    from sbctui.engine.model.trashed import image_of

    if entry.config is not None:
        return entry.config.kind
    if not entry.origin:
        return "broken"
    return "image" if image_of(entry) else "stray"


@trash.command()
@click.argument("names", nargs=-1, required=True, type=options.TRASHED, metavar="FOLDER|NAME...")
@options.mutating
@click.pass_obj
def restore(place: Place, names: tuple[str, ...], how: How) -> int:
    """Bring deleted nodes back, by trash folder or by name (then the newest of it)."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import RestoreTrash

        site = engine.site()
        return RestoreTrash(folders=tuple(_folder(site, name) for name in names))

    return act(place, make, how)


@trash.command()
@click.argument("names", nargs=-1, type=options.TRASHED, metavar="[FOLDER|NAME]...")
@click.option("--all", "all_", is_flag=True, help="Everything in the trash.")
@options.mutating
@click.pass_obj
def purge(place: Place, names: tuple[str, ...], all_: bool, how: How) -> int:
    """Delete for good. There is no undo."""
    if bool(names) == all_:
        raise click.UsageError("Give either names or --all", click.get_current_context())

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import PurgeTrash

        site = engine.site()
        chosen = [t.folder for t in site.trash] if all_ else [_folder(site, n) for n in names]
        return PurgeTrash(folders=tuple(chosen))

    return act(place, make, how)


def _folder(site: Site, text: str) -> str:
    """The trash folder meant: itself, or the newest entry of that name, alias or MAC."""
    from sbctui.cli.show import mac_of
    from sbctui.engine.model.trashed import image_of

    mac = mac_of(text)
    for entry in sorted(site.trash, key=lambda t: t.deleted, reverse=True):
        config = entry.config
        if text in (entry.folder, entry.name, image_of(entry) or None) or (
            config is not None and (config.alias == text != "" or config.mac == mac is not None)
        ):
            return entry.folder
    return text
