"""dnsmasq's main configuration: one value, its text, and an independent reader of that text.

dnsmasq's own check sees syntax only: it accepts a host ``10.77.0.300`` or an injected script.
So what may stand here is decided here, twice: every value is checked before it is written, and
the text is read back by a second, stricter parser and must mean the same value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.settings import Settings

BOOT_FILE = "boot.scr.uimg"
"""Named in every answer; U-Boot asks for it by this name whatever the answer says."""
TRANSFERS = 500
"""TFTP transfers at once."""
_MOST_LEASES = 100_000
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,14}", re.ASCII)
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f,"\'\\#]')
_PATH_BYTES = 800

_FIXED = (
    "port=0",
    "no-resolv",
    "no-hosts",
    "bind-dynamic",
    "except-interface=lo",
    "no-ping",
    "dhcp-authoritative",
    "dhcp-ignore=tag:!known",
    "dhcp-ignore-names",
    'pxe-service=0,"Raspberry Pi Boot"',
    "enable-tftp",
    "tftp-unique-root=mac",
    f"tftp-max={TRANSFERS}",
    "log-dhcp",
)
"""No DNS; answers on one interface only, and only to known boards, none of whose names or
scripts are taken from the wire."""


@dataclass(frozen=True, slots=True)
class DnsmasqConfig:
    """Everything that differs between two sites. Paths are absolute; seconds are seconds.

    ``server`` is what boards are told to boot from; None lets dnsmasq tell its own address.
    """

    interface: str
    network: IPv4Network
    server: IPv4Address | None
    lease_seconds: int
    hosts: Path
    tftp: Path
    leases: Path
    log: Path
    pid_file: Path
    user: str
    group: str

    @classmethod
    def of(cls, settings: Settings, site: Path, run: Path, user: str, group: str) -> DnsmasqConfig:
        """What a site's settings ask for. Raises Refused without an interface and a subnet."""
        network = settings.network
        if not network.interface or network.subnet is None:
            raise Refused("DHCP wants an interface and a subnet; set them with: sbctui site init")
        return cls(
            interface=network.interface,
            network=network.subnet,
            server=network.server,
            lease_seconds=network.lease_seconds,
            hosts=site / "derived" / "dnsmasq" / "hosts.d",
            tftp=site / "derived" / "tftp",
            leases=site / "state" / "dnsmasq.leases",
            log=site / "state" / "dnsmasq.log",
            pid_file=run / "dnsmasq.pid",
            user=user,
            group=group,
        )


def render(config: DnsmasqConfig) -> bytes:
    """The configuration's text. Raises BadInput for a value that can't safely stand in it."""
    _check(config)
    boot = f"{BOOT_FILE},,{config.server}" if config.server else BOOT_FILE
    network = config.network
    lines = (
        *_FIXED,
        f"interface={config.interface}",
        f"dhcp-range={network.network_address},static,{network.netmask},{config.lease_seconds}",
        f"dhcp-lease-max={_lease_max(network)}",
        f"dhcp-boot={boot}",
        f"dhcp-hostsdir={config.hosts}",
        f"dhcp-leasefile={config.leases}",
        f"tftp-root={config.tftp}",
        f"log-facility={config.log}",
        f"pid-file={config.pid_file}",
        f"user={config.user}",
        f"group={config.group}",
    )
    data = "".join(f"{line}\n" for line in lines).encode()
    if parse(data) != config:
        raise BadInput("the settings can't be written as dnsmasq's configuration without loss")
    return data


def parse(data: bytes) -> DnsmasqConfig:
    """The value a text stands for. Raises BadInput for any line that ``render`` can't write."""
    found: dict[str, str] = {}
    fixed: list[str] = []
    text = data.decode("utf-8", errors="strict") if _is_text(data) else ""
    if not text.endswith("\n"):
        raise BadInput("dnsmasq's configuration is cut off or is no text")
    for line in text[:-1].split("\n"):
        key, _, value = line.partition("=")
        if line in _FIXED:
            fixed.append(line)
        elif key in _READ and key not in found:
            found[key] = value
        else:
            raise BadInput(f"{shown(line)} has no place in dnsmasq's configuration")
    if tuple(fixed) != _FIXED or found.keys() != set(_READ):
        raise BadInput("dnsmasq's configuration lacks lines")
    config = _read(found)
    _check(config)
    return config


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_READ = (
    "interface",
    "dhcp-range",
    "dhcp-lease-max",
    "dhcp-boot",
    "dhcp-hostsdir",
    "dhcp-leasefile",
    "tftp-root",
    "log-facility",
    "pid-file",
    "user",
    "group",
)


def _read(found: dict[str, str]) -> DnsmasqConfig:
    try:
        start, static, mask, seconds = found["dhcp-range"].split(",")
        name, *rest = found["dhcp-boot"].split(",")
        network = IPv4Network((start, mask))
        if static != "static" or name != BOOT_FILE or len(rest) not in (0, 2) or "".join(rest[:1]):
            raise ValueError("unknown form")
        if found["dhcp-lease-max"] != str(_lease_max(network)) or seconds != str(int(seconds)):
            raise ValueError("unknown number")
        return DnsmasqConfig(
            interface=found["interface"],
            network=network,
            server=IPv4Address(rest[1]) if rest else None,
            lease_seconds=int(seconds),
            hosts=Path(found["dhcp-hostsdir"]),
            tftp=Path(found["tftp-root"]),
            leases=Path(found["dhcp-leasefile"]),
            log=Path(found["log-facility"]),
            pid_file=Path(found["pid-file"]),
            user=found["user"],
            group=found["group"],
        )
    except ValueError as error:
        raise BadInput(f"dnsmasq's configuration can't be read back: {error}") from None


def _lease_max(network: IPv4Network) -> int:
    return min(network.num_addresses, _MOST_LEASES)


def _check(config: DnsmasqConfig) -> None:
    if not _INTERFACE.fullmatch(config.interface) or config.interface == "lo":
        raise BadInput(f"{shown(config.interface)} is not an interface name; 'ip link' lists them")
    if not 8 <= config.network.prefixlen <= 30:
        raise BadInput(f"{config.network} is no lab's subnet; use a prefix from /8 to /30")
    if config.server is not None and config.server not in config.network:
        raise BadInput(f"the server's address {config.server} is outside {config.network}")
    if not 120 <= config.lease_seconds <= 30 * 86400:
        raise BadInput(f"leases of {config.lease_seconds} s; use 120 to {30 * 86400}")
    for account in (config.user, config.group):
        if not _ACCOUNT.fullmatch(account):
            raise BadInput(f"{shown(account)} can't be the user or group of dnsmasq")
    for path in (config.hosts, config.tftp, config.leases, config.log, config.pid_file):
        _check_path(path)


def _check_path(path: Path) -> None:
    text = str(path)
    encodable = not any(0xD800 <= ord(c) <= 0xDFFF for c in text)
    plain = text.isprintable() and not _UNSAFE.search(text) and text.strip() == text
    if not (path.is_absolute() and encodable and plain and ".." not in path.parts):
        raise BadInput(
            f"dnsmasq can't use the path {shown(text)}; "
            "move the site to one without commas, quotes, '#' and control characters"
        )
    if len(text.encode()) > _PATH_BYTES:
        raise BadInput(f"the path {shown(text)} is too long for dnsmasq; move the site")
