"""Boards without a node: those that dnsmasq's log says it turned away, and those on the wire.

The log tells of the time before we ran too, but not what a request holds; as a proxy it leaves
out whoever is no PXE client. The wire tells the rest, where it may be listened to.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sbctui.engine.boards.identity import Identity, identify
from sbctui.engine.boards.listener import Listener
from sbctui.engine.boards.packet import Asked
from sbctui.engine.boards.vendors import is_local, vendor
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import dashed, parse_mac
from sbctui.engine.model.site import Seen
from sbctui.engine.model.text import clean
from sbctui.engine.services.dnsmasq_log import Clock, LogLine, Tail, split
from sbctui.engine.services.hosts import hosts_dir, log_file

MOST = 512
"""Boards remembered; the ones not seen for longest are forgotten."""
_BACK = 2 << 20
"""Bytes of old log looked at on the first call."""
_LONGEST_CLASS = 255
_CLASS = re.compile(r"(?P<xid>\d+) vendor class: (?P<name>.*)")
_ASKED = re.compile(
    r"(?P<xid>\d+) (?:DHCPDISCOVER|DHCPREQUEST|BOOTP|PXE)\([^()\s]+\) (?:[\d.]+ )?"
    r"(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?P<rest> .*)?"
)
_TURNED_AWAY = ("ignored", "no address", "disabled")
_ASKING = ("discover", "request", "bootp")


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the wire told of one board."""

    first: float
    last: float
    count: int
    asked: Asked


class SeenBoards:
    """Follows one site's log, and the wire once it may. Thread-safe.

    The first look at the log goes back 2 MiB.
    """

    def __init__(self, site: Path) -> None:
        self._folder = hosts_dir(site)
        self._tail = Tail(log_file(site), _BACK)
        self._seen: dict[str, Seen] = {}
        self._heard: dict[str, _Heard] = {}
        self._classes: dict[str, str] = {}
        self._clock = Clock()
        self._mutex = threading.Lock()
        self._interfaces: frozenset[str] = frozenset()
        self._listener = Listener(lambda: self._interfaces, self.hear)

    def listen(self, interfaces: Collection[str]) -> str:
        """Hear requests on these interfaces from now on; empty, or why they can't be heard."""
        self._interfaces = frozenset(interfaces)
        return self._listener.begin() if interfaces else ""

    def hear(self, asked: Asked) -> None:
        """Take in one request from the wire."""
        if asked.kind not in _ASKING:
            return
        now = time.time()
        with self._mutex:
            before = self._heard.pop(asked.mac, None)
            first, count = (before.first, before.count) if before else (now, 0)
            if before is not None:
                asked = _fuller(asked, before.asked)
            self._heard[asked.mac] = _Heard(first, now, count + 1, asked)
            _bound(self._heard)

    def boards(self) -> tuple[Seen, ...]:
        """Boards that asked for an address and have no host file, newest first."""
        with self._mutex:
            for line in self._tail.lines():
                found = split(line)
                if found is not None and found.part == "-dhcp":
                    self._take(found)
            macs = self._seen.keys() | self._heard.keys()
            for mac in [mac for mac in macs if (self._folder / dashed(mac)).exists()]:
                self._seen.pop(mac, None)
                self._heard.pop(mac, None)
            found_ = map(self._merged, self._seen.keys() | self._heard.keys())
            newest = sorted(found_, key=lambda s: (-s.last, s.mac))
            return tuple(newest[:MOST])

    def close(self) -> None:
        """Let go of the log and the wire."""
        self._listener.close()
        self._tail.close()

    def _merged(self, mac: str) -> Seen:
        logged, heard = self._seen.get(mac), self._heard.get(mac)
        if heard is None:
            assert logged is not None
            return _told(logged, identify(Asked(mac, 0, "", logged.vendor_class)))
        seen = Seen(mac, heard.first, heard.last, heard.count)
        if logged is not None:
            first, last = min(logged.first, heard.first), max(logged.last, heard.last)
            seen = Seen(mac, first, last, max(logged.count, heard.count), logged.vendor_class)
        asked = heard.asked
        said = asked.vendor_class or seen.vendor_class
        seen = replace(seen, vendor_class=said, hostname=asked.hostname)
        return _told(seen, identify(asked))

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


def _told(seen: Seen, known: Identity) -> Seen:
    return replace(
        seen,
        vendor=vendor(seen.mac),
        local=is_local(seen.mac),
        model=known.model,
        serial=known.serial,
        architecture=known.architecture,
    )


def _fuller(asked: Asked, before: Asked) -> Asked:
    """The newer request, with what it leaves out and the one before it said.

    A Pi's firmware says more than the system that it starts.
    """
    return replace(
        asked,
        vendor_class=asked.vendor_class or before.vendor_class,
        hostname=asked.hostname or before.hostname,
        machine=asked.machine or before.machine,
        arch=asked.arch if asked.machine or not before.machine else before.arch,
    )


def _bound(table: dict[str, Any]) -> None:
    """Forget the oldest entries beyond ``MOST``."""
    while len(table) > MOST:
        del table[next(iter(table))]
