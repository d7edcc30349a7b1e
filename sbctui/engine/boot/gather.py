"""What a request has to know of boot files, which planners can't look at."""

from __future__ import annotations

import threading

from sbctui.engine.boot.kernels import look_at_kernel
from sbctui.engine.boot.known import NO_KERNEL, Known
from sbctui.engine.bootkit.arch import image_version
from sbctui.engine.bootkit.kits import kits
from sbctui.engine.errors import from_os
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Site


def gather(site: Site, request: ask.Request, known: Known) -> ask.Request:
    """The request with its facts filled in, or as it is. Raises Cancelled, SbcError."""
    if isinstance(request, ask.UseInitramfs):
        name = _name(site, request.name)
        return request.model_copy(update={"kernel": _kernel(site, name)}) if name else request
    if isinstance(request, ask.CreateRoot) and request.source is not None:
        built = tuple(f"{one.kernel} ({one.arch})" for one in kits(site.path) if not one.fault)
        return request.model_copy(update={"kits": built})
    if isinstance(request, ask.CloneRoot):
        return _clone(site, request, known)
    if isinstance(request, ask.AllocateRoot):
        return request.model_copy(update={"hindrance": _hindrance(site, request.name, known)})
    if isinstance(request, ask.CreateLeaves):
        return request.model_copy(update={"hindrance": _hindrance(site, request.root, known)})
    return request


def _name(site: Site, name: str) -> str:
    """The node's folder; empty for what the planner will refuse."""
    if name in site.nodes:
        return name
    aliased = site.by_alias.get(name, ())
    return aliased[0] if len(aliased) == 1 else ""


def _kernel(site: Site, name: str) -> ask.Kernel:
    try:
        return look_at_kernel(site, name, threading.Event())
    except OSError as error:
        raise from_os(error, f"looking at the boot files of {name}") from error


def _hindrance(site: Site, name: str, known: Known) -> ask.Hindrance | None:
    if name not in site.nodes:
        return None
    lack = known.stops(site, name, threading.Event())
    if lack is None:
        return None
    return ask.Hindrance(why=lack.why, remedy=lack.remedy, kernel=lack is not NO_KERNEL)


def _clone(site: Site, request: ask.CloneRoot, known: Known) -> ask.Request:
    hindrance = _hindrance(site, request.source, known)
    if hindrance is None or not site.nodes[request.source].config.boot.kernel:
        return request.model_copy(update={"hindrance": None, "kit": ""})
    kernel = _kernel(site, request.source)
    uses = image_version(site.nodes[request.source].config.boot.initramfs)
    kit = kernel.version if kernel.kit and not uses else ""
    return request.model_copy(update={"hindrance": hindrance, "kit": kit})
