"""The machine as setting up finds it. Looking changes nothing, but asks the network."""

from __future__ import annotations

import os
import pwd
import socket
from ipaddress import IPv4Address, IPv4Interface

import psutil

from sbctui.engine import programs
from sbctui.engine.errors import ToolMissing
from sbctui.engine.model.settings import Settings
from sbctui.engine.places import SERVICE_USER
from sbctui.engine.services import dhcp_wire, systemd
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.dnsmasq_net import taken
from sbctui.engine.setup.plan import Found, SiteFound, Wish
from sbctui.engine.store import read_settings

_NEEDED = ("dnsmasq", "dhcp_release", "qemu-storage-daemon", "qemu-img", "mke2fs", "ip", "useradd")
_ASK = 3.0
"""Seconds in which another DHCP server has to answer; the usual ones ping an address first."""


def look(wish: Wish, site: SiteFound) -> Found:
    """All that a plan asks about. Raises OSError for what can't be read, NotASite, BadInput."""
    cards = psutil.net_if_stats()
    flags = cards[wish.interface].flags.split(",") if wish.interface in cards else []
    up = "up" in flags
    there = site == "site"
    addresses = _addresses(wish.interface)
    unit = systemd.look(wish.site) if systemd.running() else None
    ours = f"--conf-file={wish.site / 'derived' / 'dnsmasq' / 'dnsmasq.conf'}"
    return Found(
        root=os.geteuid() == 0,
        interfaces=tuple(sorted(set(cards) - {"lo"})),
        up=up,
        linked="running" in flags,
        addresses=addresses,
        strangers=_strangers(wish.interface) if up and addresses else None,
        taken=taken(wish.interface, ours),
        missing=_missing(),
        user=_known(SERVICE_USER),
        site=site,
        settings=read_settings(wish.site) if there else Settings(),
        unit=unit.state if unit else "",
        unit_path=str(unit.path) if unit else "",
        serving=there and SiteControl(wish.site).running(),
        dropins=unit.dropins if unit else (),
    )


def _addresses(interface: str) -> tuple[IPv4Interface, ...]:
    found = psutil.net_if_addrs().get(interface, ())
    return tuple(
        IPv4Interface(f"{one.address}/{one.netmask or 32}")
        for one in found
        if one.family == socket.AF_INET
    )


def _strangers(interface: str) -> tuple[IPv4Address, ...] | None:
    try:
        return dhcp_wire.strangers(interface, _ASK)
    except OSError:
        return None


def _missing() -> tuple[str, ...]:
    packages: dict[str, None] = {}
    for tool in _NEEDED:
        try:
            programs.find(tool)
        except ToolMissing as error:
            packages[error.package] = None
    return tuple(packages)


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
