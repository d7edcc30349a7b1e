"""Pieces that several planners share; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from datetime import UTC, datetime

from sbctui.engine.model.requests import Hindrance, Request
from sbctui.engine.model.site import Node, Site
from sbctui.engine.model.trashname import stray_name
from sbctui.engine.nodes.words import command_line
from sbctui.engine.plan import (
    IndexRepository,
    Plan,
    RefreshServices,
    TrashNode,
    TrashStray,
    Unit,
)
from sbctui.engine.repository.overlay_places import of_node

OVERLAY_BYTES = 256 * 1024
"""What an empty qcow2 overlay takes, in bytes."""
NODE_BYTES = 64 * 1024
"""What a node's folder, config and boot scripts take, in bytes, rounded up."""
NODE_INODES = 16
BOOTKIT_BYTES = 700 * 1024**2
"""What a kernel's package and all of its modules take while they are unpacked, rounded up."""


def made(site: Site) -> datetime:
    """The plan's time as stored in configs."""
    return datetime.fromtimestamp(site.facts.now, UTC).replace(microsecond=0)


def trash_folder(site: Site, name: str) -> str:
    """Folder in ``trash/`` for a node deleted by this plan."""
    now = datetime.fromtimestamp(site.facts.now, UTC)
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}Z-{name}"


def to_trash_stray(site: Site, path: str) -> TrashStray:
    """The action that moves what is no node (path relative to the site) to the trash."""
    return TrashStray(path=path, folder=trash_folder(site, stray_name(path)))


def refresh(names: Iterable[str]) -> Unit:
    """The last unit of a plan: one service refresh for all that changed."""
    action = RefreshServices(names=tuple(names))
    return Unit(title="refresh the services", actions=(action,), always=True)


def with_it(beside: Sized) -> str:
    """What goes and comes with an image, as a step's detail."""
    return f"with {len(beside)} file{'' if len(beside) == 1 else 's'} beside it" if beside else ""


def listing(*, begin: bool = False) -> Unit:
    """The last unit of a plan that changes what is in the repository: its list, for others.

    With ``begin`` also of an empty one that has none.
    """
    title = "list what is in the repository"
    return Unit(title=title, actions=(IndexRepository(begin=begin),), always=True)


def relisted(site: Site) -> tuple[Unit, ...]:
    """The last unit of a plan that changes files laid over images, where others have a list."""
    return (listing(),) if site.listed else ()


def to_trash(site: Site, name: str) -> TrashNode:
    """The action that moves a node, with the overlays that are its, to the trash."""
    return TrashNode(name=name, folder=trash_folder(site, name), overlays=of_node(site, name))


def clone_bytes(site: Site, source: Node) -> int:
    """Bytes one copy of a root takes at once, by the site's disk kind."""
    allocated = source.disk.allocated if source.disk else 0
    return (
        NODE_BYTES + {"reflink": 0, "overlay": OVERLAY_BYTES, "copy": allocated}[site.facts.store]
    )


def hindered(name: str, hindrance: Hindrance | None) -> tuple[str, ...]:
    """The note of a plan that lets boards boot from a root that they can't boot from."""
    if hindrance is None:
        return ()
    if not hindrance.kernel:
        return (f"{name} has no kernel: its boards need one from elsewhere",)
    return (f"no board can boot from {name} as it is: {hindrance.why}; {hindrance.remedy}",)


def plan(site: Site, request: Request, title: str, units: Iterable[Unit], **more: object) -> Plan:
    """A Plan with what is the same for every verb filled in."""
    return Plan.model_validate(
        {
            "title": title,
            "request": request,
            "generation": site.generation,
            "made": site.facts.now,
            "units": tuple(units),
            "command": command_line(request),
            **more,
        }
    )
