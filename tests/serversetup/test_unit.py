"""The unit of systemd, as systemd reads it; and the plan of setting up, as a pure function."""

from __future__ import annotations

import shutil
import subprocess
from configparser import RawConfigParser
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.places import SYSTEM_SITE
from sbctui.engine.services import systemd
from sbctui.engine.setup.plan import Found, Wish, plan, usual_pool

ODD = Path("/srv/my lab/100%$HOME;x")


def read(site: Path) -> RawConfigParser:
    parser = RawConfigParser(strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(systemd.render_unit(site).decode())
    return parser


def test_it_runs_the_supervisor_and_ends_it_alone() -> None:
    service = read(SYSTEM_SITE)["Service"]
    assert service["ExecStart"].endswith("-P -m sbctui --site /var/lib/sbctui supervise")
    assert service["KillMode"] == "process"
    assert "75" in service["RestartPreventExitStatus"].split()


@pytest.mark.parametrize("site", [SYSTEM_SITE, ODD], ids=str)
def test_systemd_finds_no_fault_with_it(site: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze not installed: apt-get install systemd")
    unit = tmp_path / "sbctui-test.service"
    unit.write_bytes(systemd.render_unit(site))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_odd_characters_of_a_path_reach_the_program_as_they_are() -> None:
    command = read(ODD)["Service"]["ExecStart"]
    assert '"/srv/my lab/100%%$$HOME;x"' in command
    assert read(ODD)["Unit"]["RequiresMountsFor"] == '"/srv/my lab/100%%$HOME;x"'


@pytest.mark.parametrize("path", ["/srv/a\nExecStart=/bin/sh", '/srv/"x', "/srv/a\\x20b"])
def test_a_path_that_a_unit_can_not_name_is_refused(path: str) -> None:
    with pytest.raises(BadInput, match="move the site"):
        systemd.render_unit(Path(path))


def test_each_site_has_a_unit_of_its_own() -> None:
    assert systemd.unit_name(SYSTEM_SITE) == "sbctui.service"
    assert systemd.unit_name(Path("/srv/a")) != systemd.unit_name(Path("/srv/b"))


def test_what_stands_there_is_known(tmp_path: Path) -> None:
    assert systemd.look(SYSTEM_SITE, tmp_path).state == "missing"
    file = tmp_path / "sbctui.service"
    file.write_bytes(systemd.render_unit(SYSTEM_SITE))
    assert systemd.look(SYSTEM_SITE, tmp_path).state == "current"
    file.write_bytes(systemd.render_unit(SYSTEM_SITE) + b"# edited\n")
    assert systemd.look(SYSTEM_SITE, tmp_path).state == "older"
    file.write_bytes(b"[Service]\n")
    assert systemd.look(SYSTEM_SITE, tmp_path).state == "foreign"


WISH = Wish(SYSTEM_SITE, "eth1")
FOUND = Found(
    root=True, interfaces=("eth0", "eth1"), up=True, strangers=(),
    addresses=(IPv4Interface("10.5.0.1/24"),),
)  # fmt: skip


def test_steps_are_what_is_missing() -> None:
    made = plan(WISH, FOUND)
    assert [step.kind for step in made.steps] == ["user", "site", "start"]
    done = Found(
        root=True, interfaces=("eth1",), up=True, addresses=FOUND.addresses, strangers=(),
        user=True, site="site", settings=made.settings, unit="current", serving=True,
    )  # fmt: skip
    assert plan(WISH, done).steps == ()


def test_of_several_addresses_one_has_to_be_named() -> None:
    two = Found(
        root=True, interfaces=("eth1",), up=True, strangers=(),
        addresses=(IPv4Interface("10.5.0.1/24"), IPv4Interface("10.6.0.1/24")),
    )  # fmt: skip
    with pytest.raises(Refused, match="--server"):
        plan(WISH, two)
    made = plan(Wish(SYSTEM_SITE, "eth1", subnet=IPv4Network("10.6.0.0/24")), two)
    assert str(made.settings.network.server) == "10.6.0.1"


@pytest.mark.parametrize("bits", range(16, 30))
def test_the_usual_pool_fits_every_subnet(bits: int) -> None:
    subnet = IPv4Network(f"10.64.0.0/{bits}")
    first, last = usual_pool(subnet)
    assert subnet.network_address + 1 < first <= last < subnet.broadcast_address
