"""Plans for images as files: delete. Pure."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.errors import NoSuchNode
from sbctui.engine.model.imagework import DeleteImages
from sbctui.engine.model.repository import OWN
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import listing, plan, to_trash_stray, with_it
from sbctui.engine.plan import Plan, Unit

_SHOWN = 3


def delete(request: DeleteImages, site: Site) -> Plan:
    """A unit for each image. Raises NoSuchNode, Refused."""
    rules.require(rules.can_distribute(site))
    found = {one.image: one for one in request.found}
    units = []
    for image in dict.fromkeys(request.images):
        if image not in found:
            raise NoSuchNode(f"there is no image {OWN}:{image}; see: sbctui repo tree {OWN}:")
        files = found[image].files
        actions = tuple(to_trash_stray(site, path) for path in files)
        units.append(
            Unit(title=f"delete {OWN}:{image}", detail=with_it(files[1:]), actions=actions)
        )
    listed = ", ".join(f"{OWN}:{image}" for image in list(found)[:_SHOWN])
    more = f" and {len(units) - _SHOWN} more" if len(units) > _SHOWN else ""
    notes = (
        f"they stay in the trash for {site.settings.trash_days} days, and take their room there",
    )
    units.append(listing())
    return plan(site, request, f"delete {listed}{more}", units, impact="one", notes=notes)
