"""Groups of nodes: who is in them, and plans that change that with all that is theirs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sbctui.engine import rules
from sbctui.engine.boot.template import FOLDER as TEMPLATES
from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.overlay import FOLDERS, Place
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.making import plan, refresh, relisted, to_trash_stray
from sbctui.engine.plan import Action, MoveFolder, Plan, SetRoster, Unit, UpdateConfig
from sbctui.engine.repository.overlay_making import regrouped


@dataclass(frozen=True, slots=True)
class Group:
    """One group: folders of its nodes, its overlays, its own templates, boards registered in it."""

    name: str
    members: tuple[str, ...] = ()
    overlays: tuple[Place, ...] = ()
    templates: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()


def groups(site: Site) -> tuple[Group, ...]:
    """Every group that has a node, an overlay, a template or a registered board, by name."""
    names = {node.config.group for node in site.nodes.values()}
    names |= {place.owner for place in site.overlays if place.level == "group"}
    names |= {path.split("/")[1] for path in site.templates if path.startswith("groups/")}
    names |= {board.group for board in site.roster.registered}
    return tuple(_group(site, name) for name in sorted(names - {""}))


def _group(site: Site, name: str) -> Group:
    nodes = sorted(site.nodes.values(), key=lambda node: node.name)
    prefix = f"groups/{name}/"
    return Group(
        name,
        tuple(node.name for node in nodes if node.config.group == name),
        tuple(p for p in sorted(site.overlays) if p.level == "group" and p.owner == name),
        tuple(path.removeprefix(prefix) for path in site.templates if path.startswith(prefix)),
        tuple(board.mac for board in site.roster.registered if board.group == name),
    )


def _known(site: Site, name: str) -> Group:
    found = _group(site, name)
    if found == Group(name):
        raise NoSuchNode(f"there is no group {shown(name)}; list them with: sbctui group list")
    return found


def set_(site: Site, request: ask.SetGroup) -> Plan:
    """Put nodes into a group, each by itself. Raises NoSuchNode, Refused."""
    rules.require(rules.can_create_root(site))
    nodes = [rules.node(site, name) for name in dict.fromkeys(request.names)]
    changing = [node for node in nodes if node.config.group != request.group]
    units = [
        Unit(
            title=f"{node.name} {_into(request.group)}",
            node=node.name,
            detail=f"from {node.config.group}" if node.config.group else "",
            actions=(_regroup(node, request.group),),
        )
        for node in changing
    ]
    notes = regrouped(site, tuple(node.name for node in changing), request.group)
    if units:
        units.append(refresh(node.name for node in changing))
    count = len(changing)
    title = f"{count} node{'' if count == 1 else 's'} {_into(request.group)}"
    return plan(site, request, title, units, notes=notes, impact="reversible")


def _into(group: str) -> str:
    return f"into the group {group}" if group else "out of its group"


def _regroup(node: Node, group: str) -> UpdateConfig:
    after = node.config.model_copy(update={"group": group})
    return UpdateConfig(name=node.name, before=node.config, after=after)


def rename(site: Site, request: ask.RenameGroup) -> Plan:
    """Another name for a group: its nodes, overlays, templates and boards follow in one unit.

    Raises NoSuchNode, Refused.
    """
    rules.require(rules.can_create_root(site))
    group = _known(site, request.name)
    there = _group(site, request.to)
    if there != Group(request.to) and not request.merge:
        raise Refused(
            f"there is a group {request.to} already; to make one of the two say --merge, or put "
            f"single nodes into it: sbctui group set NODE... {request.to}"
        )
    actions: list[Action] = [MoveFolder(path=path, to=to) for path, to in _moves(group, there)]
    actions += [_regroup(site.nodes[n], request.to) for n in group.members]
    if group.registered:
        moved = (one for one in site.roster.registered if one.group == request.name)
        again = tuple(one.model_copy(update={"group": request.to}) for one in moved)
        actions.append(SetRoster(registered=again))
    unit = Unit(
        title=f"the group {request.name} becomes {request.to}",
        detail=_detail(group),
        actions=tuple(actions),
    )
    units = [unit, *([refresh(group.members)] if group.members else relisted(site))]
    title = f"rename the group {request.name} to {request.to}"
    notes = (f"it goes back with: sbctui group rename {request.to} {request.name}",)
    return plan(site, request, title, units, notes=notes, impact="reversible")


def delete(site: Site, request: ask.DeleteGroup) -> Plan:
    """Take all nodes out of a group; its files go to the trash, in one unit.

    Raises NoSuchNode, Refused.
    """
    rules.require(rules.can_create_root(site))
    group = _known(site, request.name)
    actions: list[Action] = [_regroup(site.nodes[name], "") for name in group.members]
    if group.registered:
        moved = (one for one in site.roster.registered if one.group == request.name)
        bare = tuple(one.model_copy(update={"group": ""}) for one in moved)
        actions.append(SetRoster(registered=bare))
    folders = _folders(group)
    actions += [to_trash_stray(site, f"{folder}/{request.name}") for folder in folders]
    unit = Unit(
        title=f"no group {request.name} any more", detail=_detail(group), actions=tuple(actions)
    )
    notes = regrouped(site, group.members, "")
    if folders:
        notes += ("sbctui undo brings its files back; its nodes are put back by: sbctui group set",)
    units = [unit, *([refresh(group.members)] if group.members else relisted(site))]
    title = f"delete the group {request.name}"
    return plan(site, request, title, units, notes=notes, impact="one")


def _folders(group: Group) -> tuple[str, ...]:
    """Folders, relative to the site, in which it has one of its own."""
    overlays = (FOLDERS["group"],) if group.overlays else ()
    templates = (f"{TEMPLATES}/groups",) if group.templates else ()
    return overlays + templates


def _moves(group: Group, there: Group) -> Iterator[tuple[str, str]]:
    """Which folders get which names; single ones where the other group has some as well.

    Raises Refused where both have the same.
    """
    for parent, mine, theirs in (
        (FOLDERS["group"], _images(group), _images(there)),
        (f"{TEMPLATES}/groups", group.templates, there.templates),
    ):
        if mine and not theirs:
            yield f"{parent}/{group.name}", f"{parent}/{there.name}"
            continue
        for name in mine:
            if name in theirs:
                raise Refused(
                    f"both {parent}/{there.name}/{name} and {parent}/{group.name}/{name} are "
                    "there; make one of them first"
                )
            yield f"{parent}/{group.name}/{name}", f"{parent}/{there.name}/{name}"


def _images(group: Group) -> tuple[str, ...]:
    return tuple(place.image for place in group.overlays)


def _detail(group: Group) -> str:
    count = len(group.members)
    parts = [f"{count} node{'' if count == 1 else 's'}"]
    parts += [place.path for place in group.overlays]
    parts += [f"{TEMPLATES}/groups/{group.name}/{name}" for name in group.templates]
    if group.registered:
        parts.append(f"{len(group.registered)} registered")
    return ", ".join(parts)
