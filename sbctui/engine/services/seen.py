"""Boards without a node, as dnsmasq's log tells of them: nothing else does."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import dashed, parse_mac
from sbctui.engine.model.site import Seen
from sbctui.engine.model.text import clean
from sbctui.engine.services.dnsmasq_log import LogLine, Tail, split
from sbctui.engine.services.hosts import hosts_dir, log_file

MOST = 512
"""Boards remembered; the ones not seen for longest are forgotten."""
_BACK = 2 << 20
"""Bytes of old log looked at on the first call."""
_LONGEST_CLASS = 255
_CLASS = re.compile(r"(?P<xid>\d+) vendor class: (?P<name>.*)")
_ASKED = re.compile(
    r"(?P<xid>\d+) (?:DHCPDISCOVER|DHCPREQUEST|BOOTP)\([^()\s]+\) (?:[\d.]+ )?"
    r"(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?P<rest> .*)?"
)
_TURNED_AWAY = ("ignored", "no address", "disabled")
_DAY = 86400.0


class SeenBoards:
    """Follows one site's log. Thread-safe. The first call looks back at the last 2 MiB."""

    def __init__(self, site: Path) -> None:
        self._folder = hosts_dir(site)
        self._tail = Tail(log_file(site), _BACK)
        self._seen: dict[str, Seen] = {}
        self._classes: dict[str, str] = {}
        self._clock = _Clock()
        self._mutex = threading.Lock()

    def boards(self) -> tuple[Seen, ...]:
        """Boards that asked for an address and have no host file, newest first."""
        with self._mutex:
            for line in self._tail.lines():
                found = split(line)
                if found is not None and found.part == "-dhcp":
                    self._take(found)
            known = [mac for mac in self._seen if (self._folder / dashed(mac)).exists()]
            for mac in known:
                del self._seen[mac]
            return tuple(sorted(self._seen.values(), key=lambda s: (-s.last, s.mac)))

    def close(self) -> None:
        """Let go of the log."""
        self._tail.close()

    def _take(self, line: LogLine) -> None:
        named = _CLASS.fullmatch(line.text)
        if named is not None:
            self._classes.pop(named["xid"], None)
            self._classes[named["xid"]] = clean(named["name"][:_LONGEST_CLASS])
            _bound(self._classes)
            return
        asked = _ASKED.fullmatch(line.text)
        if asked is None or not any(word in (asked["rest"] or "") for word in _TURNED_AWAY):
            return
        with suppress(BadInput):
            self._count(parse_mac(asked["mac"]), self._clock.epoch(line.at), asked["xid"])

    def _count(self, mac: str, at: float, xid: str) -> None:
        before = self._seen.pop(mac, None)
        name = self._classes.get(xid, before.vendor_class if before else "")
        if before is None:
            self._seen[mac] = Seen(mac, at, at, 1, name)
        else:
            self._seen[mac] = replace(before, last=at, count=before.count + 1, vendor_class=name)
        _bound(self._seen)


def _bound(table: dict[str, str] | dict[str, Seen]) -> None:
    """Forget the oldest entries beyond ``MOST``."""
    while len(table) > MOST:
        del table[next(iter(table))]


@dataclass
class _Clock:
    """dnsmasq's ``Nov 21 06:50:32``, local and without a year, as epoch seconds."""

    _text: str = ""
    _epoch: float = 0.0

    def epoch(self, text: str) -> float:
        """The latest such moment that is not in the future; now when it can't be read."""
        if text != self._text:
            self._text, self._epoch = text, self._read(text)
        return self._epoch

    @staticmethod
    def _read(text: str) -> float:
        now = time.time()
        year = time.localtime(now).tm_year
        for candidate in (year, year - 1):
            with suppress(ValueError, OverflowError):
                parts = time.strptime(f"{candidate} {text}", "%Y %b %d %H:%M:%S")
                at = time.mktime((*parts[:8], -1))
                if at <= now + _DAY:
                    return min(at, now)
        return now
