"""Where dnsmasq may run, as whom, and what stands in its way."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.dnsmasq import DnsmasqDaemon
from sbctui.engine.services.hosts import log_file
from sbctui.engine.services.leases import lease_file
from tests.lab import REPO, Lab, needs, until
from tests.services.dhcp_world import World, host, lab_settings, mac, make_site, table, world

ROOT = (0, 0)


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def off(tmp_path: Path, **network: object) -> str:
    settings = Settings.model_validate({"network": network})
    return DnsmasqDaemon(tmp_path, tmp_path, settings, ROOT).off()


def test_without_an_interface_or_subnet_it_never_starts(tmp_path: Path) -> None:
    assert off(tmp_path).startswith("no interface: DHCP and TFTP never start; set one with")
    assert off(tmp_path, interface="lab0").startswith("no subnet: set one with sbctui site init")


@pytest.mark.lab
def test_what_stands_in_the_way_is_said_with_its_remedy(tmp_path: Path) -> None:
    with Lab() as lab, lab.server.inside():
        given = {"interface": "lab0", "subnet": "10.77.0.0/24"}
        assert off(tmp_path, **given) == ""
        with as_nobody():
            assert off(tmp_path, **given).startswith("needs root: sudo sbctui --site")
        assert "there is no interface lab7" in off(tmp_path, **{**given, "interface": "lab7"})
        other = off(tmp_path, interface="lab0", subnet="10.78.0.0/24")
        assert other.endswith("add it: ip address add 10.78.0.1/24 dev lab0")
        server = off(tmp_path, **given, server="10.77.0.9")
        assert server == (
            "lab0 lacks the address 10.77.0.9; add it: ip address add 10.77.0.9/24 dev lab0"
        )


@pytest.mark.lab
def test_who_holds_the_port_is_named(tmp_path: Path) -> None:
    needs("ss", "dnsmasq")
    given = {"interface": "lab0", "subnet": "10.77.0.0/24"}
    with Lab() as lab, lab.server.inside():
        for port, service in ((67, "DHCP"), (69, "TFTP")):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
                holder.bind(("0.0.0.0", port))
                why = off(tmp_path, **given)
                assert f"(pid {os.getpid()}) already holds the {service} port {port}" in why
                assert "stop it" in why
        lab.server.run(["ip", "link", "add", "virbr0", "type", "bridge"])
        lab.server.run(["ip", "address", "add", "192.168.122.1/24", "dev", "virbr0"])
        lab.server.run(["ip", "link", "set", "virbr0", "up"])
        elsewhere = lab.server.start(
            ["dnsmasq", "-k", "-C", "/dev/null", "-p0", "--interface=virbr0", "--bind-dynamic",
             "--dhcp-range=192.168.122.2,192.168.122.9", "--pid-file=", "--user=root",
             f"--dhcp-leasefile={tmp_path / 'other'}", "--enable-tftp", "--except-interface=lo"]
        )  # fmt: skip
        until(lambda: b"virbr0:67" in lab.server.run(["ss", "-uln"]).stdout, 5, "the other one")
        assert off(tmp_path, **given) == ""
        elsewhere.kill()


@pytest.mark.lab
def test_it_serves_beside_another_dhcp_server_on_another_interface(tmp_path: Path) -> None:
    with world(tmp_path) as served, served.lab.server.inside():
        assert served.daemon.off() == ""
        second = DnsmasqDaemon(
            make_site(tmp_path / "second"), tmp_path, lab_settings(served.lab), ROOT
        )
        assert f"dnsmasq (pid {served.daemon.pid()}) already holds the DHCP port" in second.off()


@pytest.fixture
def open_path() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="sblab-owned-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.lab
def test_it_runs_as_the_sites_owner_who_can_read_all_it_writes(open_path: Path) -> None:
    owner = pwd.getpwnam("nobody")
    run = open_path / "run"
    run.mkdir()
    with Lab() as lab:
        site = make_site(open_path / "site")
        board = lab.board(mac(1))
        made = World(lab, site, run, lab_settings(lab))
        made.boot_files(board, boot_scr_uimg=b"script")
        for path in (site, *site.rglob("*")):
            os.lchown(path, owner.pw_uid, owner.pw_gid)
            if not path.is_symlink():
                path.chmod(0o750 if path.is_dir() else 0o644)
        made.daemon = made.made_with(lab_settings(lab))
        made.start()
        assert Path(f"/proc/{made.daemon.pid()}").stat().st_uid == owner.pw_uid
        assert made.hosts.reconcile(table(host(1))).refused == ()
        lease = board.dhcp()
        assert lease is not None
        assert lease["ip"] == "10.77.0.51"
        assert board.tftp("boot.scr.uimg") == b"script"
        for path in site.rglob("*"):
            assert path.lstat().st_uid == owner.pw_uid, path
        assert lease_file(site).stat().st_mode & 0o777 == 0o640
        made.hosts.reconcile({})
        assert board.dhcp(tries=1) is None
        os.truncate(log_file(site), 17 << 20)
        with lab.server.inside():
            assert made.daemon.healthy() == ""
            until(log_file(site).exists, 2, "a new log")
        assert log_file(site).stat().st_uid == owner.pw_uid


def test_an_owner_without_a_name_is_said(tmp_path: Path) -> None:
    settings = Settings.model_validate({"network": {"interface": "lab0", "subnet": "10.77.0.0/24"}})
    daemon = DnsmasqDaemon(make_site(tmp_path / "site"), tmp_path, settings, (54321, 54321))
    with pytest.raises(ServiceFailed, match=r"uid 54321, gid 54321.*chown -R"):
        daemon.prepare()


_IN_A_USER_NAMESPACE = """
import subprocess, sys
from pathlib import Path
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.dnsmasq import DnsmasqDaemon
from tests.lab import until
from tests.services.dhcp_world import make_site
for line in ("link add lab0 type bridge", "address add 10.77.0.1/24 dev lab0",
             "link set lab0 up", "link set lo up"):
    subprocess.run(["ip", *line.split()], check=True)
here = Path(sys.argv[1])
settings = Settings.model_validate({"network": {"interface": "lab0", "subnet": "10.77.0.0/24"}})
daemon = DnsmasqDaemon(make_site(here / "site"), here, settings, (0, 0))
assert daemon.off() == "", daemon.off()
daemon.prepare()
assert "--no-daemon" in daemon.argv()
process = subprocess.Popen(daemon.argv())
until(lambda: not daemon.healthy(), 5, "up")
process.kill()
print("served")
"""


@pytest.mark.lab
def test_an_ordinary_user_can_run_it_in_a_user_namespace(open_path: Path) -> None:
    needs("dnsmasq", "ss", "unshare")
    if subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    done = subprocess.run(
        ["unshare", "-Urnmpf", "--kill-child", "--mount-proc", sys.executable, "-c",
         _IN_A_USER_NAMESPACE, open_path],
        cwd=REPO, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("served\n"), done.stderr


def test_conf_tool_is_named_when_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sbctui.engine.programs._SBIN", ())
    why = off(tmp_path, interface="lab0", subnet="10.77.0.0/24")
    assert why == "dnsmasq is not installed; install it with: apt-get install dnsmasq-base"
