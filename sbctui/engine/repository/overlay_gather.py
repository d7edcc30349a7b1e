"""What requests about overlays need to know of folders and disks before they can be planned."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from sbctui.engine.errors import BadInput, NoSuchNode, from_os
from sbctui.engine.model import xattrs
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.overlay import Layer
from sbctui.engine.model.requests import (
    AddOverlay,
    ApplyOverlays,
    CreateLeaves,
    HideOverlay,
    RemoveOverlay,
    Request,
)
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_look import Looker, covers
from sbctui.engine.repository.overlay_places import image_of
from sbctui.engine.repository.overlay_read import layer
from sbctui.engine.repository.overlay_table import parse_mode, parse_owner
from sbctui.engine.repository.overlay_xattrs import of_source


def gather_overlays(site: Site, request: Request) -> Request:
    """The request with what only the overlays' folders say. Raises like ``Looker``."""
    if isinstance(request, CreateLeaves):
        return _for_new(site, request)
    if isinstance(request, ApplyOverlays):
        return _for_apply(site, request)
    if isinstance(request, AddOverlay):
        return _for_add(site, request)
    if isinstance(request, HideOverlay):
        return _for_hide(site, request)
    if isinstance(request, RemoveOverlay):
        return _for_remove(site, request)
    return request


def _for_new(site: Site, request: CreateLeaves) -> CreateLeaves:
    if request.root not in site.nodes:
        return request.model_copy(update={"covers": ()})
    root = site.nodes[request.root].config
    found = covers(Looker(site), root.name, root.disk, request.leaves)
    return request.model_copy(update={"covers": found})


def _for_apply(site: Site, request: ApplyOverlays) -> ApplyOverlays:
    looker = Looker(site)
    nodes = [site.nodes[name] for name in _meant(site, request) if name in site.nodes]
    found = tuple(
        looker.cover(node.config, image_of(site, node.name)) for node in nodes if not node.is_root
    )
    return request.model_copy(update={"covers": found})


def _meant(site: Site, request: ApplyOverlays) -> list[str]:
    if not request.group:
        return list(dict.fromkeys(request.names))
    return [leaf.name for leaf in site.leaves if leaf.config.group == request.group]


def _for_add(site: Site, request: AddOverlay) -> AddOverlay:
    if request.owner:
        parse_owner(request.owner)
    if request.mode:
        parse_mode(request.mode)
    if xattrs.parse(request.xattrs) and os.path.islink(request.source):
        raise BadInput(f"{shown(request.source)} is a link, and links have no attributes")
    there = os.path.lexists(_lies(site, request))
    files = size = dressed = 0
    try:
        for path, facts in _below(request.source):
            if stat.S_IFMT(facts.st_mode) not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
                raise BadInput(f"{clean(path)} is neither file, folder nor link; leave it out")
            files += not stat.S_ISDIR(facts.st_mode)
            size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            dressed += not stat.S_ISLNK(facts.st_mode) and bool(of_source(path))
            if request.template and stat.S_ISREG(facts.st_mode):
                _check_template(path)
    except FileNotFoundError:
        raise BadInput(f"there is no {shown(request.source)} to lay over an image") from None
    except OSError as error:
        raise from_os(error, f"looking at {clean(request.source)}") from error
    facts_ = {"files": files, "bytes": size, "dressed": dressed, "there": there}
    return request.model_copy(update=facts_)


def _for_hide(site: Site, request: HideOverlay) -> HideOverlay:
    path = _lies(site, request)
    inside = path.is_dir() and not path.is_symlink()
    there = os.path.lexists(path) and not inside
    return request.model_copy(update={"there": there, "inside": inside})


def _lies(site: Site, request: AddOverlay | HideOverlay) -> Path:
    return site.path / request.place.path / request.target


def _below(source: str) -> Iterable[tuple[str, os.stat_result]]:
    facts = os.lstat(source)
    yield source, facts
    if stat.S_ISDIR(facts.st_mode):
        for folder, folders, files in os.walk(source):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                yield path, os.lstat(path)


def _check_template(path: str) -> None:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        fields.checked(clean(path), file.read(fields.LARGEST))


def _for_remove(site: Site, request: RemoveOverlay) -> RemoveOverlay:
    place = request.place
    if place not in site.overlays:
        raise NoSuchNode(f"there is no {place.path}; see: sbctui overlay list")
    found = layer(site.path, place)
    item = next((one for one in found.items if one.path == request.target), None)
    if item is None:
        raise NoSuchNode(f"{place.path} holds no {request.target}; see: sbctui overlay list")
    if item.kind == "removed":
        return request.model_copy(update={"row": True, "stray": ""})
    stray = _stray(found, request.target)
    return request.model_copy(update={"row": False, "stray": stray, "hidden": item.clears})


def _stray(found: Layer, path: str) -> str:
    """The path, or the highest folder above it in which nothing else is."""
    others = [
        one.path
        for one in found.items
        if one.kind not in ("folder", "removed") and not f"{one.path}/".startswith(f"{path}/")
    ]
    while "/" in path:
        above = path.rpartition("/")[0]
        if any(other.startswith(f"{above}/") for other in others):
            break
        path = above
    return f"{found.place.path}/{path}"
