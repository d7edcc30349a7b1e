"""From a request to its plan, with the findings and the boot files that some are made of."""

from __future__ import annotations

import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.engine import facts
from sbctui.engine.audit.drift import Booting
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.observe import observe
from sbctui.engine.audit.plan import findings
from sbctui.engine.audit.remedy import Asked, Remedy, plan_again, plan_on
from sbctui.engine.boot.template import check_all
from sbctui.engine.errors import PlanChanged, SbcError
from sbctui.engine.files import Owner
from sbctui.engine.model.requests import Request
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.plan import plan_for
from sbctui.engine.plan import Plan
from sbctui.engine.services.port import Control

if TYPE_CHECKING:
    from sbctui.engine.boot.known import Known


class Planning:
    """Plans for one site, on whatever snapshot of it is given."""

    def __init__(self, path: Path, control: Control, owner: Owner, *, read_only: bool) -> None:
        self._path = path
        self._control = control
        self._owner = owner
        self._read_only = read_only

    def asked(self, site: Site, request: Request) -> Plan:
        """Gather the request's facts and plan. Raises BadInput, Refused, NoSuchNode, NoSpace."""
        from sbctui.engine.boot.gather import gather

        return self.plan(site, gather(site, facts.gather(site, request), self._known))

    def plan(self, site: Site, request: Request) -> Plan:
        """The plan for a request that has its facts. Raises like ``asked``."""
        if isinstance(request, Asked):
            return plan_on(site, request, self.audit(site))
        return plan_for(request, site)

    def again(self, site: Site, plan: Plan) -> Plan:
        """A confirmed plan as it would be made now. Raises PlanChanged when it is another one."""
        if isinstance(plan.request, Remedy):
            return plan_again(site, plan, self.audit(site))
        if plan.same_work(self.plan(site, plan.request)):
            return plan
        raise PlanChanged(
            f"the site changed since this plan was made, so nothing was done ({plan.title}); "
            "look at the new plan"
        )

    def audit(self, site: Site) -> tuple[Finding, ...]:
        """Every disagreement, in the groups' order."""
        return findings(site, observe(site, self._control.status(), self._booting(site)))

    @cached_property
    def _known(self) -> Known:
        from sbctui.engine.boot.known import Known

        return Known(self._path, self._owner, read_only=self._read_only)

    def _booting(self, site: Site) -> Booting:
        from sbctui.engine.boot.foresee import foresee

        try:
            check_all(site.templates)
            return foresee(site, self._known, threading.Event())
        except (SbcError, OSError):
            return Booting()
