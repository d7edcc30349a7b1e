"""The doctor on a real machine with real faults."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sbctui.engine.boards import vendors
from sbctui.engine.doctor import Check, doctor
from sbctui.engine.model.settings import Settings
from sbctui.engine.siteinit import init_site, write_settings


@pytest.fixture
def site(tmp_path: Path) -> Path:
    made = tmp_path / "site"
    init_site(made, Settings())
    return made


def look(site: Path | None) -> dict[str, Check]:
    return {check.name: check for check in doctor(site)}


def network(site: Path, **values: object) -> dict[str, Check]:
    write_settings(site, Settings.model_validate({"network": values}))
    return look(site)


def test_a_sound_machine_has_no_bad_check_and_every_fault_a_remedy(site: Path) -> None:
    found = look(site)
    assert not [check for check in found.values() if check.ok == "bad"]
    assert found["services"].remedy == "sbctui services start"
    assert "inodes free" in found["space"].detail
    assert found["site"].ok == "ok"
    assert set(look(None)) >= {"python", "tools", "fuse", "rights", "port 67", "port 69"}


def test_missing_tools_are_one_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sbctui.engine.programs._SBIN", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "dnsmasq").symlink_to("/bin/true")
    found = look(None)["tools"]
    assert found.ok == "bad"
    assert "qemu-img" in found.detail
    assert "dnsmasq," not in found.detail
    command = found.remedy.removeprefix("sudo ")
    assert command.startswith("apt-get install ")
    packages = command.split()[2:]
    assert {"qemu-utils", "qemu-system-common", "e2fsprogs", "zstd"} <= set(packages)
    assert len(packages) == len(set(packages))
    assert "dnsmasq" not in packages


def test_without_the_table_of_makers_its_package_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "20-OUI.hwdb"
    monkeypatch.setattr(vendors, "TABLES", (tmp_path / "none", table))
    found = look(None)["vendors"]
    assert (found.ok, found.remedy.removeprefix("sudo ")) == ("warn", "apt-get install udev")
    table.write_text("OUI:B827EB*\n")
    assert look(None)["vendors"].ok == "ok"


def test_a_taken_port_names_its_holder(site: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        found = network(site, nbd_port=port)[f"port {port}"]
        assert found.ok == "bad"
        assert f"process {os.getpid()}" in found.detail
    assert network(site, nbd_port=port)[f"port {port}"].ok == "ok"


def test_the_interface_is_looked_at(site: Path) -> None:
    assert look(site)["interface"].ok == "warn"
    found = network(site, interface="nosuch0", subnet="10.77.0.0/24")["interface"]
    assert found.ok == "bad"
    assert "nosuch0" in found.detail
    found = network(site, interface="lo", subnet="10.77.0.0/24", server="10.77.0.9")["interface"]
    assert found.ok == "bad"
    assert "ip address add 10.77.0.9/24 dev lo" in found.remedy
    found = network(site, interface="lo", subnet="127.0.0.0/8", server="127.0.0.1")["interface"]
    assert found == Check("interface", "ok", "lo is up with 127.0.0.1")


def test_a_site_that_others_could_change_is_said(site: Path) -> None:
    site.parent.chmod(0o777)
    found = look(site)["site"]
    assert found.ok == "bad"
    assert str(site.parent) in found.detail
    site.parent.chmod(0o700)
    site.chmod(0o755)
    assert "chmod o=" in look(site)["site"].remedy


@pytest.mark.parametrize("content", ["network = 3", "[network", '[network]\ninterface = "a/b"'])
def test_a_broken_or_missing_site_is_a_finding_and_no_exception(site: Path, content: str) -> None:
    (site / "site.toml").write_text(content)
    assert look(site)["site"].ok == "bad"
    (site / "site.toml").unlink()
    assert "sbctui site init" in look(site)["site"].detail
    assert look(site / "nowhere")["site"].ok == "bad"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
def test_a_user_without_a_name_or_rights_gets_findings_and_no_exception(tmp_path: Path) -> None:
    os.seteuid(54321)
    try:
        found = look(None)
        assert "54321, not root" in found["rights"].detail
        assert found["rights"].remedy == "to serve them: sudo sbctui services start"
        assert look(tmp_path)["site"].ok == "bad"
    finally:
        os.seteuid(0)


def test_a_runtime_folder_that_a_logout_removes_is_said(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look(site)["runtime folder"].ok == "ok"
    fleeting = Path("/run/user/54321/sbctui/0123456789ab")
    monkeypatch.setattr("sbctui.engine.doctor.run_dir", lambda _: fleeting)
    found = look(site)["runtime folder"]
    assert found.ok == "warn"
    assert found.remedy.startswith("loginctl enable-linger ")


def test_every_subnet_is_looked_at_and_a_proxy_says_what_it_can_not(site: Path) -> None:
    more = [{"interface": "nowhere0", "subnet": "10.99.0.0/24"}]
    network = {"interface": "lo", "subnet": "127.0.0.0/8", "dhcp": "proxy", "more": more}
    write_settings(site, Settings.model_validate({"network": network}))
    found = {(one.name, one.ok): one for one in doctor(site)}
    assert "lo is up" in found["interface", "ok"].detail
    assert "no interface nowhere0" in found["interface", "bad"].detail
    assert "U-Boot takes nothing from a proxy" in found["dhcp", "ok"].detail
