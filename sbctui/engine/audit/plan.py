"""Every check of a site in one table. Pure."""

from __future__ import annotations

from typing import get_args

from sbctui.engine.audit import (
    booting,
    disks,
    images,
    leftovers,
    numbers,
    overlays,
    parents,
    served,
)
from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding, Group
from sbctui.engine.audit.keep import with_pins
from sbctui.engine.audit.making import Check
from sbctui.engine.model.site import Site

CHECKS: tuple[Check, ...] = (
    parents.orphans,
    parents.misparented,
    parents.entries,
    parents.two_parents,
    parents.allocated_parents,
    disks.broken,
    disks.disks,
    disks.bases,
    disks.boots,
    booting.unable,
    booting.older,
    numbers.macs,
    numbers.addresses_twice,
    numbers.host_names,
    numbers.addresses,
    numbers.models,
    leftovers.half_made,
    leftovers.strays,
    leftovers.expired,
    leftovers.pins,
    leftovers.roster,
    images.side_files,
    images.lists,
    overlays.orphaned,
    overlays.faulty,
    served.draining,
    served.services,
    served.writable,
)
"""Faults. To add a check, write the function and name it here or below."""
CONSEQUENCES: tuple[Check, ...] = (
    served.unserved,
    served.derived,
    served.leases,
    overlays.not_laid,
)
"""What is off on its own, or because of a fault in the node that was found above."""

_ORDER = {group: place for place, group in enumerate(get_args(Group))}


def findings(site: Site, drift: Drift) -> tuple[Finding, ...]:
    """Everything that disagrees, by group and subject; what is kept as it is comes last.

    One fault is one finding: what else is off about a node goes unnamed until its fault is
    mended, since mending it derives the rest again.
    """
    found = [one for check in CHECKS for one in check(site, drift)]
    for check in CONSEQUENCES:
        explained = {key for one in found for name in one.nodes for key in _of(site, name)}
        found += [one for one in check(site, drift) if explained.isdisjoint(one.nodes)]
    return with_pins(site, sorted(found, key=lambda one: (_ORDER[one.group], one.id)))


def _of(site: Site, name: str) -> tuple[str, ...]:
    node = site.nodes.get(name)
    return (name, node.config.export) if node and node.config.export else (name,)
