"""dnsmasq's main configuration: one value, its text, and an independent reader of that text.

dnsmasq's own check sees syntax only: it accepts a host ``10.77.0.300`` or an injected script.
So what may stand here is decided here, twice: every value is checked before it is written, and
the text is read back by a second, stricter parser and must mean the same value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from sbctui.engine.boot.pi import VENDOR as PI_VENDOR
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.settings import Settings
from sbctui.engine.services import dnsmasq_firmware as firmware

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
    "dhcp-ignore=tag:!known",
    "dhcp-ignore-names",
    "dhcp-mac=set:pi3,b8:27:eb:*:*:*",
    *(f"dhcp-mac=set:pi,{half}:*:*:*" for half in PI_VENDOR),
    *(f"dhcp-match=set:pi,97,{start}" for start in ("00:52:50:69", "00:44:44:44:44")),
    'pxe-service=tag:pi3,0,"Raspberry Pi Boot   "',
    'pxe-service=tag:pi,tag:!pi3,0,"Raspberry Pi Boot"',
    "dhcp-match=set:bios,option:client-arch,0",
    "tag-if=set:pc,tag:bios,tag:!pi",
    "dhcp-match=set:ipxe,175",
    *(f"{key}={value}" for key, value in firmware.matches()),
    "enable-tftp",
    "tftp-unique-root=mac",
    f"tftp-max={TRANSFERS}",
    "log-dhcp",
)
"""No DNS; answers on the named interfaces only, and only to known boards, none of whose names or
scripts are taken from the wire. A Pi wants its words in option 43, the first Pi 3 with three
spaces behind them; it is known by its MAC or by what its machine id (option 97) begins with:
``RPi``, or in the ROM of a Pi 3 its 44. A PC would take those words for an order to boot from its
own disk."""


@dataclass(frozen=True, slots=True)
class Served:
    """One subnet, and the server its boards are told to boot from.

    Without ``server`` dnsmasq tells its own address there, and nobody boots by HTTP: that wants
    a whole URL.
    """

    network: IPv4Network
    server: IPv4Address | None = None


@dataclass(frozen=True, slots=True)
class DnsmasqConfig:
    """Everything that differs between two sites. Paths are absolute; seconds are seconds.

    ``lease_seconds`` is 0 in a proxy: there another server gives the addresses, and only PXE
    clients are told what to boot. ``http``: UEFI's HTTP boot is told where our server has its file.
    """

    interfaces: tuple[str, ...]
    served: tuple[Served, ...]
    lease_seconds: int
    reply_delay: int
    http: bool
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
        if not network.segments:
            raise Refused("DHCP wants an interface and a subnet; set them with: sbctui site init")
        return cls(
            interfaces=network.interfaces,
            served=tuple(Served(one.subnet, one.server) for one in network.segments),
            lease_seconds=0 if network.dhcp == "proxy" else network.lease_seconds,
            reply_delay=network.reply_delay,
            http=network.http and network.dhcp == "serve",
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
    lines = (
        *_FIXED,
        *(f"{key}={value}" if value else key for key, value in _repeated(config)),
        f"dhcp-reply-delay={config.reply_delay}",
        f"dhcp-lease-max={_lease_max(config)}",
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


def _repeated(config: DnsmasqConfig) -> Iterator[tuple[str, str]]:
    """The lines of which there may be several or none, as key and value."""
    for interface in config.interfaces:
        yield "interface", interface
    if config.lease_seconds:
        yield "dhcp-authoritative", ""
    yield from firmware.matches_by_http() if config.http else ()
    for number, one in enumerate(config.served):
        net = f"net{number}"
        yield _range_of(net, one, config.lease_seconds)
        yield from firmware.files(net, one.server, http=config.http)
        if one.server:
            yield "dhcp-option-force", f"tag:{net},66,{one.server}"


def _range_of(tag: str, one: Served, seconds: int) -> tuple[str, str]:
    how = f"static,{one.network.netmask},{seconds}" if seconds else f"proxy,{one.network.netmask}"
    return "dhcp-range", f"set:{tag},{one.network.network_address},{how}"


def parse(data: bytes) -> DnsmasqConfig:
    """The value a text stands for. Raises BadInput for any line that ``render`` can't write."""
    found: dict[str, str] = {}
    fixed: list[str] = []
    repeated: list[tuple[str, str]] = []
    text = data.decode("utf-8", errors="strict") if _is_text(data) else ""
    if not text.endswith("\n"):
        raise BadInput("dnsmasq's configuration is cut off or is no text")
    for line in text[:-1].split("\n"):
        key, _, value = line.partition("=")
        if line in _FIXED:
            fixed.append(line)
        elif key in _REPEATED:
            repeated.append((key, value))
        elif key in _READ and key not in found:
            found[key] = value
        else:
            raise BadInput(f"{shown(line)} has no place in dnsmasq's configuration")
    if tuple(fixed) != _FIXED or found.keys() != set(_READ):
        raise BadInput("dnsmasq's configuration lacks lines")
    config = _read(found, repeated)
    _check(config)
    told = {"dhcp-lease-max": _lease_max(config), "dhcp-reply-delay": config.reply_delay}
    numbers = all(found[key] == str(number) for key, number in told.items())
    if not numbers or [*_repeated(config)] != repeated:
        raise BadInput("dnsmasq's configuration has lines that don't agree")
    return config


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_REPEATED = (
    "interface",
    "dhcp-authoritative",
    "dhcp-match",
    "dhcp-range",
    "dhcp-boot",
    "dhcp-option-force",
)
_READ = (
    "dhcp-reply-delay",
    "dhcp-lease-max",
    "dhcp-hostsdir",
    "dhcp-leasefile",
    "tftp-root",
    "log-facility",
    "pid-file",
    "user",
    "group",
)


