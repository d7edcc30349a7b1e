"""``site.toml``: what the admin chose for the whole site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import Ip, parse_name, parse_network, shown
from sbctui.engine.model.repositories import Repositories


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_network(value)
        except BadInput as error:
            raise ValueError(str(error)) from None
    return value


def _interface(value: str) -> str:
    if value and not (len(value) <= 15 and value.replace("-", "").replace(".", "").isalnum()):
        raise ValueError(f"{shown(value)} is not an interface name; 'ip link' lists them")
    return value


_PATTERN = re.compile(r"[A-Za-z0-9 ._,:+()/?*-]{1,64}")
_ARGUMENTS = re.compile(r"[A-Za-z0-9 ,.:=/_@%+~!*()\[\]-]*")


def parse_kernel_arguments(text: str) -> str:
    """Words for the kernel's command line that no boot loader's shell reads as its own."""
    if not _ARGUMENTS.fullmatch(text):
        raise BadInput(
            f"{shown(text)} can't stand on a kernel's command line here; use letters, digits, "
            "spaces and , . : = / _ @ % + ~ ! * ( ) [ ] -"
        )
    return text


def _kernel_arguments(value: str) -> str:
    try:
        return parse_kernel_arguments(value)
    except BadInput as error:
        raise ValueError(str(error)) from None


def parse_pattern(text: str) -> str:
    """A board model, or a pattern with ``*`` and ``?`` for many; compared without case."""
    if not _PATTERN.fullmatch(text) or text != text.strip():
        raise BadInput(
            f"{shown(text)} is no board model; write it as boards are listed, as "
            "'Raspberry Pi 4*', at most 64 characters"
        )
    return text


def _models(value: Mapping[str, str]) -> Mapping[str, str]:
    try:
        return {parse_pattern(pattern): parse_name(root) for pattern, root in value.items()}
    except BadInput as error:
        raise ValueError(str(error)) from None


def _images(value: str) -> str:
    if value and not (value.startswith("/") and value.isprintable()):
        raise ValueError(f"{shown(value)} is no folder's full path, as /srv/images")
    return value


Models = Annotated[dict[str, str], AfterValidator(_models)]
Images = Annotated[str, AfterValidator(_images)]
Subnet = Annotated[IPv4Network, BeforeValidator(_network)]
Interface = Annotated[str, AfterValidator(_interface)]
KernelArguments = Annotated[str, AfterValidator(_kernel_arguments)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pool(_Section):
    """The addresses that rules 3 and 4 of S0.12 draw from, first and last included."""

    first: Ip
    last: Ip

    def __contains__(self, ip: IPv4Address) -> bool:
        return self.first <= ip <= self.last

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1


class Lot(NamedTuple):
    """A subnet to draw addresses from, by the name that it is asked for by."""

    name: str
    subnet: IPv4Network
    pool: Pool | None


class Segment(_Section):
    """One more subnet with boards on it; without a pool its addresses are given by hand."""

    interface: Interface = Field(min_length=1)
    subnet: Subnet
    server: Ip | None = None
    pool: Pool | None = None

    @model_validator(mode="after")
    def _agree(self) -> Segment:
        _no_stranger({"server": self.server}, self.subnet)
        if self.pool is not None:
            _whole(self.pool, self.subnet)
        return self

    def is_host(self, ip: IPv4Address) -> bool:
        """In the subnet, and neither its network nor its broadcast address."""
        return is_host(self.subnet, ip)


class Network(_Section):
    """Where the boards are. Without an interface DHCP and TFTP never start.

    ``dhcp`` is ``serve`` where boards get their addresses from here, and ``proxy`` beside a DHCP
    server of the site, which then gives them. ``reply_delay`` (seconds) makes DHCP answer late,
    for old boot ROMs that miss the first answer. ``http`` serves boot files by HTTP too.
    ``more`` are further subnets.
    """

    interface: Interface = ""
    subnet: Subnet | None = None
    pool: Pool | None = None
    server: Ip | None = None
    dhcp: Literal["serve", "proxy"] = "serve"
    reply_delay: int = Field(default=0, ge=0, le=60)
    lease_seconds: int = Field(default=3600, ge=120, le=30 * 86400)
    nbd_port: int = Field(default=10809, ge=1, le=65535)
    http: bool = False
    more: tuple[Segment, ...] = Field(default=(), max_length=63)

    @model_validator(mode="after")
    def _agree(self) -> Network:
        if self.subnet is None:
            if self.pool is not None or self.server is not None:
                raise ValueError("a pool or server address wants a subnet: set network.subnet")
            if self.more:
                raise ValueError("more subnets want a first one: set network.subnet")
            return self
        _no_stranger({"server": self.server}, self.subnet)
        if self.pool is not None:
            _whole(self.pool, self.subnet)
        if self.more and not self.interface:
            raise ValueError("more subnets want a first interface: set network.interface")
        _no_overlap([self.subnet, *(one.subnet for one in self.more)])
        return self

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Every subnet that has an interface, the first one first."""
        if self.subnet is None or not self.interface:
            return ()
        first = Segment(interface=self.interface, subnet=self.subnet, server=self.server)
        return (first, *self.more)

    @property
    def lots(self) -> tuple[Lot, ...]:
        """Every subnet, the first one first: by its interface, or itself where that has several."""
        if self.subnet is None:
            return ()
        first = (self.interface, self.subnet, self.pool)
        all_ = [first, *((one.interface, one.subnet, one.pool) for one in self.more)]
        shared = Counter(interface for interface, *_ in all_)
        return tuple(
            Lot(interface if interface and shared[interface] == 1 else str(subnet), subnet, pool)
            for interface, subnet, pool in all_
        )

    def lot(self, name: str) -> Lot:
        """A subnet by its interface or by itself; the first one for an empty name.

        Raises BadInput for one that there is not, and for an interface that has several.
        """
        for one in self.lots:
            if name in ("", one.name, str(one.subnet)):
                return one
        there = ", ".join(f"{one.name} ({one.subnet})" for one in self.lots) or "none"
        raise BadInput(f"{shown(name)} is no network of this site; there are: {there}")

    @property
    def interfaces(self) -> tuple[str, ...]:
        """Their interfaces, each once."""
        return tuple(dict.fromkeys(one.interface for one in self.segments))

    @property
    def subnets(self) -> str:
        """Every subnet, as words for a sentence."""
        return " or ".join(str(one) for one in (self.subnet, *(m.subnet for m in self.more)))

    @property
    def servers(self) -> frozenset[IPv4Address]:
        """The addresses of this machine that the settings name."""
        named = (self.server, *(one.server for one in self.more))
        return frozenset(ip for ip in named if ip is not None)

    def is_host(self, ip: IPv4Address) -> bool:
        """In one of the subnets, and neither its network nor its broadcast address."""
        first = self.subnet is not None and is_host(self.subnet, ip)
        return first or any(one.is_host(ip) for one in self.more)

    def segment_of(self, ip: IPv4Address) -> Segment | None:
        """The subnet that an address is in; None when it is in none with an interface."""
        return next((one for one in self.segments if ip in one.subnet), None)

    def server_for(self, ip: IPv4Address | None) -> IPv4Address | None:
        """This machine's address for a board that has ``ip``; None when no setting says it."""
        for one in self.more:
            if ip is not None and ip in one.subnet:
                return one.server
        return self.server


