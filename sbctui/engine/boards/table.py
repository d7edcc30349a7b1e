"""The last boots of every board, as happenings make them. Bounded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sbctui.engine.boards.happening import Happening
from sbctui.engine.boards.progress import advance
from sbctui.engine.model.boots import Boot, BootNews

KEPT_EACH = 5
"""Boots kept of one board."""
MOST_BOARDS = 2000
"""Boards whose boots are kept; the ones silent for longest are forgotten."""


class Boots:
    """Not thread-safe: its owner guards it. Versions count up from ``version``."""

    def __init__(self, boots: Iterable[Boot] = (), version: int = 0) -> None:
        self.version = version
        self._boots: dict[str, tuple[Boot, ...]] = {}
        self._changed: dict[str, int] = {}
        self._unsaved: dict[tuple[str, float], Boot] = {}
        self._by_ip: dict[str, str] = {}
        for boot in boots:
            self.put(boot)
        self._unsaved.clear()

    def take(self, what: Happening) -> bool:
        """Go on with the board it is about; whether a boot changed."""
        mac = what.mac or self._by_ip.get(what.ip, "")
        if not mac:
            return False
        if not what.mac:
            what = replace(what, mac=mac)
        known = self._boots.get(mac, ())
        boot = known[-1] if known else None
        after = advance(boot, what)
        if after is None or after is boot:
            return False
        self.put(after)
        return True

    def put(self, boot: Boot) -> None:
        """Keep a boot as the newest of its board, in place of itself as it was."""
        known = tuple(one for one in self._boots.pop(boot.mac, ()) if one.began != boot.began)
        self._boots[boot.mac] = (*known, boot)[-KEPT_EACH:]
        if boot.ip:
            self._by_ip[boot.ip] = boot.mac
        self._unsaved[boot.mac, boot.began] = boot
        self.version += 1
        self._changed[boot.mac] = self.version
        while len(self._boots) > MOST_BOARDS:
            self._forget(next(iter(self._boots)))

    def _forget(self, mac: str) -> None:
        for boot in self._boots.pop(mac):
            if self._by_ip.get(boot.ip) == mac:
                del self._by_ip[boot.ip]
        del self._changed[mac]

    def changed(self) -> tuple[Boot, ...]:
        """The boots that changed since the last call."""
        found = tuple(self._unsaved.values())
        self._unsaved = {}
        return found

    def since(self, version: int) -> BootNews:
        """Every boot of the boards that changed after ``version``; the newest of each last."""
        if not 0 < version <= self.version:
            version = 0
        macs = [mac for mac, at in self._changed.items() if at > version]
        return BootNews(self.version, tuple(boot for mac in macs for boot in self._boots[mac]))

    def newest(self) -> tuple[Boot, ...]:
        """Each board's newest boot."""
        return tuple(boots[-1] for boots in self._boots.values())

    def of(self, mac: str) -> tuple[Boot, ...]:
        """A board's boots, the newest last."""
        return self._boots.get(mac, ())

    def __len__(self) -> int:
        return len(self._boots)
