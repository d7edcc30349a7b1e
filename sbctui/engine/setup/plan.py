"""What setting up would do: a pure function of what is wished for and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from sbctui.engine.errors import BadInput, NotASite, NotPermitted, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.settings import Network, Settings
from sbctui.engine.places import SERVICE_USER

Kind = Literal["user", "site", "network", "unit", "start"]
SiteFound = Literal["site", "missing", "empty", "other"]
_SMALLEST = 8
"""Addresses of a subnet in which boards have room."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for; what is None follows from the interface's own address."""

    site: Path
    interface: str
    subnet: IPv4Network | None = None
    pool: tuple[IPv4Address, IPv4Address] | None = None
    server: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The machine as it is.

    ``linked``: the interface has a link. ``strangers`` are DHCP servers that answer on it, None
    where nobody could be asked. ``taken`` says which program here holds our ports. ``unit`` is
    the state of the site's unit, empty without systemd.
    """

    root: bool
    interfaces: tuple[str, ...]
    up: bool = False
    linked: bool = True
    addresses: tuple[IPv4Interface, ...] = ()
    strangers: tuple[IPv4Address, ...] | None = None
    taken: str = ""
    missing: tuple[str, ...] = ()
    user: bool = False
    site: SiteFound = "missing"
    settings: Settings = field(default_factory=Settings)
    unit: str = ""
    unit_path: str = ""
    serving: bool = False
    dropins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, in words."""

    kind: Kind
    title: str


@dataclass(frozen=True, slots=True)
class Setup:
    """All of it. ``settings`` are the site's afterwards; no steps: all is as wished."""

    wish: Wish
    settings: Settings
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        """In one line."""
        return f"serve boards on {self.wish.interface} from the site {self.wish.site}"

    def has(self, kind: Kind) -> bool:
        """Whether such a step is among them."""
        return any(step.kind == kind for step in self.steps)


def plan(wish: Wish, found: Found, *, dry: bool = False) -> Setup:
    """The steps. Raises Refused, NotASite, NotPermitted, BadInput, each with the remedy.

    A ``dry`` one may be made by anybody.
    """
    if not found.root and not dry:
        raise NotPermitted("setting up a server is root's business; run with sudo, or --dry-run")
    if found.missing:
        raise Refused(f"programs are missing: apt-get install {' '.join(found.missing)}")
    if found.site == "other":
        raise NotASite(f"{wish.site} is not empty and is no site; name another with --site")
    _interface(wish, found)
    settings = _settings(wish, found)
    _alone(wish, found)
    if found.unit == "foreign":
        raise Refused(
            f"{found.unit_path} is there and was not written by sbctui; move it away first"
        )
    return Setup(wish, settings, tuple(_steps(wish, found, settings)), tuple(_notes(found)))


def _interface(wish: Wish, found: Found) -> None:
    name = wish.interface
    if name not in found.interfaces:
        there = ", ".join(found.interfaces) or "none"
        raise Refused(f"there is no interface {shown(name)}; there are: {there}")
    if not found.up:
        raise Refused(f"{name} is down; bring it up with: ip link set {name} up")


def _settings(wish: Wish, found: Found) -> Settings:
    own = _own(wish, found)
    subnet = wish.subnet or own.network
    if subnet.num_addresses < _SMALLEST:
        raise Refused(f"{subnet} has no room for boards; give --subnet")
    before = found.settings.network
    same = before.subnet == subnet
    first, last = wish.pool or (
        (before.pool.first, before.pool.last) if same and before.pool else usual_pool(subnet)
    )
    network = {
        **before.model_dump(),
        "interface": wish.interface,
        "subnet": subnet,
        "server": own.ip,
        "pool": {"first": first, "last": last},
    }
    try:
        made = Network.model_validate(network)
    except ValidationError as error:
        raise BadInput(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return found.settings.model_copy(update={"network": made})


def _own(wish: Wish, found: Found) -> IPv4Interface:
    """The address that boards reach this machine by. Raises Refused, saying how to get one."""
    name = wish.interface
    fitting = [a for a in found.addresses if wish.subnet is None or a.ip in wish.subnet]
    if wish.server is not None:
        fitting = [a for a in fitting if a.ip == wish.server]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        all_ = ", ".join(map(str, fitting))
        raise Refused(f"{name} has several addresses ({all_}); say which with --server")
    subnet = wish.subnet or IPv4Network("10.77.0.0/24")
    address = f"{wish.server or next(subnet.hosts())}/{subnet.prefixlen}"
    has = ", ".join(map(str, found.addresses)) or "none"
    inside = f"address in {wish.subnet}" if wish.subnet else "address"
    wanted = f"address {wish.server}" if wish.server else inside
    raise Refused(
        f"{name} has no {wanted} (it has: {has}); give it one: ip address add {address} dev "
        f"{name}, and for every start of the machine in its network configuration "
        "(interfaces(5), systemd.network(5), nmcli)"
    )


def usual_pool(subnet: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """The addresses for boards where none are named: the lower fifth is left to others."""
    size = subnet.num_addresses
    return subnet[max(2, size // 5)], subnet[size - 2 - size // 50]


def _alone(wish: Wish, found: Found) -> None:
    """Two DHCP servers on one network: each board gets whichever is faster."""
    if found.strangers:
        who = ", ".join(map(str, found.strangers))
        raise Refused(
            f"another DHCP server answers on {wish.interface}: {who}; boards would get their "
            "address from whichever is faster. Take it off this network, or give boards a "
            "network of their own"
        )
    if found.taken:
        raise Refused(found.taken)


def _steps(wish: Wish, found: Found, settings: Settings) -> Iterator[Step]:
    net = settings.network
    assert net.pool is not None
    shown_ = (
        f"interface {net.interface}, subnet {net.subnet}, pool {net.pool.first}-"
        f"{net.pool.last}, server {net.server}"
    )
    if found.site != "site":
        if not found.user:
            yield Step("user", f"make the system user and group {SERVICE_USER}")
        yield Step("site", f"make the site {wish.site}, owned by {SERVICE_USER}: {shown_}")
    elif settings != found.settings:
        yield Step("network", f"change the network of the site {wish.site}: {shown_}")
    if found.unit in ("missing", "older"):
        doing = "install" if found.unit == "missing" else "renew"
        yield Step("unit", f"{doing} and enable {found.unit_path}")
    if not found.serving:
        by = "by systemd" if found.unit else "now"
        yield Step("start", f"start the services {by}: DHCP, TFTP, NBD on {net.server}")


def _notes(found: Found) -> Iterator[str]:
    if not found.linked:
        yield "the interface has no link now: is its cable in?"
    if found.strangers is None:
        yield "the network was not asked for other DHCP servers: only root may"
    if not found.unit:
        yield ("there is no systemd here: after a start of the machine the services have to be "
               "started with: sbctui services start")  # fmt: skip
    if found.dropins:
        yield f"drop-ins of the unit stay as they are: {', '.join(found.dropins)}"
