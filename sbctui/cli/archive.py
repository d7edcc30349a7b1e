"""``sbctui archive``: what an archive holds, and whether it is whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import imagework, options, output
from sbctui.cli.act import stoppable
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput, from_os

if TYPE_CHECKING:
    from threading import Event

    from sbctui.engine.archive.look import Contents
    from sbctui.engine.disks.port import Report

    Look = Callable[[Event, Report], Contents]

_SHORT = 16


@click.group(no_args_is_help=False)
def archive() -> None:
    """Archives of nodes, as root export and leaf export write them."""


@archive.command("list")
@click.argument("file", type=options.ARCHIVE)
@options.output_option
@click.pass_obj
def list_(place: Place, file: str, json: bool) -> int:
    """List what FILE holds; - is stdin."""
    from sbctui.engine.archive.look import listed

    where = place.archive(file)
    found = _looked(lambda stop, report: listed(place.path, where, stop, report), file)
    return _tell(found, json=json)


@archive.command()
@click.argument("file", type=options.ARCHIVE)
@options.output_option
@click.pass_obj
def verify(place: Place, file: str, json: bool) -> int:
    """Read all of FILE and compare every member with the hashes of its manifest."""
    from sbctui.engine.archive.look import verified

    where = place.archive(file)
    found = _looked(lambda stop, report: verified(place.path, where, stop, report), file)
    return _tell(found, json=json)


def _looked(look: Look, file: str) -> Contents:
    if file == "-" and output.is_captured():
        raise BadInput("a console has no stdin; name a file")
    if output.is_captured():
        from threading import Event

        return look(Event(), lambda done, total: None)
    from sbctui.cli.progress import Progress
    from sbctui.engine import events

    name = file.rpartition("/")[2] or file
    progress = Progress(sys.stderr, quiet=False)
    progress.emit(events.Started(title=name, total=1, at=time.time()))
    progress.emit(events.UnitStarted(index=0, title=f"reading {name}", at=time.time()))
    told = 0.0

    def report(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 0.1:
            told = time.monotonic()
            progress.emit(events.Progress(what=name, done=done, total=total, at=time.time()))

    with stoppable() as stop:
        try:
            return look(stop, report)
        except OSError as error:
            raise from_os(error, f"reading {file}") from error
        finally:
            progress.close()


def _tell(found: Contents, *, json: bool) -> int:
    if json:
        output.document({"archive": as_json(found)})
        return 0
    from sbctui.format import size

    manifest = found.manifest
    base = manifest.disk.base if manifest else None
    pairs = [
        ("node", f"{manifest.name} ({manifest.kind})" if manifest else ""),
        ("written", f"{output.iso(manifest.made)} by {manifest.product}" if manifest else ""),
        ("disk", f"{size(found.disk)}, {size(found.data)} of it stored"),
        ("only what differs from", base.root if base else ""),
        ("promise", manifest.disk.promise if manifest else ""),
    ]
    output.pairs(pairs)
    rows = [(one.name, size(one.size), one.sha256[:_SHORT]) for one in found.members]
    output.table(("MEMBER", "STORED", "SHA-256"), rows, right=(1,))
    if manifest is None:
        output.say("note: it has no manifest, so nothing says whether it is whole")
    elif not found.read:
        output.say("note: as it says itself; compare it with: sbctui archive verify")
    else:
        output.lines(["all of it was read, and every member is what its hash says"])
    return 0


def as_json(found: Contents) -> dict[str, Any]:
    """The ``archive`` object of docs/cli.md."""
    manifest = found.manifest
    base = manifest.disk.base if manifest else None
    return {
        "place": found.place,
        "size": found.bytes or None,
        "verified": found.read and manifest is not None,
        "format": manifest.format if manifest else None,
        "node": manifest.name if manifest else None,
        "kind": manifest.kind if manifest else None,
        "product": manifest.product if manifest else None,
        "made": output.iso(manifest.made) if manifest else None,
        "promise": manifest.disk.promise if manifest else None,
        "disk": found.disk,
        "data": found.data,
        "base": base.root if base else None,
        "members": [one.model_dump() for one in found.members],
    }


archive.add_command(imagework.export)
