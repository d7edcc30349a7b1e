"""The plan for findings: mend them, move them to the trash, keep them as they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.keep import counted, named, plan_keep, plan_unkeep
from sbctui.engine.errors import PlanChanged, Refused
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.requests import (
    FixFindings,
    KeepFindings,
    TrashFindings,
    UnkeepFindings,
)
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import listing, plan, refresh
from sbctui.engine.plan import (
    Action,
    DropStaging,
    MakeSideFiles,
    Plan,
    PurgeFolder,
    RefreshServices,
    SetChildren,
    Unit,
    UpdateConfig,
)

Remedy = FixFindings | TrashFindings
Asked = Remedy | KeepFindings | UnkeepFindings
"""What can be asked about findings."""


def plan_on(site: Site, request: Asked, found: Iterable[Finding]) -> Plan:
    """The plan for findings that were made of this site. Raises NoSuchNode, Refused, BadInput."""
    if isinstance(request, KeepFindings):
        return plan_keep(site, request, found)
    if isinstance(request, UnkeepFindings):
        return plan_unkeep(site, request, found)
    return _plan_remedy(site, request, found)


def _plan_remedy(site: Site, request: Remedy, found: Iterable[Finding]) -> Plan:
    by_id = {one.id: one for one in found}
    chosen = [named(by_id, name) for name in dict.fromkeys(request.findings)]
    fix = isinstance(request, FixFindings)
    units = [_fix(one) if fix else _trash(one) for one in chosen]
    acting = [u for u in units if not all(isinstance(a, RefreshServices) for a in u.actions)]
    stale = [u for u in units if u not in acting]
    impact, confirm = _impact(units, sum(1 for one in chosen if not (fix and one.safe)))
    count = counted(len(chosen))
    title = f"mend {count} of the audit" if fix else f"move to the trash what {count} of the audit"
    units = [*_chained(sorted(acting, key=_late)), _refreshed(site, chosen, stale)]
    if any(_reads_image(unit) for unit in acting):
        units.append(listing())
    return plan(
        site,
        request,
        title if fix else f"{title} {'is' if len(chosen) == 1 else 'are'} about",
        units,
        frees=sum(one.bytes for one in chosen if fix and _drops(one)),
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
    assert isinstance(asked, Remedy)
    left = tuple(name for name in asked.findings if name in there)
    again = _plan_remedy(site, asked.model_copy(update={"findings": left}), found)
    confirmed = [unit.actions for unit in plan.units]
    if not all(unit.always or unit.actions in confirmed for unit in again.units):
        raise PlanChanged(
            f"the site changed since this plan was made, so nothing was done ({plan.title}); "
            "look at the new plan"
        )
    return again


def _fix(one: Finding) -> Unit:
    if one.fix is None:
        raise Refused(f"{one.title}; this can't be mended by itself: {one.unfixable}")
    return one.fix


def _trash(one: Finding) -> Unit:
    if one.trash is None:
        raise Refused(f"{one.title}; this can't be moved to the trash: {one.untrashable}")
    return one.trash


def _drops(one: Finding) -> bool:
    """Whether its fix gives its bytes back: what goes to the trash still takes room there."""
    return one.fix is not None and any(
        isinstance(action, DropStaging | PurgeFolder) for action in one.fix.actions
    )


def _late(unit: Unit) -> tuple[bool, bool]:
    """Units that write a whole config come before those that edit a children map in it.

    What reads whole images or disks comes last: from there on the site is not locked.
    """
    return unit.long, any(isinstance(action, SetChildren) for action in unit.actions)


def _reads_image(unit: Unit) -> bool:
    return any(isinstance(action, MakeSideFiles) for action in unit.actions)


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


def _impact(
    units: Iterable[Unit], risky: int
) -> tuple[Literal["create", "one", "many", "purge"], str]:
    """``risky`` is how many of them may lose something."""
    if any(isinstance(action, PurgeFolder) for unit in units for action in unit.actions):
        return "purge", "purge"
    if risky > 1:
        return "many", str(risky)
    return ("one" if risky else "create"), ""
