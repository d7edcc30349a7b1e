"""The boots of all boards as one wall: what changed is asked for, the rest remembered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sbctui.engine.boards.timeline import PROBED, judge
from sbctui.engine.model.boots import Boot, Timeline
from sbctui.engine.model.site import Site
from sbctui.engine.services.port import Control


@dataclass(frozen=True, slots=True)
class _Judged:
    """A boot and what it was judged to be; ``settled`` when time alone changes it no more."""

    boot: Boot
    line: Timeline
    settled: bool


class Wall:
    """Thread-safe."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._mutex = threading.Lock()
        self._version = 0
        self._boots: dict[str, tuple[Boot, ...]] = {}
        self._known: dict[str, _Judged] = {}
        self._newest: tuple[Timeline, ...] = ()
        self._of: tuple[object, object] = (None, None)

    def newest(self, site: Site) -> tuple[Timeline, ...]:
        """The newest boot of every board, by its shown name, then by MAC.

        The same tuple again while nothing changes; a boot that has settled is judged once.
        """
        with self._mutex:
            boots = self._look()
            same = self._of[0] is boots and self._of[1] is site.nodes
            if same and all(one.settled for one in self._known.values()):
                return self._newest
            now = time.time()
            self._known = {mac: self._judged(boot[-1], site, now) for mac, boot in boots.items()}
            lines = [one.line for one in self._known.values()]
            self._newest = tuple(sorted(lines, key=lambda t: (not t.hostname, t.hostname, t.mac)))
            self._of = boots, site.nodes
            return self._newest

    def of(self, site: Site, mac: str) -> tuple[Timeline, ...]:
        """A board's last boots, newest first, as they stand now."""
        with self._mutex:
            boots = self._look().get(mac, ())
        now = time.time()
        return tuple(_judge(boot, site, now) for boot in reversed(boots))

    def _look(self) -> dict[str, tuple[Boot, ...]]:
        news = self._control.boots(self._version)
        changed: dict[str, list[Boot]] = {}
        for boot in news.boots:
            changed.setdefault(boot.mac, []).append(boot)
        self._version = news.version
        if changed:
            self._boots = self._boots | {mac: tuple(boots) for mac, boots in changed.items()}
        return self._boots

    def _judged(self, boot: Boot, site: Site, now: float) -> _Judged:
        known = self._known.get(boot.mac)
        if known is not None and known.settled and known.boot == boot:
            line = known.line
            if (line.node, line.hostname) == _owner(boot.mac, site):
                return known
        line = _judge(boot, site, now)
        over = line.state in ("up", "off", "stopped")
        return _Judged(boot, line, over or (line.state == "running" and line.silent > PROBED))


def _owner(mac: str, site: Site) -> tuple[str, str]:
    """Folder and shown name of the node with a MAC; both empty when there is none."""
    names = site.by_mac.get(mac, ())
    return (names[0], site.nodes[names[0]].config.hostname) if names else ("", "")


def _judge(boot: Boot, site: Site, now: float) -> Timeline:
    return judge(boot, now, *_owner(boot.mac, site))
