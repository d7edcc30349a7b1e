"""Plans about repositories and caches. Pure."""

from __future__ import annotations

import os
from functools import singledispatch
from typing import Literal

from sbctui.engine import rules
from sbctui.engine.errors import BadInput, NoSpace, NoSuchNode, NotPermitted, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.amounts import size
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.repository import (
    CACHE,
    IMAGES,
    LET_DROP,
    OWN,
    parse_repository,
    stem,
    the_cache,
)
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import listing, plan
from sbctui.engine.nodes.words import command_line
from sbctui.engine.plan import (
    CopyOverlays,
    ImportImage,
    MountRepository,
    Plan,
    RestoreImage,
    SetRepository,
    Unit,
    UnmountRepository,
    UpdateImage,
    WaitRandom,
)
from sbctui.engine.repository.older import by_name
from sbctui.engine.repository.plan_distribution import side_files

_TOLD = 8
"""Names that a note lists."""


@singledispatch
def plan_repository(request: ask.Request, site: Site) -> Plan:
    """Plan a request about repositories. Raises BadInput, Refused, NoSuchNode, NoSpace."""
    raise TypeError(type(request).__name__)


@plan_repository.register
def _(request: ask.AddRepository, site: Site) -> Plan:
    """Written only when it is not so already."""
    name, one = parse_repository(request.name), request.repository
    if name == OWN or (name == CACHE and one.kind != "cache"):
        raise Refused(f"the name {name} is taken by an alias; choose another").of("name")
    rules.require(rules.can_change_settings(site))
    before = site.settings.repositories.get(name)
    title = f"add the repository {name}" if before is None else f"change the repository {name}"
    unit = Unit(
        title=title,
        detail=f"{one.kind} {one.place}",
        actions=(SetRepository(name=name, after=one),),
    )
    units = [] if before == one else [unit]
    return plan(site, request, title, units, impact="reversible")


@plan_repository.register
def _(request: ask.RemoveRepository, site: Site) -> Plan:
    one = _configured(site, request.name)
    rules.require(rules.can_change_settings(site))
    if request.mounted:
        raise Refused(
            f"{request.name} is mounted at {clean(request.mounted)}; first: "
            f"sbctui repo unmount {request.name}"
        )
    title = f"forget the repository {request.name}"
    back = command_line(ask.AddRepository(name=request.name, repository=one))
    unit = Unit(
        title=title,
        detail=f"what is in it stays; back with: {back}",
        actions=(SetRepository(name=request.name, after=None),),
    )
    return plan(site, request, title, [unit], impact="reversible")


def _configured(site: Site, name: str) -> Configured:
    if name in site.settings.repositories:
        return site.settings.repositories[name]
    raise NoSuchNode(f"no repository {clean(name)} is configured; see: sbctui repo list")


def _mountable(site: Site, request: ask.MountRepository | ask.UnmountRepository) -> Configured:
    one = site.settings.repositories.get(request.name)
    if one is None:
        one = Configured(kind="removable", place=request.name)
    if not one.mountable:
        raise Refused(f"{clean(request.name)} is of kind {one.kind}, which is not mounted here")
    return one


def _allowed(request: ask.MountRepository | ask.UnmountRepository) -> None:
    if not request.allowed:
        raise NotPermitted(
            f"mounting needs root; run: sudo sbctui {request.verb} '{clean(request.name)}'"
        )


@plan_repository.register
def _(request: ask.MountRepository, site: Site) -> Plan:
    one = _mountable(site, request)
    title = f"mount the repository {clean(request.name)}"
    if request.mounted:
        return plan(site, request, title, [],
                    notes=(f"it is mounted at {clean(request.mounted)} already",))  # fmt: skip
    _allowed(request)
    action = MountRepository(
        name=request.name, repository=one, device=request.device, point=request.point
    )
    detail = f"{clean(request.device or one.place)} at {request.point}"
    unit = Unit(title=title, detail=detail, actions=(action,))
    return plan(site, request, title, [unit], impact="reversible", hold=False)


@plan_repository.register
def _(request: ask.UnmountRepository, site: Site) -> Plan:
    one = _mountable(site, request)
    title = f"unmount the repository {clean(request.name)}"
    if not request.mounted:
        return plan(site, request, title, [], notes=("it is not mounted",))
    _allowed(request)
    action = UnmountRepository(
        name=request.name, repository=one, device=request.device, point=request.mounted
    )
    unit = Unit(title=title, detail=clean(request.mounted), actions=(action,))
    return plan(site, request, title, [unit], impact="reversible", hold=False)


@plan_repository.register
def _(request: ask.IndexRepository, site: Site) -> Plan:
    """The list is written anew each time; side files only where they are not of the image."""
    rules.require(rules.can_change_settings(site))
    units = [*(side_files(one) for one in request.found), listing(begin=True)]
    title = "index this server's repository"
    return plan(site, request, title, units, impact="reversible", hold=False)


