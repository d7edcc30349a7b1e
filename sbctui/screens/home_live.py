"""Which world the home screen shows: the newest, or an older one that is held still."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from sbctui.messages import Changed, World, in_thread
from sbctui.screens import home_lines as lines
from sbctui.screens.home_nodes import NodePanes
from sbctui.screens.totals import prepare, prepared
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site
    from sbctui.screens.disk_lines import Sample
    from sbctui.screens.job_view import JobView

_FEW = 24
"""With so few leaves all roots begin open."""


def _look_over(site: Site) -> None:
    """What takes longest with thousands of nodes, done before they are shown."""
    from sbctui.screens.filtering import said, texts

    texts(site)
    said(site)
    prepare(site)


class LivePanes(NodePanes):
    """``live`` is the newest world, ``world`` the one on the screen.

    That is an older one while the panes are frozen, and for a moment while thousands of new
    nodes are looked over. ``frozen`` is the time since which they are, or empty. ``samples`` are
    those of the free space since the console began. ``early`` is a paste that came before any node
    was read.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.live = world
        self.frozen = ""
        self.samples: tuple[Sample, ...] = ()
        self.jobs = Pane(4, "Services and jobs", id="jobs")
        self.early = ""
        self._fresh = True
        self._preparing = False

    def refresh_all(self) -> None:
        """Show the world in every pane."""
        raise NotImplementedError

    def refresh_bars(self) -> None:
        """Show what is always live: the header, what is wrong, the keys."""
        raise NotImplementedError

    def on_changed(self, event: Changed) -> None:
        """Another world: show it; of very many new nodes after a look in a thread."""
        self.live = event.world
        if prepared(self.live.site):
            self._take()
        elif not self._preparing:
            self._preparing = True
            self.sbc.background(self._prepare())

    async def _prepare(self) -> None:
        try:
            while (site := self.live.site) is not None and not prepared(site):
                await in_thread(partial(_look_over, site))
        finally:
            self._preparing = False
        self._take()

    def _take(self) -> None:
        site = self.live.site
        if site is not None:
            from sbctui.screens.disk_lines import sampled

            self.samples = sampled(self.samples, site)
        if self.frozen:
            self.refresh_bars()
            return
        self.world = self.live
        if self._fresh and site is not None:
            self._fresh = False
            self._open_few(site)
        self.refresh_all()
        if self.early and site is not None:
            self.sbc.bulk(self.targets(), self.early)
            self.early = ""

    def _open_few(self, site: Site) -> None:
        if len(site.leaves) <= _FEW:
            self.opened |= {f"root:{r.name}" for r in site.roots}
        self.tree_pane.rows.cursor = next((f"root:{r.name}" for r in site.roots), "")

    def do_freeze(self) -> None:
        """Hold the live panes still, or let them go on."""
        self.frozen = "" if self.frozen else time.strftime("%H:%M:%S")
        self._take()

    # ── the job under the cursor of pane 4 ────────────────────────────────────────────────

    def job(self) -> JobView | None:
        """That job; none while the cursor is elsewhere."""
        cursor = self.jobs.rows.cursor if self.jobs.rows.has_focus else ""
        return next((j for j in self.live.jobs if f"job:{j.id}" == cursor), None)

    def do_stop_job(self) -> None:
        """Stop it."""
        self.sbc.stop_job(lines.name_of(self.jobs.rows.cursor))

    def do_resume_job(self) -> None:
        """Show the plan for what it left undone."""
        self.sbc.resume_job(lines.name_of(self.jobs.rows.cursor))