def _read(found: dict[str, str], repeated: list[tuple[str, str]]) -> DnsmasqConfig:
    try:
        ranges = [_range(value) for key, value in repeated if key == "dhcp-range"]
        boots = [value.split(",") for key, value in repeated if key == "dhcp-boot"]
        servers = {words[0]: words[-1] for words in boots if words[-2:-1] == [""]}
        return DnsmasqConfig(
            interfaces=tuple(value for key, value in repeated if key == "interface"),
            served=tuple(
                Served(network, IPv4Address(servers[tag]) if tag in servers else None)
                for tag, network, _ in ranges
            ),
            lease_seconds=max((seconds for _, _, seconds in ranges), default=0),
            reply_delay=int(found["dhcp-reply-delay"]),
            http=any(key == "dhcp-match" for key, _ in repeated),
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


def _range(text: str) -> tuple[str, IPv4Network, int]:
    """A range's tag as a boot line names it, its subnet, and its seconds; 0 in a proxy."""
    tag, start, how, mask, *seconds = text.split(",")
    if len(seconds) != (how == "static"):
        raise ValueError("unknown form")
    network = IPv4Network((start, mask))
    return tag.replace("set:", "tag:", 1), network, int(seconds[0]) if seconds else 0


def _lease_max(config: DnsmasqConfig) -> int:
    return min(sum(one.network.num_addresses for one in config.served), _MOST_LEASES)


def _check(config: DnsmasqConfig) -> None:
    for interface in config.interfaces:
        if not _INTERFACE.fullmatch(interface) or interface == "lo":
            raise BadInput(f"{shown(interface)} is not an interface name; 'ip link' lists them")
    if not config.interfaces or not config.served:
        raise BadInput("DHCP wants an interface and a subnet")
    for one in config.served:
        if not 8 <= one.network.prefixlen <= 30:
            raise BadInput(f"{one.network} is no lab's subnet; use a prefix from /8 to /30")
        if one.server is not None and one.server not in one.network:
            raise BadInput(f"the server's address {one.server} is outside {one.network}")
    if config.lease_seconds and not 120 <= config.lease_seconds <= 30 * 86400:
        raise BadInput(f"leases of {config.lease_seconds} s; use 120 to {30 * 86400}")
    if not 0 <= config.reply_delay <= 60:
        raise BadInput(f"an answer {config.reply_delay} s late; use 0 to 60")
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
