"""What udp-sender and udp-receiver (udpcast 20120424) say on stderr, taken in as it comes. Pure.

Their exit codes tell nothing: both end with 0 when nobody joined, or when the other end died.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

_ENDS = re.compile(r"[\r\n]")
_JOINED = re.compile(r"New connection from (?P<ip>[\d.]+)\s+\(#(?P<number>\d+)\)")
_DROPPED = re.compile(r"Dropping client #(?P<number>\d+) because of (?P<why>.+)")
_LEFT = re.compile(r"Disconnecting #(?P<number>\d+) ")
_BYTES = re.compile(r"bytes=\s*(?P<number>[\d ]*\d)\s*(?P<unit>[KMG]?)")
_CONNECTED = re.compile(r"Connected as #\d+ to (?P<ip>[\d.]+)")
_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3}
_LONGEST = 65_536


class _Lines:
    """Cuts text into lines at line feeds and carriage returns."""

    def __init__(self) -> None:
        self._rest = ""

    def lines(self, text: str) -> Iterator[str]:
        """Those that are whole now."""
        *whole, rest = _ENDS.split(self._rest + text)
        self._rest = rest[-_LONGEST:]
        yield from whole


class SenderLog(_Lines):
    """``joined`` in that order, ``dropped`` before the end with the reason, ``sent`` bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.joined: list[IPv4Address] = []
        self.dropped: dict[IPv4Address, str] = {}
        self.started = False
        self.complete = False
        self.sent = 0
        self.complaint = ""
        self._numbers: dict[str, IPv4Address] = {}

    def feed(self, text: str) -> None:
        """What it said next."""
        for line in self.lines(text):
            self._line(line)

    def _line(self, line: str) -> None:
        if match := _JOINED.search(line):
            address = IPv4Address(match["ip"])
            self._numbers[match["number"]] = address
            if address not in self.joined:
                self.joined.append(address)
            self.dropped.pop(address, None)
        elif match := _DROPPED.search(line):
            self._drop(match["number"], f"it was dropped because of {match['why'].strip()}")
        elif (match := _LEFT.search(line)) and not self.complete:
            self._drop(match["number"], "it left before the end")
        elif match := _BYTES.search(line):
            self.sent = int(match["number"].replace(" ", "")) * _UNITS[match["unit"]]
        elif line.startswith("Starting transfer"):
            self.started = True
        elif line.startswith("Transfer complete"):
            self.complete = True
        elif line.strip():
            self.complaint = line.strip()

    def _drop(self, number: str, why: str) -> None:
        if (address := self._numbers.get(number)) is not None:
            self.dropped.setdefault(address, why)


class ReceiverLog(_Lines):
    """Who sends, once that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.sender: IPv4Address | None = None
        self.complaint = ""

    def feed(self, text: str) -> None:
        """What it said next."""
        for line in self.lines(text):
            if match := _CONNECTED.search(line):
                self.sender = IPv4Address(match["ip"])
            elif line.strip():
                self.complaint = line.strip()
