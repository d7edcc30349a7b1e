"""The plan for another name of a root, and for all that is kept under its name. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine import rules
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import plan, refresh
from sbctui.engine.plan import (
    Action,
    MoveFolder,
    Plan,
    RenameRoot,
    SetModels,
    Unit,
    UpdateConfig,
)
from sbctui.engine.repository.overlay_places import moved_images


def rename(site: Site, request: ask.RenameRoot) -> Plan:
    """Give a free root another name; orphans of it are told. Raises Refused."""
    node = rules.root(site, request.name)
    rules.require(rules.can_rename(site, node.name))
    rules.require(rules.free_name(site, request.to))
    orphans = [
        leaf
        for leaf in site.leaves
        if leaf.config.parent == node.name and leaf.name not in site.listed_by
    ]
    told = (
        UpdateConfig(
            name=leaf.name,
            before=leaf.config,
            after=leaf.config.model_copy(update={"parent": request.to}),
        )
        for leaf in orphans
    )
    follow = tuple(_following(site, node.name, request.to))
    along = [f"{len(orphans)} of its orphans remember it"] if orphans else []
    along += [f"{path} becomes {to}" for path, to in moved_images(site, node.name, request.to)]
    unit = Unit(
        title=f"{node.name} becomes {request.to}",
        node=request.to,
        detail=f"and {', '.join(along)}" if along else "",
        actions=(*told, *follow, RenameRoot(name=node.name, to=request.to)),
    )
    title = f"rename {node.name} to {request.to}"
    notes = _rename_notes(site, request)
    units = [unit, refresh([node.name, request.to])]
    return plan(site, request, title, units, notes=notes, impact="one")


def _following(site: Site, name: str, to: str) -> Iterator[Action]:
    """What is kept elsewhere under the root's name: first, so that a second try finds the rest."""
    models = site.settings.models
    if name in models.values():
        after = {pattern: to if root == name else root for pattern, root in models.items()}
        yield SetModels(before=models, after=after)
    if _templates(site, name):
        rules.require(
            f"there are templates for {to} already, in templates/roots/{to}; move them away first"
            if _templates(site, to)
            else None
        )
        yield MoveFolder(path=f"templates/roots/{name}", to=f"templates/roots/{to}")
    for path, place in moved_images(site, name, to):
        yield MoveFolder(path=path, to=place)


def _templates(site: Site, name: str) -> bool:
    return any(path.startswith(f"roots/{name}/") for path in site.templates)


def _follow_notes(site: Site, name: str) -> Iterator[str]:
    mine = [pattern for pattern, root in site.settings.models.items() if root == name]
    if mine:
        yield f"it stays the default root of boards of the model {', '.join(mine)}"
    if _templates(site, name):
        yield f"its templates, in templates/roots/{name}, go with it"


def _rename_notes(site: Site, request: ask.RenameRoot) -> tuple[str, ...]:
    back = f"it goes back with: sbctui root rename {request.to} {request.name}"
    gone = sum(t.config is not None and t.config.parent == request.name for t in site.trash)
    follow = tuple(_follow_notes(site, request.name))
    if not gone:
        return (back, *follow)
    stuck = f"{rules.leaves(gone)} of {request.name} in the trash"
    return (back, f"{stuck} can be restored only while a root has that name", *follow)
