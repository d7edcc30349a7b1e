"""Plans for overlays: apply, add, remove. Pure."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.errors import Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.overlay import not_hidden
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.making import (
    NODE_BYTES,
    NODE_INODES,
    plan,
    refresh,
    relisted,
    to_trash_stray,
)
from sbctui.engine.plan import Action, ChangeOverlay, Plan, Unit
from sbctui.engine.repository.overlay_making import apply_unit, files

_OneOverlay = ask.AddOverlay | ask.HideOverlay | ask.RemoveOverlay
_SHOWN = 3


def apply(site: Site, request: ask.ApplyOverlays) -> Plan:
    """Lay overlays over leaves' disks; those that are as they should be are left alone.

    Raises Refused for a leaf that is named and can't be changed now, NoSuchNode, NoSpace.
    """
    nodes = _meant(site, request)
    covers = {cover.leaf: cover for cover in request.covers}
    notes: list[str] = []
    todo: list[Node] = []
    busy: list[Node] = []
    for node in nodes:
        cover = covers.get(node.name)
        if cover is None or not (cover.todo or cover.gone or (request.again and cover.places)):
            continue
        if request.group and rules.connected(site, node.name):
            busy.append(node)
            continue
        rules.require(rules.can_lay(site, node.name))
        todo.append(node)
    if busy:
        names = ", ".join(node.config.hostname for node in busy[:_SHOWN])
        more = f" and {len(busy) - _SHOWN} more" if len(busy) > _SHOWN else ""
        notes.append(
            f"{rules.leaves(len(busy))} left alone, boards run from them: {names}{more}; "
            "shut them down, then say this again"
        )
    left = len(nodes) - len(todo) - len(busy)
    if left:
        notes.append(f"{rules.leaves(left)} left alone: all is on the disk already")
    needs = sum(_copy_bytes(site, node) + covers[node.name].bytes for node in todo)
    rules.enough_space(site, needs, NODE_INODES * len(todo))
    units = [apply_unit(site, node, covers[node.name]) for node in todo]
    if units:
        notes.append("what a board wrote into one of these files is replaced")
        units.append(refresh(node.name for node in todo))
    title = f"lay files over {rules.leaves(len(todo))}"
    return plan(
        site, request, title, units, needs=needs, notes=tuple(notes), impact="one", hold=False
    )


def _meant(site: Site, request: ask.ApplyOverlays) -> list[Node]:
    if request.group:
        found = [leaf for leaf in site.leaves if leaf.config.group == request.group]
        if not found:
            raise Refused(f"no leaf is in the group {request.group}; see: sbctui group list")
        return found
    return [rules.leaf(site, name) for name in dict.fromkeys(request.names)]


def _copy_bytes(site: Site, node: Node) -> int:
    """Bytes that a copy of a leaf's disk takes while it is worked on."""
    if site.facts.store == "reflink":
        return NODE_BYTES
    return NODE_BYTES + (node.disk.allocated if node.disk else 0)


def add(site: Site, request: ask.AddOverlay) -> Plan:
    """Put a file, a link or a folder into an overlay. Raises Refused, NoSpace."""
    _check(site, request)
    rules.enough_space(site, request.bytes, request.files)
    action = ChangeOverlay(
        place=request.place.path,
        target=request.target,
        source=request.source,
        owner=request.owner,
        mode=request.mode,
        template=request.template,
        xattrs=request.xattrs,
    )
    what = f"{request.target} ({files(request.files)})"
    title = f"lay {what} over {request.image} for {_whose(request)}"
    notes = ["it takes the place of what is there"] if request.there else []
    if request.dressed:
        notes.append(f"extended attributes come along: of {files(request.dressed)}")
    if request.image not in site.nodes:
        notes.append(f"there is no root {request.image} yet: until there is, no board gets it")
    return _plan(site, request, title, [action], tuple(notes), request.bytes)


def hide(site: Site, request: ask.HideOverlay) -> Plan:
    """Let boards have no such file or folder. Raises Refused."""
    _check(site, request)
    rules.require(not_hidden(request.target))
    if request.there:
        raise Refused(
            f"{request.place.path} has {request.target} itself; take that out first: "
            "sbctui overlay remove"
        )
    action = ChangeOverlay(place=request.place.path, target=request.target, remove=True)
    title = f"take {request.target} of {request.image} away for {_whose(request)}"
    notes = (f"what {request.place.path} has in it stays",) if request.inside else ()
    return _plan(site, request, title, [action], notes)


def remove(site: Site, request: ask.RemoveOverlay) -> Plan:
    """Take a path out of an overlay; its files go to the trash. Raises Refused."""
    _check(site, request)
    actions: list[Action] = []
    notes: tuple[str, ...] = ()
    if request.stray:
        actions.append(to_trash_stray(site, request.stray))
        notes = (f"{request.stray} comes back with: sbctui undo",)
    if request.hidden:
        notes += (f"what {request.image} has there stays hidden; say this again to have it",)
    if request.row:
        place = request.place.path
        actions.append(ChangeOverlay(place=place, target=request.target, forget=True))
    title = f"take {request.target} out of what is laid over {request.image} for {_whose(request)}"
    return _plan(site, request, title, actions, notes)


def _check(site: Site, request: _OneOverlay) -> None:
    rules.require(rules.can_create_root(site))
    if bool(request.group) == (request.board is not None):
        raise Refused("an overlay is of a group or of a board: name one of the two")


def _whose(request: _OneOverlay) -> str:
    return f"the group {request.group}" if request.group else f"the board {request.board}"


def _plan(
    site: Site,
    request: _OneOverlay,
    title: str,
    actions: list[Action],
    notes: tuple[str, ...],
    needs: int = 0,
) -> Plan:
    members = _members(site, request)
    again = (
        (f"the disks of {rules.leaves(members)} get that by: sbctui overlay apply",)
        if members
        else ()
    )
    unit = Unit(title=title, detail=request.place.path, actions=tuple(actions))
    more = {"notes": (*notes, *again), "needs": needs, "impact": "reversible"}
    return plan(site, request, title, [unit, *relisted(site)], **more)


def _members(site: Site, request: _OneOverlay) -> int:
    """How many leaves of the image there are that it is about."""
    root = site.nodes.get(request.image)
    children = root.config.children.items() if root else ()
    return sum(
        mac == request.board
        or (bool(request.group) and name in site.nodes
            and site.nodes[name].config.group == request.group)
        for mac, name in children
    )  # fmt: skip
