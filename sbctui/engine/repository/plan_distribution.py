"""Plans for images that go to many. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from sbctui.engine import rules
from sbctui.engine.errors import NoSpace, NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.amounts import size
from sbctui.engine.model.distribution import ImageFile, Lab, Offer
from sbctui.engine.model.repository import LET_DROP, the_cache
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import listing, plan
from sbctui.engine.plan import (
    MakeSideFiles,
    Plan,
    ReceiveImage,
    SeedImages,
    SendImage,
    StopSeeding,
    Unit,
)

_NO_LAB = (
    "this site has no interface, so it is not known where to; name it with --interface, or set "
    "the site's: sbctui site init --interface IF --subnet CIDR"
)


@singledispatch
def plan_distribution(request: ask.Request, site: Site) -> Plan:
    """Plan a request about side files or transfers. Raises Refused, NoSpace."""
    raise TypeError(type(request).__name__)


@plan_distribution.register
def _(request: ask.MakeSideFiles, site: Site) -> Plan:
    """Those that have all of them are left out, unless ``anew``."""
    rules.require(rules.can_distribute(site))
    wanted = [one for one in request.found if one.lacking or request.anew]
    title = f"make the side files of {_counted(wanted)}"
    units = [side_files(one) for one in wanted]
    return plan(site, request, title, [*units, listing()] if units else [], hold=False)


@plan_distribution.register
def _(request: ask.SeedImages, site: Site) -> Plan:
    lab = _lab(request.lab, request.interface)
    rules.require(rules.can_distribute(site))
    title = f"seed {_named(request.images)} on {lab.interface}"
    until = f"until {request.receivers} receivers have it" if request.receivers else "until stopped"
    action = SeedImages(
        images=request.images,
        receivers=request.receivers,
        lab=lab,
        lasting=request.lasting,
        again=request.again,
        interface=request.interface,
    )
    units = [*_missing(request.found), Unit(title=title, detail=until, actions=(action,))]
    stop = f"sbctui repo seed --stop {' '.join(request.images)}"
    lasts = f"it begins again with the services, after a restart of the machine too, until: {stop}"
    notes = (lasts,) if request.lasting else ()
    return plan(site, request, title, units, notes=notes, hold=False)


@plan_distribution.register
def _(request: ask.StopSeeding, site: Site) -> Plan:
    """Those that are not seeded are named; of all none is fine."""
    rules.require(rules.can_distribute(site))
    if strange := [one for one in request.images if one not in request.found]:
        raise NoSuchNode(
            f"repo:{strange[0]} is not to be seeded; see: sbctui repo transfers (what another "
            "terminal seeds ends there with Ctrl+C)"
        )
    title = f"seed {_named(request.found)} no more"
    unit = Unit(title=title, actions=(StopSeeding(images=request.found),))
    return plan(site, request, title, [unit] if request.found else [], hold=False)


@plan_distribution.register
def _(request: ask.SendImage, site: Site) -> Plan:
    lab = _lab(request.lab, request.interface)
    rules.require(rules.can_distribute(site))
    title = f"send repo:{request.image} by multicast on {lab.interface}"
    who = f"{request.receivers} receiver{'' if request.receivers == 1 else 's'}"
    begins = f"begins with {who}, or {request.wait} s after the first"
    action = SendImage(
        image=request.image,
        receivers=request.receivers,
        wait=request.wait,
        rate=request.rate,
        retries=request.retries,
        lab=lab,
    )
    found = (request.found,) if request.found else ()
    units = [*_missing(found), Unit(title=title, detail=begins, actions=(action,))]
    return plan(site, request, title, units, hold=False)


@plan_distribution.register
def _(request: ask.ReceiveImage, site: Site) -> Plan:
    """Nothing when these contents are there already, with their side files."""
    lab = _lab(request.lab, request.interface)
    rules.require(rules.can_distribute(site))
    if request.offer is None:
        raise Refused("it is not known what is offered; name a side file with --from").of("origin")
    if request.seeder and request.by != "torrent":
        raise Refused("a multicast does not leave its network; receive from there by --torrent")
    where = f", from {request.seeder}" if request.seeder else ""
    title = f"receive {request.address} by {request.by} on {lab.interface}{where}"
    found, offer = request.found, request.offer
    if found and (found.sha256, found.size) == (offer.sha256, offer.size):
        units = [*missing, listing()] if (missing := _missing([found])) else []
        return plan(site, request, title, units, notes=("it is here already",), hold=False)
    maybe = found is not None and not found.sha256 and found.size == offer.size
    if found and not maybe and not request.replace and not request.cache:
        raise Refused(
            f"there is {request.address} with other contents; let it be replaced with --replace"
        ).of("image")
    _room(site, request, offer.size)
    unit = Unit(
        title=title, detail=f"sha256 {offer.sha256[:16]}…", actions=(_action(request, lab),)
    )
    more: dict[str, Any] = {}
    if found and (request.replace or request.cache):
        more = {"impact": "one", "notes": _replaced(request, found)}
    elif found:
        more = {"notes": (f"what {request.address} is now is read first: it may be the same",)}
    units = [unit] if request.cache else [unit, listing()]
    return plan(site, request, title, units, needs=offer.size, hold=False, **more)


def _action(request: ask.ReceiveImage, lab: Lab) -> ReceiveImage:
    assert isinstance(request.offer, Offer)
    return ReceiveImage(
        image=request.image,
        cache=request.cache,
        by=request.by,
        origin=request.origin,
        seeder=request.seeder,
        wait=request.wait,
        offer=request.offer,
        before=request.found,
        replace=request.replace or bool(request.cache),
        lab=lab,
    )


def _room(site: Site, request: ask.ReceiveImage, needs: int) -> None:
    """Raises NoSpace, for a cache where it makes no room by itself."""
    if not request.cache:
        rules.enough_space(site, needs)
    elif needs > request.room and not request.drop:
        raise NoSpace(
            f"{the_cache(request.cache)} has {size(request.room)} free and this takes {size(needs)}"
            f"{LET_DROP}"
        )


def _replaced(request: ask.ReceiveImage, found: ImageFile) -> tuple[str, ...]:
    now = f"what {request.address} is now ({size(found.size)})"
    if request.backup:
        return (f"{now} is kept as its former version: sbctui cache restore {request.address}",)
    return (f"{now} is replaced, without a copy",)


def side_files(one: ImageFile) -> Unit:
    """The unit that makes the side files of an image."""
    return Unit(
        title=f"make the side files of repo:{one.image}",
        detail=", ".join(one.lacking),
        actions=(MakeSideFiles(image=one.image),),
    )


def _missing(found: Iterable[ImageFile]) -> list[Unit]:
    """Units that come first: what has no side files of its contents can't be sent."""
    preparing = {"required": True, "counts": False}
    return [side_files(one).model_copy(update=preparing) for one in found if one.lacking]


def _lab(lab: Lab | None, named: str) -> Lab:
    if lab is None:
        raise Refused(f"{named} has no IPv4 address; see: ip address" if named else _NO_LAB).of(
            "interface"
        )
    return lab


def _counted(images: list[ImageFile]) -> str:
    return f"repo:{images[0].image}" if len(images) == 1 else f"{len(images)} images"


def _named(images: tuple[str, ...]) -> str:
    return f"repo:{images[0]}" if len(images) == 1 else f"{len(images)} images"
