"""Verbs of ``sbctui repo`` that make side files, and bring images to many at once."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from sbctui.cli import names, options, output
from sbctui.cli.act import act
from sbctui.cli.background import act_or_start
from sbctui.cli.background import option as in_background
from sbctui.cli.failing import Failed
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job
    from sbctui.engine.model.distribution import ImageFile
    from sbctui.engine.model.repository import ImageAddress

FINDINGS = 8
Way = Literal["multicast", "torrent"]
_ADDRESS = options.Parsed("image", "parse_image", names.own_images, module="distribution")
_RECEIVER = options.Parsed("image", "parse_receiver", names.kept_images, module="distribution")
_HOST = options.Parsed("host", "parse_host", module="distribution")
_RATE = options.Parsed("rate", "parse_rate", module="distribution")
_INTERFACE = click.option(
    "--interface", default="", type=options.INTERFACE, help="Where, if not on the site's own."
)


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=_ADDRESS)
@click.option("--all", "all_", is_flag=True, help="Of all images that lack some.")
@click.option("--check", is_flag=True, help="Make none; read the images and compare the hashes.")
@click.option("--anew", is_flag=True, help="Also where they seem right.")
@options.mutating
@click.pass_obj
def sidefiles(
    place: Place, images: tuple[str, ...], all_: bool, check: bool, anew: bool, how: How
) -> int:
    """Make the side files .sha256, .torrent and .mcast; without IMAGE or --all, list them."""
    if check or not (images or all_ or anew):
        return _looked(place, images, check=check, how=how)
    if all_ == bool(images):
        raise click.UsageError("Give IMAGEs, or --all", click.get_current_context())
    from sbctui.engine.model.requests import MakeSideFiles

    return act(place, lambda engine: MakeSideFiles(images=images, anew=anew), how)


def _looked(place: Place, images: tuple[str, ...], *, check: bool, how: How) -> int:
    engine = place.engine()
    found = _verified(engine, images, how) if check else engine.side_files(images)
    bad = [one for one in found if one.lacking]
    document = {"images": [_image_json(one) for one in found]}
    if how.json and not (check and bad):
        output.document(document)
    if not how.json:
        _image_table(found)
    if check and bad:
        names = ", ".join(f"repo:{one.image}" for one in bad)
        raise Failed(
            f"side files are missing or wrong; make them anew: {names}", FINDINGS, document
        )
    return 0


def _verified(engine: Engine, images: tuple[str, ...], how: How) -> tuple[ImageFile, ...]:
    from sbctui.cli.act import stoppable
    from sbctui.cli.progress import Progress

    progress = Progress(sys.stderr, quiet=how.quiet)
    with stoppable() as stop:
        try:
            return engine.verify_side_files(images, progress.emit, stop)
        finally:
            progress.close()


def _image_table(found: tuple[ImageFile, ...]) -> None:
    from sbctui.format import size

    rows = [
        (f"repo:{one.image}", size(one.size), _state(one), one.sha256[:16] or "-") for one in found
    ]
    output.table(("IMAGE", "SIZE", "SIDE FILES", "SHA256"), rows, right=(1,))
    if not found:
        output.say("note: there is no image in this site's repository")


def _state(one: ImageFile) -> str:
    return f"not {', '.join(one.lacking)}" if one.lacking else "right"


def _image_json(one: ImageFile) -> dict[str, Any]:
    return {
        "image": one.image,
        "path": one.path,
        "size": one.size,
        "sha256": one.sha256 or None,
        "lacking": list(one.lacking),
    }


@click.command()
@click.argument("images", nargs=-1, metavar="[IMAGE]...", type=_ADDRESS)
@click.option(
    "--stop", is_flag=True, help="Seed IMAGEs, or all, no more: now or with the services."
)
@click.option("--receivers", default=0, type=click.IntRange(0, 1024), metavar="N",
              help="End when so many have each image; else it goes on until stopped.")  # fmt: skip
@_INTERFACE
@in_background
@click.option("--again", is_flag=True, hidden=True, help="Of the services: it was asked for.")
@options.mutating
@click.pass_obj
def seed(
    place: Place, images: tuple[str, ...], stop: bool, receivers: int, interface: str,
    background: bool, again: bool, how: How,
) -> int:  # fmt: skip
    """Offer IMAGEs by torrent on the lab's network, until stopped.

    With --background it begins again with the services, after a restart of the machine too.
    """
    from sbctui.engine.model.requests import SeedImages, StopSeeding

    if stop:
        if receivers or interface or background:
            raise click.UsageError("--stop goes with IMAGEs alone", click.get_current_context())
        return act(place, lambda _: StopSeeding(images=images), how)
    if not images:
        raise click.UsageError("Give IMAGEs, or --stop", click.get_current_context())
    asked = SeedImages(
        images=images, receivers=receivers, interface=interface, lasting=background, again=again
    )
    return act_or_start(place, lambda engine: asked, how, background=background)


@click.command()
@click.argument("image", metavar="IMAGE", type=_ADDRESS)
@click.option("--multicast", is_flag=True, help="By multicast, which is the only way to send.")
@click.option("--receivers", default=1, show_default=True, type=click.IntRange(1, 1024),
              metavar="N", help="Begin as soon as so many have joined.")  # fmt: skip
@click.option("--wait", default=60, show_default=True, type=click.IntRange(1, 86400),
              metavar="SECONDS", help="Begin so long after the first at the latest; give up when "
              "nobody joined for so long.")  # fmt: skip
@click.option("--rate", type=_RATE, metavar="RATE",
              help="At most so many bits a second, as 90m.")  # fmt: skip
@click.option("--retries", default=60, show_default=True, type=click.IntRange(5, 1000),
              metavar="N", help="Drop a receiver that did not answer so often.")  # fmt: skip
@_INTERFACE
@in_background
@options.mutating
@click.pass_obj
def send(
    place: Place, image: str, multicast: bool, receivers: int, wait: int, rate: str | None,
    retries: int, interface: str, background: bool, how: How,
) -> int:  # fmt: skip
    """Send IMAGE once to all who listen, by multicast."""
    from sbctui.engine.model.requests import SendImage

    asked = SendImage(
        image=image,
        receivers=receivers,
        wait=wait,
        rate=rate or "",
        retries=retries,
        interface=interface,
    )
    return act_or_start(place, lambda engine: asked, how, background=background)


@click.command()
@click.argument("image", metavar="IMAGE", type=_RECEIVER)
@click.option("--multicast", "by", flag_value="multicast",
              help="By multicast; the usual, unless ORIGIN is a .torrent.")  # fmt: skip
@click.option("--torrent", "by", flag_value="torrent", help="By torrent.")
@click.option("--from", "origin", default="", type=options.FILE, metavar="ORIGIN",
              help="Its side file: a path, repo:sub/dir/image.mcast, a URL, or HOST:/PATH; else "
              "the one that lies beside it already.")  # fmt: skip
@click.option("--seeder", type=_HOST, metavar="HOST",
              help="Of a torrent that is seeded in another subnet: by which machine.")  # fmt: skip
@click.option("--wait", default=600, show_default=True, type=click.IntRange(1, 86400),
              metavar="SECONDS", help="Give up when nothing comes for so long.")  # fmt: skip
@click.option(
    "--replace",
    is_flag=True,
    help="Let it take the place of other contents, as a cache always does.",
)
@_INTERFACE
@in_background
@options.mutating
@click.pass_obj
def receive(
    place: Place, image: ImageAddress, by: Way | None, origin: str, seeder: str | None, wait: int,
    replace: bool, interface: str, background: bool, how: How,
) -> int:  # fmt: skip
    """Receive IMAGE from who sends or seeds it, verify it, and keep it.

    It comes into this server's repository, and as cache:sub/dir/image into the cache.
    """
    from sbctui.engine.model.repository import OWN
    from sbctui.engine.model.requests import ReceiveImage

    asked = ReceiveImage(
        image=image.path,
        cache=image.repository if image.repository != OWN else "",
        by=_way(by or ("torrent" if seeder and not origin else None), origin),
        seeder=seeder or "",
        wait=wait,
        replace=replace,
        interface=interface,
    )
    return act_or_start(
        place,
        lambda engine: asked.model_copy(update={"origin": engine.side_file(origin)}),
        how,
        background=background,
    )


def _way(asked: Way | None, origin: str) -> Way:
    """How to receive: as asked, else as the ending of the side file says."""
    ways: dict[str, Way] = {".torrent": "torrent", ".mcast": "multicast"}
    told = ways.get(os.path.splitext(origin)[1])
    if asked and told and asked != told:
        raise BadInput(f"{clean(origin)} is for receiving by {told}, not by {asked}")
    return asked or told or "multicast"


@click.command()
@click.option("--all", "all_", is_flag=True, help="Past ones too.")
@options.output_option
@click.pass_obj
def transfers(place: Place, all_: bool, json: bool) -> int:
    """List what is being seeded, sent and received, and what became of each receiver.

    Those that a crash or a restart of the machine interrupted are among them until they are
    resumed or closed.
    """
    engine = place.engine()
    every = engine.transfers()
    found = [one for one in every if all_ or not one.over or one.left]
    waiting = _waiting(engine, every)
    if json:
        told = [_transfer_json(engine, one) for one in found]
        output.document({"transfers": told, "waiting": waiting})
        return 0
    output.table(("JOB", "STATE", "TITLE"), [row for one in found for row in _rows(engine, one)])
    for image in waiting:
        output.say(
            f"note: repo:{image} is to be seeded, and is not now: that begins with the services "
            f"(sbctui services start); or leave it: sbctui repo seed --stop repo:{image}"
        )
    if over := len(every) - len(found):
        output.say(f"note: {over} more {'is' if over == 1 else 'are'} over; see them with --all")
    return 0


def _waiting(engine: Engine, every: tuple[Job, ...]) -> list[str]:
    """Images that are to be seeded, and are not now."""
    plans = [engine.job_plan(one.id) for one in every if not one.over]
    seeded = {image for plan in plans for image in getattr(plan.request, "images", ())}
    return [one.image for one in engine.seeds() if one.image not in seeded]


def _rows(engine: Engine, one: Job) -> list[tuple[str, str, str]]:
    """A transfer, below it each receiver, and how it goes on where it was interrupted."""
    told = [f"{who}: {how}" for who, how in engine.receivers(one.id).items()]
    if one.left:
        again = f"sbctui job resume {one.id} --background"
        told.append(f"go on with: {again}, or leave it: sbctui job close {one.id}")
    return [(one.id, one.state, one.title), *(("", "", f"  {line}") for line in told)]


def _transfer_json(engine: Engine, one: Job) -> dict[str, Any]:
    return {
        "id": one.id,
        "verb": one.verb,
        "state": one.state,
        "title": one.title,
        "started": output.when(one.started),
        "finished": output.when(one.finished),
        "code": one.code if one.finished else None,
        "receivers": engine.receivers(one.id),
        "resume": f"sbctui job resume {one.id} --background" if one.left else None,
    }


VERBS: tuple[click.Command, ...] = (sidefiles, seed, send, receive, transfers)
"""What belongs under the noun ``repo``."""
