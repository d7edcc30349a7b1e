"""What requests about distribution want to know of this machine, looked up for the planners."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.errors import NoSuchNode, against
from sbctui.engine.model.distribution import (
    Distribution,
    ImageFile,
    Lab,
    MakeSideFiles,
    ReceiveImage,
    SeedImages,
    SendImage,
    StopSeeding,
    Transfer,
)
from sbctui.engine.model.repository import IMAGES
from sbctui.engine.model.site import Site
from sbctui.engine.repository import chunks
from sbctui.engine.repository.keep import free_bytes
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.origin import offered
from sbctui.engine.repository.seeds import wishes
from sbctui.engine.repository.sidefiles import image_path, images, look
from sbctui.engine.services.dnsmasq_net import addresses


def gather_distribution(site: Site, request: Distribution) -> Distribution:
    """The request with its facts. Raises NoSuchNode, BadInput, ToolFailed, ToolMissing."""
    if isinstance(request, MakeSideFiles):
        named = tuple(look(site.path, image) for image in dict.fromkeys(request.images))
        return request.model_copy(update={"found": named or tuple(images(site.path))})
    if isinstance(request, StopSeeding):
        seeded = [one.image for one in wishes(site.path)]
        found = [one for one in seeded if one in request.images or not request.images]
        return request.model_copy(update={"found": tuple(found)})
    return request.model_copy(update={"lab": _lab(site, request), **_found(site, request)})


def _found(site: Site, request: Transfer) -> dict[str, object]:
    if isinstance(request, SeedImages):
        return {"found": tuple(look(site.path, image) for image in dict.fromkeys(request.images))}
    if isinstance(request, SendImage):
        return {"found": look(site.path, request.image)}
    return _received(site, request)


def _received(site: Site, request: ReceiveImage) -> dict[str, object]:
    """Where it comes to, and what is there. Raises NoCache, Refused, like ``offered``."""
    if not request.cache:
        path = image_path(site.path, request.image)
        with against("origin"):
            offer = offered(path, request.origin, request.by)
        return {"found": _there(site.path, request.image), "offer": offer}
    here = Here(site.path, site.settings)
    with against("image"):
        name, root = here.cache(request.cache)
    path, one = root / IMAGES / request.image, here.known[name]
    with against("origin"):
        offer = offered(path, request.origin, request.by)
    return {
        "cache": name,
        "found": _cached(path, request.image),
        "offer": offer,
        "room": free_bytes(root),
        "drop": one.full == "lru",
        "backup": one.backup,
    }


def _cached(path: Path, image: str) -> ImageFile | None:
    """An image of a cache, with its hash where its chunks are those of what is there."""
    if not path.is_file():
        return None
    about, known = path.stat(), chunks.known(path)
    sha256 = known.sha256 if known else ""
    return ImageFile(image=image, size=about.st_size, mtime_ns=about.st_mtime_ns, sha256=sha256)


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
