"""What requests about distribution want to know of this machine, looked up for the planners."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.errors import NoSuchNode
from sbctui.engine.model.distribution import (
    Distribution,
    ImageFile,
    Lab,
    MakeSideFiles,
    SeedImages,
    SendImage,
    Transfer,
)
from sbctui.engine.model.site import Site
from sbctui.engine.repository.origin import offered
from sbctui.engine.repository.sidefiles import images, look
from sbctui.engine.services.dnsmasq_net import addresses


def gather_distribution(site: Site, request: Distribution) -> Distribution:
    """The request with its facts. Raises NoSuchNode, BadInput, ToolFailed, ToolMissing."""
    if isinstance(request, MakeSideFiles):
        named = tuple(look(site.path, image) for image in dict.fromkeys(request.images))
        return request.model_copy(update={"found": named or tuple(images(site.path))})
    return request.model_copy(update={"lab": _lab(site, request), **_found(site.path, request)})


def _found(site: Path, request: Transfer) -> dict[str, object]:
    if isinstance(request, SeedImages):
        return {"found": tuple(look(site, image) for image in dict.fromkeys(request.images))}
    if isinstance(request, SendImage):
        return {"found": look(site, request.image)}
    offer = offered(site, request.image, request.origin, request.by)
    return {"found": _there(site, request.image), "offer": offer}


def _there(site: Path, image: str) -> ImageFile | None:
    try:
        return look(site, image)
    except NoSuchNode:
        return None


def _lab(site: Site, request: Transfer) -> Lab | None:
    """The interface asked for, else the site's, with the address that the settings name there."""
    network = site.settings.network
    interface = request.interface or network.interface
    here = addresses(interface) if interface else ()
    named = [address for address in here if address in network.servers]
    inside = [a for a in here if any(a in s.subnet for s in network.segments)]
    best = next(iter((*named, *inside, *here)), None)
    return Lab(interface=interface, address=best) if best else None
