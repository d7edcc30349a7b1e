"""What must never reach dnsmasq: its own check would let nearly all of it pass."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.dnsmasq_config import DnsmasqConfig, Served, parse, render
from sbctui.engine.services.hosts import HostsDir, hosts_dir, render_host
from sbctui.engine.services.port import Host, Status

GOOD = Host("dc:a6:32:01:02:03", IPv4Address("10.77.0.60"), "pi-07")
CONFIG = DnsmasqConfig(
    interfaces=("lab0",),
    served=(Served(IPv4Network("10.77.0.0/24"), IPv4Address("10.77.0.1")),),
    lease_seconds=3600,
    reply_delay=0,
    http=True,
    hosts=Path("/srv/lab/derived/dnsmasq/hosts.d"),
    tftp=Path("/srv/lab/derived/tftp"),
    leases=Path("/srv/lab/state/dnsmasq.leases"),
    log=Path("/srv/lab/state/dnsmasq.log"),
    pid_file=Path("/run/sbctui/0123456789ab/dnsmasq.pid"),
    user="sbctui",
    group="sbctui",
)
LINE = "/x\ndhcp-script=/tmp/evil"

BAD_MACS = (
    "",
    "dc:a6:32:01:02",
    "dc:a6:32:01:02:03:04",
    "dc:a6:32:01:02:0g",
    "dc-a6-32-01-02-03",
    "dca632010203",
    "DC:A6:32:01:02:03",
    " dc:a6:32:01:02:03",
    "dc:a6:32:01:02:03\n",
    "dc:a6:32:01:02:03,ignore",
    "dc:a6:32:*:*:*",
    "*:*:*:*:*:*",
    "00:00:00:00:00:00",
    "ff:ff:ff:ff:ff:ff",
    "01:00:5e:00:00:01",
    "06-dc:a6:32:01:02:03",
    "id:dc:a6:32:01:02:03",
    "id:*",
    "set:known",
    "tag:lab",
    "#dc:a6:32:01:02:03",
    "dc:a6:32:01:02:03 # a comment",
    "../../etc/passwd",
    "\uff44\uff43:a6:32:01:02:03",
)
BAD_NAMES = (
    "",
    "-pi",
    "pi-",
    "Pi-07",
    "pi_07",
    "pi.lab",
    "pi 07",
    "pi,07",
    "pi,set:tag",
    "pi,ignore",
    "pi\ndhcp-script=/tmp/evil",
    "pi\r",
    "pi\x00",
    "pi\x1b[2J",
    "pi\u202e70",
    "pï",
    "../pi",
    "pi/07",
    'pi"',
    "pi'",
    "pi\\n",
    "#pi",
    "$(reboot)",
    "set:x",
    "p" * 64,
    "p" * 300,
    "dc-a6-32-01-02-03",
)
BAD_ADDRESSES: tuple[Any, ...] = (
    "10.77.0.300",
    "10.77.0",
    "10.77.0.60,pi",
    "10.77.0.60\nport=53",
    "::1",
    "",
    None,
    0,
)
BAD_CONFIGS: tuple[dict[str, Any], ...] = (
    {"interfaces": ("",)},
    {"interfaces": ("lo",)},
    {"interfaces": ("lab0,eth0",)},
    {"interfaces": ("lab0\ndhcp-script=/tmp/evil",)},
    {"interfaces": ("lab*",)},
    {"interfaces": ("a-name-of-16-char",)},
    {"interfaces": ("../lab0",)},
    {"interfaces": ("läb0",)},
    {"interfaces": ()},
    {"served": ()},
    {"served": (Served(IPv4Network("10.77.0.0/24"), IPv4Address("10.78.0.1")),)},
    {"served": (Served(IPv4Network("10.77.0.0/31")),)},
    {"served": (Served(IPv4Network("0.0.0.0/0")),)},
    {"lease_seconds": 5},
    {"reply_delay": -1},
    {"reply_delay": 3600},
    {"lease_seconds": -1},
    {"lease_seconds": 10**9},
    {"user": "root\ndhcp-script=/tmp/evil"},
    {"user": ""},
    {"user": "sbc tui"},
    {"group": "sbctui,root"},
    {"hosts": Path("relative/hosts.d")},
    {"hosts": Path("/srv/../etc/hosts.d")},
    {"hosts": Path("/srv/lab" + LINE)},
    {"tftp": Path("/srv/lab,eth0")},
    {"tftp": Path("/srv/lab # tftp")},
    {"leases": Path('/srv/"lab"/leases')},
    {"log": Path("/srv/lab\\log")},
    {"log": Path("/srv/lab\u2028log")},
    {"pid_file": Path("/run/\udcff/pid")},
    {"pid_file": Path("/run/" + "x" * 900)},
)
BAD_NETWORKS: tuple[dict[str, Any], ...] = (
    {"interface": "lab0", "subnet": "10.77.0.0/33"},
    {"interface": "lab0", "subnet": "10.77.0.5/24"},
    {"interface": "lab0", "subnet": "10.77.0.0/24\nport=53"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "server": "10.77.0.300"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "server": "10.77.0.255"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "server": "10.78.0.1"},
    {"interface": "lab0 eth0", "subnet": "10.77.0.0/24"},
    {"interface": "lab0\n", "subnet": "10.77.0.0/24"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "lease_seconds": 5},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "dhcp_script": "/tmp/evil"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "dhcp": "relay"},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "reply_delay": 61},
    {"interface": "lab0", "subnet": "10.77.0.0/24", "more": [{"interface": "lab1"}]},
    {
        "interface": "lab0",
        "subnet": "10.77.0.0/24",
        "more": [{"interface": "lab1", "subnet": "10.77.0.128/25"}],
    },
    {
        "interface": "lab0",
        "subnet": "10.77.0.0/24",
        "more": [{"interface": "", "subnet": "10.78.0.0/24"}],
    },
    {
        "interface": "lab0",
        "subnet": "10.77.0.0/24",
        "more": [{"interface": "lab1", "subnet": "10.78.0.0/24", "server": "10.77.0.1"}],
    },
    {"interface": "lab0", "more": [{"interface": "lab1", "subnet": "10.78.0.0/24"}]},
)


def bad_hosts() -> list[Host]:
    return [
        *(replace(GOOD, mac=mac) for mac in BAD_MACS),
        *(replace(GOOD, hostname=name) for name in BAD_NAMES),
        *(replace(GOOD, ip=ip) for ip in BAD_ADDRESSES),
    ]


@pytest.mark.parametrize("host", bad_hosts(), ids=ascii)
def test_no_bad_host_becomes_a_line(host: Host) -> None:
    with pytest.raises(BadInput) as caught:
        render_host(host)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_good_host_is_one_plain_line() -> None:
    assert render_host(GOOD) == b"dc:a6:32:01:02:03,10.77.0.60,pi-07\n"


@pytest.mark.parametrize("name", ["ignore", "infinite", "3600", "12h", "7d", "45m", "90s", "2w"])
def test_a_name_that_dnsmasq_takes_for_something_else_is_left_out(name: str) -> None:
    assert render_host(replace(GOOD, hostname=name)) == b"dc:a6:32:01:02:03,10.77.0.60\n"


@pytest.mark.parametrize("change", BAD_CONFIGS, ids=ascii)
def test_no_bad_value_becomes_configuration(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as caught:
        render(replace(CONFIG, **change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("network", BAD_NETWORKS, ids=ascii)
def test_no_bad_setting_passes_the_border(network: dict[str, Any]) -> None:
    def configured() -> bytes:
        settings = Settings.model_validate({"network": network})
        return render(DnsmasqConfig.of(settings, Path("/srv/lab"), Path("/run/x"), "root", "root"))

    with pytest.raises((ValidationError, BadInput)):
        configured()


def test_the_text_means_what_the_value_says() -> None:
    wide = Served(IPv4Network("172.16.0.0/12"))
    for change in (
        {},
        {"served": (wide,)},
        {"lease_seconds": 0},
        {"reply_delay": 2},
        {"http": False},
        {"interfaces": ("lab0", "lab1"), "served": (*CONFIG.served, wide)},
    ):
        config = replace(CONFIG, **change)
        assert parse(render(config)) == config


@pytest.mark.parametrize(
    "tampered",
    [
        lambda t: t + "dhcp-script=/tmp/evil\n",
        lambda t: t + "conf-file=/tmp/evil\n",
        lambda t: t + "dhcp-boot=evil.efi\n",
        lambda t: t.replace("tag:!ipxe,tag:x64", "tag:x64"),
        lambda t: t.replace("66,10.77.0.1", "66,10.78.0.1"),
        lambda t: t.replace("dhcp-authoritative\n", ""),
        lambda t: t.replace("dhcp-reply-delay=0", "dhcp-reply-delay=٠"),
        lambda t: t + "dhcp-host=dc:a6:32:01:02:03,10.77.0.300\n",
        lambda t: t.replace("dhcp-ignore=tag:!known\n", ""),
        lambda t: t.replace("port=0", "port=53"),
        lambda t: t.replace("http://10.77.0.1/", "http://10.77.0.9/"),
        lambda t: t.replace("tag:x64-http,60,HTTPClient", "tag:x64-http,60,PXEClient"),
        lambda t: t.replace("static", "proxy"),
        lambda t: t.replace("user=sbctui", "user=sbctui\nuser=root"),
        lambda t: t.replace("/srv/lab/derived/tftp", "/srv/lab/../../etc"),
        lambda t: t.replace("dhcp-lease-max=256", "dhcp-lease-max=1"),
        lambda t: t.replace("boot.scr.uimg,,", "boot.scr.uimg,evil,"),
        lambda t: t.replace(",3600", ",٣٦٠٠"),
        lambda t: t[:-1],
        lambda t: t[: len(t) // 2],
        lambda t: "",
        lambda t: t.replace("\n", "\r\n"),
    ],
)
def test_a_tampered_text_is_not_ours(tampered: Any) -> None:
    with pytest.raises(BadInput):
        parse(tampered(render(CONFIG).decode()).encode())


def test_no_interface_means_no_configuration() -> None:
    with pytest.raises(Refused, match="wants an interface"):
        DnsmasqConfig.of(Settings(), Path("/srv/lab"), Path("/run/x"), "root", "root")


class _NoDaemon:
    """The part of ``Control`` that a folder without a running dnsmasq asks for."""

    def status(self) -> tuple[Status, ...]:
        return ()


def test_one_bad_host_among_good_ones_changes_nothing(tmp_path: Path) -> None:
    hosts = HostsDir(tmp_path, _NoDaemon())  # type: ignore[arg-type]
    hosts.reconcile({"dc-a6-32-01-02-03": GOOD})
    before = {p.name: p.read_bytes() for p in hosts_dir(tmp_path).iterdir()}
    other = Host("dc:a6:32:01:02:04", IPv4Address("10.77.0.61"), "pi-08")
    for bad in bad_hosts():
        with pytest.raises(BadInput):
            hosts.reconcile({"dc-a6-32-01-02-04": other, "dc-a6-32-01-02-03": bad})
    with pytest.raises(BadInput):
        hosts.reconcile({"../../../evil": other})
    with pytest.raises(BadInput):
        hosts.reconcile({"dc-a6-32-01-02-03": other})
    assert {p.name: p.read_bytes() for p in hosts_dir(tmp_path).iterdir()} == before
