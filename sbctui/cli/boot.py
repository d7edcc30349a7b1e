"""``sbctui boot``: what a node's board will ask for and get, and whether it could come up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import click

from sbctui.cli import options, output
from sbctui.cli.act import act
from sbctui.cli.audit import FINDINGS
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.boot.asks import Firmware
    from sbctui.engine.boot.initramfs import Lack
    from sbctui.engine.boot.served import Given, Served
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

_KINDS = ("u-boot", "pi3", "pi4", "pi5", "ipxe")
_FIRMWARE = click.option(
    "--firmware", type=click.Choice(_KINDS), help="Only for this kind of board."
)


@click.group(no_args_is_help=False)
def boot() -> None:
    """Boot files: what a board asks for and gets, and what it would lack."""


@boot.command()
@click.argument("name", type=options.NODE)
@_FIRMWARE
@options.output_option
@click.pass_obj
def show(place: Place, name: str, firmware: Firmware | None, json: bool) -> int:
    """Print what the board of NAME will ask for, in order, and what it gets."""
    engine = place.engine()
    folder = _node(engine, name)
    found = engine.boot_files(folder, firmware)
    if json:
        output.document({"boot": {"node": folder, "firmware": [_served(one) for one in found]}})
        return 0
    for number, one in enumerate(found):
        output.lines([""] * bool(number) + [f"{one.firmware}:"])
        rows = [_row(given) for given in one.files]
        output.table(("ASKS FOR", "SIZE", "FROM", "FILE"), rows, right=(1,))
    return 0


@boot.command()
@click.argument("name", type=options.NODE)
@_FIRMWARE
@options.output_option
@click.pass_obj
def check(place: Place, name: str, firmware: Firmware | None, json: bool) -> int:
    """Say whether a board could have its root over the network from NAME; exit 8 if not."""
    engine = place.engine()
    folder = _node(engine, name)
    found = engine.boot_check(folder, firmware, threading.Event())
    stops = [lack for lack in found if lack.stops]
    if json:
        output.document({"check": {"node": folder, "bootable": not stops, "lacks": [
            _lack(lack) for lack in found]}})  # fmt: skip
        return FINDINGS if stops else 0
    for lack in found:
        word = "MISSING" if lack.stops else "maybe"
        output.lines([f"{word}  {lack.part}: {lack.file}", f"  {lack.why}", f"  {lack.remedy}"])
    if not stops:
        output.lines([f"{folder} can boot over the network, as far as its files show"])
    return FINDINGS if stops else 0


@boot.command()
@click.argument("name", type=options.NODE)
@click.option(
    "--initramfs",
    type=click.Choice(("own", "bootkit")),
    required=True,
    help="The image's own, or the site's, built first where there is none yet.",
)
@click.option("--offline", is_flag=True, help="Build with the packages of earlier builds only.")
@options.mutating
@click.pass_obj
def use(
    place: Place, name: str, initramfs: Literal["own", "bootkit"], offline: bool, how: How
) -> int:
    """Let NAME, and the leaves of a root, load another initramfs from their next start on."""

    def make(engine: Engine) -> Request:
        from sbctui.engine.model.requests import UseInitramfs

        return UseInitramfs(name=_node(engine, name), initramfs=initramfs, offline=offline)

    return act(place, make, how)


def _node(engine: Engine, name: str) -> str:
    """The folder of a node whose config can be read. Raises NoSuchNode, Refused."""
    from sbctui.cli import show as shown
    from sbctui.engine.errors import Refused

    site = engine.site()
    folder = shown.find(site, name)
    if folder in site.broken:
        raise Refused(f"{folder} can't be read: {site.broken[folder].reason}; see: sbctui audit")
    return folder


def _row(given: Given) -> tuple[str, ...]:
    from sbctui import format as words

    if given.missing:
        return given.ask.name, "-", "MISSING", given.ask.note
    if not given.origin:
        return given.ask.name, "-", "not there", given.ask.note
    file = "written for each board" if given.each else given.file
    return given.ask.name, words.size(given.size), given.origin, file


def _served(one: Served) -> dict[str, Any]:
    return {"firmware": one.firmware, "files": [_given(given) for given in one.files]}


def _given(given: Given) -> dict[str, Any]:
    return {
        "asks": given.ask.name,
        "file": given.file or None,
        "size": given.size if given.origin else None,
        "origin": given.origin or None,
        "needed": given.ask.needed,
        "missing": given.missing,
        "each": given.each,
        "note": given.ask.note,
    }


def _lack(lack: Lack) -> dict[str, Any]:
    return {
        "part": lack.part,
        "file": lack.file,
        "why": lack.why,
        "remedy": lack.remedy,
        "stops": lack.stops,
    }
