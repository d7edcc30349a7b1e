"""What the audit wants to know of overlays: whose they are, and whether disks have them."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sbctui.engine.audit.drift import LaidOver, OverlayFolder
from sbctui.engine.errors import SbcError
from sbctui.engine.model.overlay import FOLDERS, RECORD
from sbctui.engine.model.requests import Cover
from sbctui.engine.model.site import Site
from sbctui.engine.nodefile import tree_bytes
from sbctui.engine.repository.overlay_look import Looker, summaries
from sbctui.engine.repository.overlay_places import image_of, places_of
from sbctui.engine.repository.overlay_read import closed, owners


def overlays_of(site: Site) -> tuple[OverlayFolder, ...]:
    """Every overlay's folder, and those of groups and boards that hold none."""
    found = [
        OverlayFolder(one.place.path, one.place, one.fault, *_facts(site, one.place.path))
        for one in summaries(site)
    ]
    full = {f"{FOLDERS[place.level]}/{place.owner}" for place in site.overlays}
    bare = sorted(owners(site.path) - full)
    return (
        *found,
        *(OverlayFolder(one, None, closed(site.path, (one,)), *_facts(site, one)) for one in bare),
    )


def _facts(site: Site, path: str) -> tuple[int, float]:
    full = f"{site.path}/{path}"
    try:
        return tree_bytes(full), os.lstat(full).st_mtime
    except OSError:
        return 0, 0.0


def laid_over(site: Site) -> Mapping[str, LaidOver]:
    """Leaves whose disks have not what they should; those whose overlays have a fault left out."""
    looker = Looker(site)
    found: dict[str, LaidOver] = {}
    for leaf in site.leaves:
        image = image_of(site, leaf.name)
        wanted = places_of(site, leaf.name, leaf.config.group, image)
        if not wanted and not os.path.lexists(site.node_path(leaf.name) / RECORD):
            continue
        try:
            looker.templates(looker.layers(wanted))
        except SbcError:
            continue
        try:
            cover = looker.cover(leaf.config, image)
        except SbcError as error:
            found[leaf.name] = LaidOver(Cover(leaf=leaf.name), str(error))
            continue
        if cover.todo or cover.gone:
            found[leaf.name] = LaidOver(cover)
    return found
