"""What the logs of dnsmasq, the gate and HTTP say happened to a board.

Pure; made for many lines a second.

The forms are those of dnsmasq 2.90 (rfc2131.c, tftp.c) and of our own two.
"""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from sbctui.engine.model.addresses import undashed
from sbctui.engine.model.text import clean

Kind = Literal[
    "asked", "offered", "proxied", "leased", "sent", "missing", "failed",
    "admitted", "refused", "written", "ended", "up",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to a board.

    ``mac`` is empty where only the address is known. ``text`` is a path as the board named it, or
    a reason; ``file`` the path on this machine, ``size`` in bytes where it is known. ``seconds``
    is what a file took, where the log says it: of what went by HTTP.
    """

    kind: Kind
    at: float
    mac: str = ""
    ip: str = ""
    text: str = ""
    file: str = ""
    size: int | None = None
    seconds: float | None = None
    by: Literal["tftp", "http"] = "tftp"


_LONGEST = 200
_DHCP = re.compile(
    r"\d+ (?P<what>DHCPDISCOVER|DHCPOFFER|DHCPACK|BOOTP|PXE)\([^()\s]+\) "
    r"(?:(?P<ip>\d+\.\d+\.\d+\.\d+) )?(?P<mac>(?:[0-9a-f]{2}:){5}[0-9a-f]{2})(?P<rest> .*)?",
    re.ASCII,
)
_KINDS: dict[str, Kind] = {
    "DHCPDISCOVER": "asked",
    "DHCPOFFER": "offered",
    "DHCPACK": "leased",
    "BOOTP": "leased",
    "PXE": "proxied",
}
_TURNED_AWAY = ("ignored", "no address", "disabled")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_GATE = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<what>admitted|wrote|ended|refused) "
    r"(?:(?P<export>[0-9a-f-]{17}) )?(?P<ip>[\d.]+):\d+(?:: (?P<why>.*))?",
    re.ASCII,
)
_HTTP = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<what>sent|missing|broken) "
    r"(?P<mac>[0-9a-f-]{17}) (?P<ip>[\d.]+) "
    r"(?:(?P<size>\d{1,15}) (?P<seconds>\d{1,9}\.\d{3}) )?(?P<path>[^ :]*)(?:: (?P<why>.*))?",
    re.ASCII,
)
_HTTP_KINDS: dict[str, Kind] = {"sent": "sent", "missing": "missing", "broken": "failed"}
_GATE_KINDS: dict[str, Kind] = {
    "admitted": "admitted",
    "wrote": "written",
    "ended": "ended",
    "refused": "refused",
}


def dhcp(text: str, at: float) -> Happening | None:
    """What a line of dnsmasq's DHCP part says (its words behind the process), if anything."""
    if "(" not in text or "option" in text:
        return None
    found = _DHCP.match(text)
    if found is None:
        return None
    rest = found["rest"] or ""
    if any(word in rest for word in _TURNED_AWAY):
        return None
    return Happening(_KINDS[found["what"]], at, found["mac"], found["ip"] or "")


def tftp(text: str, at: float, root: str) -> Happening | None:
    """What a line of dnsmasq's TFTP part says; ``root`` is the shared folder, with a ``/``."""
    if text.startswith("sent "):
        path, _, ip = text[5:].rpartition(" to ")
        return _fetched("sent", path, ip, at, root)
    if text.startswith("file "):
        path, _, ip = text[5:].rpartition(" not found for ")
        return _fetched("missing", path, ip, at, root)
    if text.startswith("failed sending "):
        path, _, ip = text[15:].rpartition(" to ")
        return _fetched("failed", path, ip, at, root, "the transfer broke off")
    for words in ("cannot access ", "cannot read "):
        if text.startswith(words):
            path, _, why = text[len(words) :].rpartition(": ")
            return _fetched("failed", path, "", at, root, why)
    return None


def _fetched(
    kind: Kind, path: str, ip: str, at: float, root: str, why: str = ""
) -> Happening | None:
    if (ip and not _IP.fullmatch(ip)) or not path.startswith(root):
        return None
    first, slash, rest = path[len(root) :].partition("/")
    mac = undashed(first) if slash else None
    name = clean((rest if mac else path[len(root) :])[:_LONGEST])
    if mac is None and not ip:
        return None
    told = f"{name}\0{clean(why[:_LONGEST])}" if why else name
    return Happening(kind, at, mac or "", ip, told, path)


def gate(line: str) -> Happening | None:
    """What a line of the gate's log says."""
    found = _GATE.fullmatch(line)
    if found is None:
        return None
    mac = undashed(found["export"]) if found["export"] else ""
    at = _utc(found["at"])
    if mac is None or at is None or (not mac and found["what"] != "refused"):
        return None
    why = clean((found["why"] or "")[:_LONGEST])
    return Happening(_GATE_KINDS[found["what"]], at, mac, found["ip"], why)


def http(line: str) -> Happening | None:
    """What a line of our HTTP server's log says; a path there is percent-encoded."""
    found = _HTTP.fullmatch(line)
    if found is None:
        return None
    mac, at = undashed(found["mac"]), _utc(found["at"])
    if mac is None or at is None or (found["what"] == "sent") != (found["size"] is not None):
        return None
    name = clean(unquote(found["path"])[:_LONGEST])
    told = f"{name}\0{clean(found['why'][:_LONGEST])}" if found["why"] else name
    return Happening(
        _HTTP_KINDS[found["what"]],
        at,
        mac,
        found["ip"],
        told,
        size=int(found["size"]) if found["size"] else None,
        seconds=float(found["seconds"]) if found["seconds"] else None,
        by="http",
    )


@lru_cache(maxsize=64)
def _utc(text: str) -> float | None:
    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
    except (ValueError, OverflowError):
        return None
