"""Every check of a site in one table, and the plan that mends what was found. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from sbctui.engine.audit import disks, leftovers, numbers, parents, served
from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding, Group
from sbctui.engine.audit.making import Check
from sbctui.engine.errors import NoSuchNode, PlanChanged, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.requests import FixFindings
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import plan, refresh
from sbctui.engine.plan import (
    Action,
    Plan,
    PurgeFolder,
    RefreshServices,
    SetChildren,
    Unit,
    UpdateConfig,
)

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
    numbers.macs,
    numbers.addresses_twice,
    numbers.host_names,
    numbers.addresses,
    leftovers.half_made,
    leftovers.strays,
    leftovers.expired,
    served.draining,
    served.services,
    served.writable,
)
"""Faults. To add a check, write the function and name it here or below."""
CONSEQUENCES: tuple[Check, ...] = (served.unserved, served.derived, served.leases)
"""What is off on its own, or because of a fault in the node that was found above."""

_ORDER = {group: place for place, group in enumerate(get_args(Group))}


def findings(site: Site, drift: Drift) -> tuple[Finding, ...]:
    """Everything that disagrees, by group and subject.

    One fault is one finding: what else is off about a node goes unnamed until its fault is
    mended, since mending it derives the rest again.
    """
    found = [one for check in CHECKS for one in check(site, drift)]
    for check in CONSEQUENCES:
        explained = {key for one in found for name in one.nodes for key in _of(site, name)}
        found += [one for one in check(site, drift) if explained.isdisjoint(one.nodes)]
    return tuple(sorted(found, key=lambda one: (_ORDER[one.group], one.id)))


def _of(site: Site, name: str) -> tuple[str, ...]:
    node = site.nodes.get(name)
    return (name, node.config.export) if node and node.config.export else (name,)


def plan_fix(site: Site, request: FixFindings, found: Iterable[Finding]) -> Plan:
    """The plan that mends the findings named. Raises NoSuchNode, or Refused for one without fix."""
    by_id = {one.id: one for one in found}
    chosen = [_fixable(by_id, name) for name in dict.fromkeys(request.findings)]
    units = [one.fix for one in chosen if one.fix is not None]
    acting = [u for u in units if not all(isinstance(a, RefreshServices) for a in u.actions)]
    stale = [u for u in units if u not in acting]
    count = len(chosen)
    impact, confirm = _impact(chosen)
    return plan(
        site,
        request,
        f"mend {count} {'finding' if count == 1 else 'findings'} of the audit",
        [*_chained(sorted(acting, key=_late)), _refreshed(site, chosen, stale)],
        frees=sum(one.bytes for one in chosen if one.group in ("half-made", "stray", "orphan")),
        impact=impact,
        confirm=confirm,
    )


def plan_again(site: Site, plan: Plan, found: Iterable[Finding]) -> Plan:
    """A confirmed plan, made again: findings that something else has mended by now are left out.

    Recovery and the sweep of the trash come before a plan runs and mend the same faults. Raises
    PlanChanged when a fix is not what was confirmed.
    """
    found = tuple(found)
    there = {one.id for one in found}
    asked = plan.request
    assert isinstance(asked, FixFindings)
    left = tuple(name for name in asked.findings if name in there)
    again = plan_fix(site, asked.model_copy(update={"findings": left}), found)
    confirmed = [unit.actions for unit in plan.units]
    if not all(unit.always or unit.actions in confirmed for unit in again.units):
        raise PlanChanged(
            f"the site changed since this plan was made, so nothing was done ({plan.title}); "
            "look at the new plan"
        )
    return again


def _fixable(by_id: dict[str, Finding], name: str) -> Finding:
    if name not in by_id:
        raise NoSuchNode(f"there is no finding {shown(name)} (any more); see: sbctui audit")
    one = by_id[name]
    if one.fix is None:
        raise Refused(f"{one.title}; this can't be mended by itself: {one.unfixable}")
    return one


def _late(unit: Unit) -> bool:
    """Units that write a whole config come before those that edit a children map in it."""
    return any(isinstance(action, SetChildren) for action in unit.actions)


def _chained(units: Iterable[Unit]) -> list[Unit]:
    """Let two fixes of one node build upon each other: each expects what the former wrote."""
    latest: dict[str, NodeConfig] = {}
    return [
        unit.model_copy(update={"actions": tuple(_after(a, latest) for a in unit.actions)})
        for unit in units
    ]


def _after(action: Action, latest: dict[str, NodeConfig]) -> Action:
    if not isinstance(action, UpdateConfig):
        return action
    before = latest.get(action.name, action.before)
    changes = {
        key: value for key, value in action.after if value != getattr(action.before, key, None)
    }
    latest[action.name] = before.model_copy(update=changes)
    return action.model_copy(update={"before": before, "after": latest[action.name]})


def _refreshed(site: Site, chosen: list[Finding], stale: list[Unit]) -> Unit:
    """One refresh at the end: of the nodes concerned, or of all when not all of them are known."""
    scopes = [a.names for u in stale for a in u.actions if isinstance(a, RefreshServices)]
    touched = {name for one in chosen for name in one.nodes} | {n for s in scopes for n in s}
    exports = {node.config.export for node in site.nodes.values()}
    known = all(name in site.nodes or name in exports for name in touched)
    if not touched or not known or not all(scopes):
        return refresh(())
    return refresh(sorted(name for name in touched if name in site.nodes))


def _impact(chosen: list[Finding]) -> tuple[Literal["reversible", "one", "many", "purge"], str]:
    actions = [action for one in chosen if one.fix for action in one.fix.actions]
    risky = sum(1 for one in chosen if not one.safe)
    if any(isinstance(action, PurgeFolder) for action in actions):
        return "purge", "purge"
    if risky > 1:
        return "many", str(risky)
    return ("one" if risky else "reversible"), ""
