"""The plan that writes many nodes into archives, one after the other. Pure."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.archive.plan import export, said
from sbctui.engine.errors import Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import listing, plan, refresh
from sbctui.engine.plan import IndexRepository, Plan, RefreshServices


def export_many(request: ask.ExportMany, site: Site) -> Plan:
    """Each node's own plan in one; a unit for each.

    The rest of a job leaves out the archives that are there: one appears when it is whole.
    Raises Refused, NoSuchNode, NoSpace.
    """
    if len(request.targets) != len(request.names):
        raise Refused("it is not known where to each of them goes; name a folder")
    there = {t.file for t in request.targets if t.there} if request.rest_of else set()
    plans = [
        export(_one(site, request, name, target), site)
        for name, target in zip(request.names, request.targets, strict=True)
        if target.file not in there or request.replace
    ]
    units = [unit for one in plans for unit in one.units if not unit.always]
    last = [action for one in plans for unit in one.units if unit.always for action in unit.actions]
    away = [name for action in last if isinstance(action, RefreshServices) for name in action.names]
    if away:
        units.append(refresh(dict.fromkeys(away)))
    if any(isinstance(action, IndexRepository) for action in last):
        units.append(listing())
    first = said(site, request.targets[0].file)
    folder = first[: max(first.rfind("/"), first.rfind(":")) + 1]
    title = f"export {len(plans)} node{'' if len(plans) == 1 else 's'} to {folder}"
    needs = max((one.needs for one in plans), default=0)
    notes = tuple(dict.fromkeys(note for one in plans for note in one.notes))
    return plan(site, request, title, units, needs=needs, notes=notes, hold=False)


def _one(
    site: Site, request: ask.ExportMany, name: str, target: ask.Target
) -> ask.ExportRoot | ask.ExportLeaf:
    given = {"name": name, "target": target, "packing": request.packing, "replace": request.replace}
    if rules.node(site, name).is_root:
        return ask.ExportRoot.model_validate(given)
    return ask.ExportLeaf.model_validate({**given, "difference": request.difference})
