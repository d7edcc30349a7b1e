"""What a fix would do, planned in a thread once the cursor has rested on its finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sbctui.messages import World, in_thread
from sbctui.screens.steps import steps

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.model.site import Site

_REST = 0.15


class Foresight:
    """Plans of single findings, as known; ``told`` is called when another one is there."""

    def __init__(self, app: SbcApp, told: Callable[[], None]) -> None:
        self._app = app
        self._told = told
        self._of: tuple[Finding, ...] = ()
        self._known: dict[str, list[str]] = {}
        self._wanted = ""

    def steps(self, world: World, finding: Finding) -> list[str]:
        """The steps of its fix; empty until they are known, or when there is none."""
        found, site = world.findings, world.site
        if found is None or site is None or finding.fix is None:
            return []
        if found is not self._of:
            self._of, self._wanted = found, ""
            self._known.clear()
        if finding.id not in self._known and self._wanted != finding.id:
            self._wanted = finding.id
            self._app.set_timer(_REST, lambda: self._ask(site, finding))
        return self._known.get(finding.id, [])

    def _ask(self, site: Site, finding: Finding) -> None:
        if self._wanted == finding.id:
            self._app.background(self._plan(site, self._of, finding))

    async def _plan(self, site: Site, found: tuple[Finding, ...], finding: Finding) -> None:
        told = await in_thread(lambda: _planned(site, found, finding))
        if found is self._of:
            self._known[finding.id] = told
            self._told()


def _planned(site: Site, found: tuple[Finding, ...], finding: Finding) -> list[str]:
    from sbctui.engine.audit.remedy import plan_on
    from sbctui.engine.errors import SbcError
    from sbctui.engine.model.requests import FixFindings

    try:
        return steps(plan_on(site, FixFindings(findings=(finding.id,)), found))
    except SbcError as error:
        return [str(error)]
