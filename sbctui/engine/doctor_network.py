"""What ``doctor`` says of this machine's interfaces and ports."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import psutil

from sbctui.engine.doctor_check import Check, Verdict, as_root
from sbctui.engine.model.settings import Network, is_host
from sbctui.engine.model.text import clean
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.http_server import PORT as HTTP_PORT


def interface(network: Network) -> list[Check]:
    """Every interface that boards are on."""
    if not network.interface:
        detail = "no interface is set: DHCP and TFTP stay off, disks are served"
        remedy = "sbctui site init --interface IF --subnet CIDR --pool A-B"
        return [Check("interface", "warn", detail, remedy)]
    found = _reached(network.interface, network.subnet, network.server)
    for one in network.more:
        found += _reached(one.interface, one.subnet, one.server)
    return [*found, *([_PROXY] if network.dhcp == "proxy" else [])]


_PROXY = Check(
    "dhcp",
    "ok",
    "a proxy: another server gives the addresses, which must be those of the nodes; U-Boot takes "
    "nothing from a proxy",
    "give each board its node's address there by a reservation; for U-Boot name this machine as "
    "next server and boot.scr.uimg as the file",
)


def _reached(name: str, subnet: IPv4Network | None, wanted: IPv4Address | None) -> list[Check]:
    """Whether an interface is up with this machine's address in its subnet."""
    state = psutil.net_if_stats().get(name)
    if state is None:
        detail = (
            f"there is no interface {name} (there are {', '.join(sorted(psutil.net_if_stats()))})"
        )
        return [Check("interface", "bad", detail, "set network.interface in site.toml")]
    if not state.isup:
        return [Check("interface", "bad", f"{name} is down", as_root(f"ip link set {name} up"))]
    addresses = [
        IPv4Address(address.address)
        for address in psutil.net_if_addrs().get(name, [])
        if address.family == socket.AF_INET
    ]
    good = [a for a in addresses if (a == wanted if wanted else subnet and is_host(subnet, a))]
    if good:
        return [Check("interface", "ok", f"{name} is up with {good[0]}")]
    has = ", ".join(map(str, addresses)) or "none"
    address = wanted or (next(subnet.hosts()) if subnet else "ADDRESS")
    prefix = subnet.prefixlen if subnet else 24
    detail = f"{name} has no address {wanted or f'in {subnet}'} (it has: {has})"
    return [
        Check("interface", "bad", detail, as_root(f"ip address add {address}/{prefix} dev {name}"))
    ]


def ports(network: Network, site: Path | None) -> list[Check]:
    """The ports that the daemons want: free, ours, or whose."""
    ours = {s.pid for s in SiteControl(site).status() if s.pid} if site is not None else set()
    held = _listeners()
    wanted = [("tcp", network.nbd_port, "NBD", "bad")]
    if network.interface or site is None:
        wanted[:0] = [("udp", 67, "DHCP", "warn"), ("udp", 69, "TFTP", "warn")]
    if network.http:
        wanted.append(("tcp", HTTP_PORT, "HTTP", "bad"))
    return [_port(*want, held=held, ours=ours) for want in wanted]  # type: ignore[arg-type]


def _listeners() -> dict[tuple[str, int], int | None]:
    """(protocol, port) → the process that listens there; None when we may not know."""
    found: dict[tuple[str, int], int | None] = {}
    for kind in ("tcp", "udp"):
        for connection in psutil.net_connections(kind):
            listening = kind == "udp" or connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr:
                key = (kind, connection.laddr.port)
                found[key] = found.get(key) or connection.pid
    return found


def _port(
    protocol: str,
    number: int,
    use: str,
    worst: Verdict,
    *,
    held: dict[tuple[str, int], int | None],
    ours: set[int],
) -> Check:
    name = f"port {number}"
    if (protocol, number) not in held:
        return Check(name, "ok", f"{protocol}/{number} ({use}) is free")
    pid = held[protocol, number]
    if pid in ours:
        return Check(name, "ok", f"{protocol}/{number} ({use}) is served by us, process {pid}")
    if pid is None:
        remedy = as_root(f"ss -lnp{protocol[0]} sport = :{number}")
        return Check(name, worst, f"{protocol}/{number} ({use}) is taken by another user's", remedy)
    program = clean(psutil.Process(pid).name())
    detail = f"{protocol}/{number} ({use}) is taken by {program}, process {pid}"
    return Check(name, worst, detail, f"end it, or see what it is: ps -fp {pid}")
