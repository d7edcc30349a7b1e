"""``sbctui setup`` on a machine: what it refuses, makes, leaves alone and takes back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import until
from tests.serversetup.machine import SITE, UNIT, Machine, machine

pytestmark = [pytest.mark.lab, pytest.mark.slow]
ADDRESS = "ip address add 10.5.0.1/24 dev lab0"
SETUP = "sbctui setup --interface lab0 --yes"
SLOW_TO_END = f"""
pid=$(python3 -c 'import json; print(json.load(open("{SITE}/state/supervise.pid"))["pid"])')
kill -STOP $pid && (sleep 2; kill -CONT $pid) >/dev/null 2>&1 &
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as one:
        yield one


def nothing_made(here: Machine) -> None:
    assert here.shell(f"ls {SITE} 2>&1 | grep -c . || :") == "1"  # there is no such folder
    here.shell("getent passwd sbctui", 2)
    here.shell(f"test -e {UNIT}", 1)


def test_what_can_not_serve_is_refused_with_the_remedy(here: Machine) -> None:
    assert "there are: lab0" in here.shell("sbctui setup --interface eth9 2>&1", 3)
    said = here.shell(f"{SETUP} 2>&1", 3)
    assert "ip address add 10.77.0.1/24 dev lab0" in said
    here.shell(ADDRESS)
    said = here.shell("sbctui setup --interface lab0 --subnet 10.6.0.0/24 2>&1", 3)
    assert "no address in 10.6.0.0/24 (it has: 10.5.0.1/24)" in said
    here.shell("ip link set lab0 down")
    assert "ip link set lab0 up" in here.shell(f"{SETUP} 2>&1", 3)
    here.shell("sbctui setup --interface lab0 --pool 10.5.0.9 2>&1", 2)
    nothing_made(here)


def test_another_dhcp_server_on_the_network_is_found_and_refused(here: Machine) -> None:
    here.shell(ADDRESS)
    board = here.lab.board("02:00:00:00:00:77")
    board.use("10.5.0.7")
    stranger = board.start(
        ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
         "--bind-dynamic", "--interface=eth0", "--dhcp-leasefile=/dev/null", "--no-ping",
         "--pid-file=", "--dhcp-range=10.5.0.100,10.5.0.110", "--dhcp-authoritative"]
    )  # fmt: skip
    until(lambda: b":67 " in board.run(["ss", "-lun"]).stdout, 5, "the stranger serves")
    said = here.shell(f"{SETUP} 2>&1", 3)
    assert "another DHCP server answers on lab0: 10.5.0.7" in said
    nothing_made(here)
    stranger.terminate()


def test_a_server_is_made_once_and_serves(here: Machine) -> None:
    here.shell(ADDRESS)
    plan = here.ask("setup", "--interface", "lab0", "--dry-run")["plan"]
    assert [step.split()[0:2] for step in plan["steps"]] == [
        ["make", "the"],
        ["make", "the"],
        ["start", "the"],
    ]
    nothing_made(here)
    here.shell(SETUP)
    assert here.shell(f"stat -c %U:%G:%a {SITE}") == "sbctui:sbctui:750"
    states = {one["name"]: one["state"] for one in here.services()}
    assert states.pop("http") == "off"
    assert set(states.values()) == {"running"}
    before = here.pids()
    again = json.loads(here.shell(f"{SETUP} -o json"))["setup"]
    assert again["done"] == []
    assert here.pids() == before
    said = here.shell(f"{SETUP} --pool 10.5.0.60-10.5.0.70 -q")
    assert "dnsmasq running" in said
    assert here.ask("site", "show")["site"]["settings"]["network"]["pool"] == {
        "first": "10.5.0.60",
        "last": "10.5.0.70",
    }
    assert here.pids()["storage"] == before["storage"]
    here.shell("sbctui services stop --yes")


def test_what_was_made_is_taken_back_when_a_step_fails(here: Machine) -> None:
    here.shell(ADDRESS)
    held = "import socket,time; s=socket.create_server(('10.5.0.1', 10809)); print(flush=True)"
    here.shell(f"python3 -c \"{held}; time.sleep(60)\" > /run/held & "
               "until [ -s /run/held ]; do :; done")  # fmt: skip
    said = here.shell(f"{SETUP} 2>&1", 6)
    assert "gate" in said
    nothing_made(here)


def test_systemd_supervises_and_daemons_survive_its_restarts(here: Machine) -> None:
    here.shell(ADDRESS)
    here.with_systemd()
    here.shell(SETUP)
    assert here.asked() == ["daemon-reload -", "enable sbctui.service", "start sbctui.service"]
    before = here.pids()
    here.shell("systemctl restart sbctui.service")
    here.shell("sbctui services start")
    assert here.pids() == before
    here.shell(f"mkdir {UNIT}.d; echo '[Service]' > {UNIT}.d/own.conf")
    said = here.shell("sbctui services uninstall --yes && cat /etc/systemd/system/*.d/own.conf")
    assert "[Service]" in said
    here.shell(f"test -e {UNIT}", 1)
    assert here.pids() == before, "what ran goes on"
    said = here.shell("sbctui services install --dry-run")
    assert "own.conf stays as it is" in said
    here.shell(SLOW_TO_END)
    here.shell("sbctui services install --yes")
    assert here.pids() == before, "the unit took over from the supervisor that was started by hand"
    here.shell("systemctl is-active sbctui.service")
    here.shell("sbctui services stop --yes")


def test_a_systemd_that_refuses_the_unit_leaves_nothing(here: Machine) -> None:
    here.shell(ADDRESS)
    here.with_systemd()
    (here.folder / "bin" / "systemctl").write_text("#!/bin/sh\necho no such luck >&2; exit 1\n")
    assert "no such luck" in here.shell(f"{SETUP} 2>&1", 6)
    nothing_made(here)


def test_a_unit_of_somebody_else_is_left_alone(here: Machine) -> None:
    here.shell(ADDRESS)
    here.with_systemd()
    here.shell(f"mkdir -p /etc/systemd/system; echo '# mine' > {UNIT}")
    assert "was not written by sbctui" in here.shell(f"{SETUP} 2>&1", 3)
    here.shell("sbctui site init --interface lab0 --subnet 10.5.0.0/24")
    assert "was not written by sbctui" in here.shell("sbctui services install --yes 2>&1", 3)
    assert "was not written by sbctui" in here.shell("sbctui services uninstall --yes 2>&1", 3)
    assert here.shell(f"cat {UNIT}") == "# mine"
    assert here.asked() == []


def test_without_systemd_there_is_no_unit(here: Machine) -> None:
    here.shell("sbctui site init -q && sbctui services install --yes 2>&1 | grep -q init.system")
    here.shell(f"test -e {UNIT}", 1)


def test_an_ordinary_user_may_look_at_the_plan_only(here: Machine) -> None:
    here.shell(ADDRESS)
    nobody = "setpriv --reuid=64321 --regid=64321 --clear-groups"
    said = here.shell(f"HOME=/tmp {nobody} {subprocess.list2cmdline(_program())} 2>&1", 5)
    assert "sudo" in said
    said = here.shell(f"HOME=/tmp {nobody} {subprocess.list2cmdline(_program())} --dry-run")
    assert "only root may" in said


def _program() -> list[str]:
    import sys

    return [sys.executable, "-P", "-m", "sbctui", "--site", SITE, "setup", "--interface", "lab0"]
