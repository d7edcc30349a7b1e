"""What dnsmasq finds on this machine's network: its interface, its ports, its own sockets."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import psutil

from sbctui.engine import commands
from sbctui.engine.errors import ToolFailed, ToolMissing
from sbctui.engine.model.settings import Network, Segment
from sbctui.engine.model.text import clean

DHCP = 67
TFTP = 69
_ANSWER = 1.0
_LOCAL = re.compile(r"(?P<ip>[\d.*]+|\[[^\]]*\]|\*)(?:%(?P<device>\S+))?:(?P<port>\d+)")
_USERS = re.compile(r'\("(?P<name>[^"]*)",pid=(?P<pid>\d+)')


def addresses(interface: str) -> tuple[IPv4Address, ...]:
    """The interface's IPv4 addresses; empty when it has none or isn't there."""
    found = psutil.net_if_addrs().get(interface, ())
    return tuple(IPv4Address(a.address) for a in found if a.family == socket.AF_INET)


def unready(network: Network) -> str:
    """Why an interface can't serve its subnet yet, with the command that mends it; or empty."""
    return next(filter(None, map(_unready, network.segments)), "")


def _unready(segment: Segment) -> str:
    interface, subnet = segment.interface, segment.subnet
    try:
        socket.if_nametoindex(interface)
    except OSError:
        return (
            f"there is no interface {interface}; 'ip link' lists them, "
            "and sbctui site init --interface sets another"
        )
    here = addresses(interface)
    wanted = segment.server or subnet.network_address + 1
    if segment.server is not None and segment.server in here:
        return ""
    if segment.server is None and any(ip in subnet for ip in here):
        return ""
    lacks = f"the address {wanted}" if segment.server else f"an address in {subnet}"
    return (
        f"{interface} lacks {lacks}; "
        f"add it: ip address add {wanted}/{subnet.prefixlen} dev {interface}"
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """A socket of somebody else's: ``device`` is empty when it hears every interface."""

    port: int
    ip: str
    device: str
    who: str
    pid: int


def holders() -> tuple[Holder, ...]:
    """Who holds the ports of DHCP and TFTP; empty when ``ss`` can't tell."""
    try:
        ask = ["ss", "-Hulnp", "( sport = :67 or sport = :69 )"]
        text = commands.run(ask, timeout=5).stdout
    except (ToolMissing, ToolFailed):
        return ()
    found = []
    for line in text.splitlines():
        fields = line.split()
        local = _LOCAL.fullmatch(fields[3]) if len(fields) > 3 else None
        if local is None or local["ip"].startswith("["):
            continue
        user = _USERS.search(line)
        who, pid = (clean(user["name"]), int(user["pid"])) if user else ("another program", 0)
        found.append(Holder(int(local["port"]), local["ip"], local["device"] or "", who, pid))
    return tuple(found)


def taken(interface: str, ours: str) -> str:
    """Who else already answers DHCP or TFTP on the interface, and what to do; or empty.

    ``ours`` is an argument by which our own dnsmasq is known.
    """
    here = {str(ip) for ip in addresses(interface)}
    for one in holders():
        elsewhere = one.device not in ("", interface)
        other_address = one.ip not in ("0.0.0.0", "*") and one.ip not in here
        if elsewhere or other_address or is_dnsmasq(one.pid, ours):
            continue
        pid = f" (pid {one.pid})" if one.pid else ""
        service = "DHCP" if one.port == DHCP else "TFTP"
        return (
            f"{one.who}{pid} already holds the {service} port {one.port} on {interface}; "
            "stop it, or keep it off this interface"
        )
    return ""


def arguments(pid: int) -> tuple[str, ...]:
    """A process's arguments; empty when it is gone."""
    try:
        return tuple(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0"))
    except OSError:
        return ()


def is_dnsmasq(pid: int, argument: str) -> bool:
    """Whether a process is a dnsmasq that was started with this argument."""
    program, *rest = arguments(pid) or ("",)
    return program.rpartition("/")[2] == "dnsmasq" and argument in rest


def find_dnsmasq(argument: str) -> int:
    """The dnsmasq that was started with this argument; 0 when there is none."""
    with os.scandir("/proc") as entries:
        pids = (int(entry.name) for entry in entries if entry.name.isdecimal())
        return next((pid for pid in pids if is_dnsmasq(pid, argument)), 0)


@dataclass(frozen=True, slots=True)
class _Socket:
    ip: IPv4Address
    port: int
    waiting: int
    inode: str


def silent(pid: int) -> str:
    """What is wrong with a dnsmasq's answering, within a second; empty when it answers.

    It must hold both ports. Then each of its TFTP sockets gets one byte, which is no request
    and is not logged; a dnsmasq that runs takes it at once.
    """
    mine = _sockets(pid)
    if not any(s.port == DHCP for s in mine):
        return "it does not listen for DHCP"
    listening = [s for s in mine if s.port == TFTP]
    if not listening:
        return "it does not listen for TFTP"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        probe.setblocking(False)
        for one in listening:
            with suppress(OSError):
                probe.sendto(b"\0", (str(one.ip), TFTP))
    deadline = time.monotonic() + _ANSWER
    while any(s.waiting and s.port == TFTP for s in _sockets(pid)):
        if time.monotonic() >= deadline:
            return f"it has not taken a packet for {_ANSWER:g} s"
        time.sleep(0.01)
    return ""


def _sockets(pid: int) -> list[_Socket]:
    """The UDP sockets of one process. Raises OSError when it is gone."""
    inodes = set()
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                inodes.add(os.readlink(entry.path))
    table = Path(f"/proc/{pid}/net/udp").read_text(encoding="ascii").splitlines()[1:]
    found = (_socket(line) for line in table)
    return [s for s in found if f"socket:[{s.inode}]" in inodes]


def _socket(line: str) -> _Socket:
    fields = line.split()
    ip, port = fields[1].split(":")
    raw = int(ip, 16).to_bytes(4, sys.byteorder)
    return _Socket(IPv4Address(raw), int(port, 16), int(fields[4].split(":")[1], 16), fields[9])
