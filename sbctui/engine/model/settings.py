"""``site.toml``: what the admin chose for the whole site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import Ip, parse_name, parse_network, shown


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


class Network(_Section):
    """Where the boards are. Without an interface DHCP and TFTP never start."""

    interface: Interface = ""
    subnet: Subnet | None = None
    pool: Pool | None = None
    server: Ip | None = None
    lease_seconds: int = Field(default=3600, ge=120, le=30 * 86400)
    nbd_port: int = Field(default=10809, ge=1, le=65535)

    @model_validator(mode="after")
    def _agree(self) -> Network:
        if self.subnet is None:
            if self.pool is not None or self.server is not None:
                raise ValueError("a pool or server address wants a subnet: set network.subnet")
            return self
        hosts: dict[str, IPv4Address | None] = {"server": self.server}
        if self.pool is not None:
            hosts |= {"pool.first": self.pool.first, "pool.last": self.pool.last}
        for label, ip in hosts.items():
            if ip is not None and not self.is_host(ip):
                raise ValueError(f"{label} {ip} is no host address of {self.subnet}")
        if self.pool is not None and self.pool.first > self.pool.last:
            raise ValueError(f"the pool ends at {self.pool.last}, before it begins")
        return self

    def is_host(self, ip: IPv4Address) -> bool:
        """In the subnet, and neither its network nor its broadcast address."""
        subnet = self.subnet
        return (
            subnet is not None
            and ip in subnet
            and ip not in (subnet.network_address, subnet.broadcast_address)
        )


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

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
