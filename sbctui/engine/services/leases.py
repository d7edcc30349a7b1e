"""dnsmasq's lease file. dnsmasq rewrites it in place, so half of one can be met."""

from __future__ import annotations

import time
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_mac
from sbctui.engine.model.site import Lease
from sbctui.engine.model.text import clean

_TRIES = 5
_PAUSE = 0.005
_LONGEST_NAME = 255


def lease_file(site: Path) -> Path:
    """Where a site's leases are."""
    return site / "state" / "dnsmasq.leases"


def read_leases(path: Path) -> tuple[Lease, ...]:
    """The leases in a file; empty when there is none. Lines that are no lease are left out."""
    data = _steady(path)
    whole = data[: data.rfind(b"\n") + 1]
    found = (_lease(line) for line in whole.decode(errors="replace").split("\n"))
    return tuple(lease for lease in found if lease is not None)


def release(interface: str, ip: IPv4Address, mac: str) -> None:
    """Tell dnsmasq that a board gives its address back. Root only.

    Raises ToolMissing, ToolFailed.
    """
    commands.run(["dhcp_release", interface, str(ip), mac], timeout=5)


def _steady(path: Path) -> bytes:
    """The content, once two looks in a row found the same."""
    before: bytes | None = None
    data = b""
    for _ in range(_TRIES):
        try:
            data = path.read_bytes()
        except OSError:
            return b""
        if data == before:
            break
        before = data
        time.sleep(_PAUSE)
    return data


def _lease(line: str) -> Lease | None:
    fields = line.split(" ")
    if len(fields) != 5 or not fields[0].isascii() or not fields[0].isdecimal():
        return None
    with suppress(BadInput, ValueError):
        name = "" if fields[3] == "*" else clean(fields[3][:_LONGEST_NAME])
        return Lease(parse_mac(fields[1]), IPv4Address(fields[2]), name, int(fields[0]))
    return None
