"""What laying files over a leaf's disk is, as actions and in words. Pure."""

from __future__ import annotations

from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.requests import Cover
from sbctui.engine.model.site import Node, Site
from sbctui.engine.plan import (
    CopyLeafDisk,
    LayOverlay,
    StageNode,
    TakeDisk,
    Unit,
    WithdrawExport,
)
from sbctui.engine.repository.overlay_fields import fields
from sbctui.engine.repository.overlay_places import image_of, places_of


def files(count: int) -> str:
    """``1 file``, ``4 files``."""
    return f"{count} file{'' if count == 1 else 's'}"


def told(cover: Cover) -> str:
    """``3 files from group kitchen, 1 file from the board``."""
    return ", ".join(
        f"{files(count)} from {place.said}"
        for path, count in zip(cover.places, cover.counts, strict=True)
        if count and (place := Place.parse(path)) is not None
    )


def lay(site: Site, config: NodeConfig, image: str, cover: Cover, *, required: bool) -> LayOverlay:
    """The action for a staged leaf."""
    return LayOverlay(
        name=config.name,
        image=image,
        places=cover.places,
        digest=cover.digest,
        fields=fields(config, site.settings, image) if cover.templates else {},
        required=required,
    )


def apply_unit(site: Site, node: Node, cover: Cover) -> Unit:
    """The unit that lays a leaf's overlays over its disk, in a copy that then takes its place."""
    back = f"{files(len(cover.gone))} given back to what its root has" if cover.gone else ""
    new = f"{cover.todo} of them new or changed" if cover.places else ""
    return Unit(
        title=f"lay files over {node.name}",
        node=node.name,
        detail="; ".join(filter(None, (node.config.hostname, told(cover), new, back))),
        actions=(
            WithdrawExport(export=node.config.export),
            StageNode(name=node.name),
            CopyLeafDisk(name=node.name),
            lay(site, node.config, image_of(site, node.name), cover, required=True),
            TakeDisk(name=node.name),
        ),
    )


def regrouped(site: Site, leaves: tuple[str, ...], group: str) -> tuple[str, ...]:
    """Sentences about what another group means for what is laid over some leaves' disks."""
    touched = []
    for name in leaves:
        node = site.nodes[name]
        if node.is_root or node.config.group == group:
            continue
        image = image_of(site, name)
        before = places_of(site, name, node.config.group, image)
        if before != places_of(site, name, group, image):
            touched.append(name)
    if not touched:
        return ()
    count = len(touched)
    whose = "its disk keeps" if count == 1 else f"the disks of {count} leaves keep"
    which = touched[0] if count == 1 else f"--group {group}" if group else " ".join(touched[:4])
    return (
        f"another group lays other files over them: {whose} the old ones until "
        f"sbctui overlay apply {which}",
    )