@plan_repository.register
def _(request: ask.ImportTree, site: Site) -> Plan:
    """A unit for each image; files that belong to none stay where they are, and are named."""
    rules.require(rules.can_change_settings(site))
    sizes = {one.path: one.size for one in request.files}
    taken = {one.path for one in request.files if one.taken}
    groups, rest = by_name(sizes)
    if not groups:
        raise Refused(f"{clean(request.folder)} has no image that is known by its ending")
    how: Literal["link", "copy", "move"] = (
        "move" if request.move else "link" if request.near else "copy"
    )
    units = []
    for name, files in groups.items():
        new = tuple(path for path in files if path not in taken)
        if new:
            action = ImportImage(folder=request.folder, name=name, files=new, how=how)
            detail = f"{how} " + ", ".join(clean(os.path.basename(path)) for path in new)
            units.append(Unit(title=f"import {name} to {OWN}:{name}/", detail=detail,
                              actions=(action,)))  # fmt: skip
    moved = [
        p for unit in units for a in unit.actions if isinstance(a, ImportImage) for p in a.files
    ]
    needs = 0 if request.near else sum(sizes[path] for path in moved)
    rules.enough_space(site, needs)
    notes = _notes(request, rest, taken)
    title = f"import the images of {clean(request.folder)}"
    return plan(site, request, title, units, needs=needs, notes=notes, hold=False)


def _notes(request: ask.ImportTree, rest: tuple[str, ...], taken: set[str]) -> tuple[str, ...]:
    notes = []
    if rest:
        more = f" and {len(rest) - _TOLD} more" if len(rest) > _TOLD else ""
        notes.append(f"stay where they are: {', '.join(clean(p) for p in rest[:_TOLD])}{more}")
    if taken:
        notes.append(f"{len(taken)} files are in the repository already, and are left alone")
    if not request.move:
        notes.append("the older tree stays as it is")
    notes.append("afterwards: sbctui repo index")
    return tuple(notes)


@plan_repository.register
def _(request: ask.UpdateCache, site: Site) -> Plan:
    """A unit for each image that is not current, then what is laid over them."""
    new = [one for one in request.images if not one.current or request.check]
    if not request.drop:
        _enough(request, [one for one in new if not one.current])
    units = []
    if request.delay and new:
        wait = WaitRandom(seconds=request.delay)
        units.append(Unit(title=f"wait for up to {request.delay} s", actions=(wait,),
                          required=True, counts=False))  # fmt: skip
    units += [_update(request, one) for one in new]
    units.append(_overlays(request))
    current = len(request.images) - len(new)
    notes = [f"{current} of {len(request.images)} are up to date"] if current else []
    whole = f"{request.repository}:{clean(request.path)}" if request.path else request.repository
    return plan(
        site,
        request,
        f"update {the_cache(request.cache)} from {whole}",
        units,
        needs=sum(one.size for one in new if not one.current),
        notes=tuple(notes),
        hold=False,
    )


def _enough(request: ask.UpdateCache, new: list[ask.Followed]) -> None:
    longest = max((one.size for one in new), default=0)
    if longest > request.room:
        raise NoSpace(
            f"{the_cache(request.cache)} has {size(request.room)} free and one image alone takes "
            f"{size(longest)}{LET_DROP}"
        )


def _update(request: ask.UpdateCache, one: ask.Followed) -> Unit:
    fetch = "what changed" if one.fetch is None else size(one.fetch)
    action = UpdateImage(
        repository=request.repository, cache=request.cache, path=one.path, mtime=one.mtime
    )
    shown = clean(one.path.removeprefix(f"{IMAGES}/"))
    return Unit(
        title=f"update {shown}", detail=f"fetch {fetch} of {size(one.size)}", actions=(action,)
    )


def _overlays(request: ask.UpdateCache) -> Unit:
    names = sorted({stem(one.path.rpartition("/")[2]) for one in request.images})
    action = CopyOverlays(
        repository=request.repository,
        cache=request.cache,
        images=tuple(names),
        all_=not request.path,
    )
    of = f"over {names[0]}" if len(names) == 1 and request.path else "over images"
    return Unit(title=f"copy what is laid {of}", actions=(action,), counts=False)


@plan_repository.register
def _(request: ask.RestoreImage, site: Site) -> Plan:
    if not request.path:
        raise BadInput("name the image to restore, as cache:sub/dir/image")
    if not request.kept:
        raise NoSuchNode(
            f"no former version of {clean(request.path)} was kept in {the_cache(request.cache)}"
        )
    title = f"restore the former version of {request.cache}:{clean(request.path)}"
    action = RestoreImage(cache=request.cache, path=f"{IMAGES}/{request.path}")
    notes = ("the same again brings back the one that stands now",)
    unit = Unit(title=title, actions=(action,))
    return plan(site, request, title, [unit], notes=notes, impact="reversible", hold=False)
