"""This machine's own address on an interface."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network

from sbctui.engine import commands
from sbctui.engine.errors import ToolFailed, ToolMissing


def own_address(interface: str, subnet: IPv4Network) -> IPv4Address | None:
    """The first address of ``interface`` inside ``subnet``; None where there is none."""
    try:
        done = commands.run(["ip", "-json", "-4", "address", "show", "dev", interface], timeout=5.0)
        links = json.loads(done.stdout or "[]")
    except (ToolFailed, ToolMissing, ValueError):
        return None
    given = (IPv4Address(a["local"]) for link in links for a in link.get("addr_info", ()))
    return next((ip for ip in given if ip in subnet), None)