def is_host(subnet: IPv4Network, ip: IPv4Address) -> bool:
    """In the subnet, and neither its network nor its broadcast address."""
    return ip in subnet and ip not in (subnet.network_address, subnet.broadcast_address)


def _whole(pool: Pool, subnet: IPv4Network) -> None:
    _no_stranger({"pool.first": pool.first, "pool.last": pool.last}, subnet)
    if pool.first > pool.last:
        raise ValueError(f"the pool ends at {pool.last}, before it begins")


def _no_stranger(hosts: dict[str, IPv4Address | None], subnet: IPv4Network) -> None:
    for label, ip in hosts.items():
        if ip is not None and not is_host(subnet, ip):
            raise ValueError(f"{label} {ip} is no host address of {subnet}")


def _no_overlap(subnets: list[IPv4Network]) -> None:
    for number, one in enumerate(subnets):
        for other in subnets[:number]:
            if one.overlaps(other):
                raise ValueError(f"the subnets {other} and {one} overlap; each wants its own")


class Personalise(_Section):
    """What makes forty clones forty machines; each can be switched off."""

    hostname: bool = True
    machine_id: bool = True
    ssh_host_key: bool = True
    filesystem_uuid: bool = False

    @property
    def what(self) -> tuple[str, ...]:
        """The names of what is switched on."""
        return tuple(name for name, on in self if on)


class Settings(_Section):
    """The whole of site.toml."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    network: Network = Network()
    disk_kind: Literal["auto", "reflink", "overlay", "copy"] = "auto"
    personalise: Personalise = Personalise()
    kernel_arguments: KernelArguments = ""
    ssh_user: str = Field(default="root", pattern=r"^[a-z_][a-z0-9_-]{0,31}$")
    drain_seconds: int = Field(default=30, ge=0, le=3600)
    trash_days: int = Field(default=14, ge=0, le=3650)
    images: Images = ""
    models: Models = {}
    repositories: Repositories = {}

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
