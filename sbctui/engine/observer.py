"""A site as it is, looked at again and again: what changed is read, nothing else."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from sbctui.engine.facts import Probe
from sbctui.engine.model.site import Facts, Site
from sbctui.engine.services.port import Control
from sbctui.engine.store import Store

_LOOK_EVERY = 30.0
"""Seconds between full looks at the folders, which find what was changed by hand."""


class Observer:
    """Thread-safe; what it gives is frozen."""

    def __init__(self, path: Path, control: Control, *, read_only: bool) -> None:
        """Raises NotASite, NotPermitted."""
        self._read_only = read_only
        self._control = control
        self._store = Store(path)
        self._probe = Probe(path)
        self._mutex = threading.RLock()
        self._looked = 0.0
        self._facts = Facts()

    def site(self, *, full: bool = False, now: float | None = None) -> Site:
        """The newest snapshot with facts of ``now`` (epoch seconds, this moment without).

        With ``full``, and every half minute, every node's file is looked at.
        """
        with self._mutex:
            due = time.monotonic() - self._looked >= _LOOK_EVERY
            site = self._store.load(full=full or due)
            if full or due:
                self._looked = time.monotonic()
            moment = time.time() if now is None else now
            found = self._probe.facts(site.settings, self._control, moment)
            asking = tuple(one for one in found.seen if one.mac not in site.ignored)
            self._facts = replace(found, read_only=self._read_only, seen=asking)
            return site.with_facts(self._facts)

    def reload(self) -> Site:
        """The nodes as they are now, with the facts of the last look."""
        with self._mutex:
            return self._store.load().with_facts(self._facts)

    def touch(self, name: str) -> None:
        """What a node's folder holds was changed by us: look at it again next time."""
        with self._mutex:
            self._store.touch(name)
