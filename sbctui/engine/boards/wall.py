"""The boots of all boards as one wall: what changed is asked for, the rest remembered."""

from __future__ import annotations

import threading
import time

from sbctui.engine.boards.timeline import judge
from sbctui.engine.model.boots import Boot, Timeline
from sbctui.engine.model.site import Site
from sbctui.engine.services.port import Control


class Wall:
    """Thread-safe."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._mutex = threading.Lock()
        self._version = 0
        self._boots: dict[str, tuple[Boot, ...]] = {}

    def newest(self, site: Site) -> tuple[Timeline, ...]:
        """The newest boot of every board, by its shown name, then by MAC."""
        boots = self._look()
        now = time.time()
        found = [_judged(known[-1], site, now) for known in boots.values()]
        return tuple(sorted(found, key=lambda t: (not t.hostname, t.hostname, t.mac)))

    def of(self, site: Site, mac: str) -> tuple[Timeline, ...]:
        """A board's last boots, newest first."""
        now = time.time()
        return tuple(_judged(boot, site, now) for boot in reversed(self._look().get(mac, ())))

    def _look(self) -> dict[str, tuple[Boot, ...]]:
        with self._mutex:
            news = self._control.boots(self._version)
            changed: dict[str, list[Boot]] = {}
            for boot in news.boots:
                changed.setdefault(boot.mac, []).append(boot)
            self._version = news.version
            self._boots |= {mac: tuple(boots) for mac, boots in changed.items()}
            return dict(self._boots)


def _judged(boot: Boot, site: Site, now: float) -> Timeline:
    names = site.by_mac.get(boot.mac, ())
    node = site.nodes[names[0]] if names else None
    return judge(boot, now, node.name if node else "", node.config.hostname if node else "")
