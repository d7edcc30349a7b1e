"""A whole site on loopback: the real storage daemon and the real gate, supervised."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.doctor import doctor
from sbctui.engine.errors import NotASite, Refused, ServiceFailed
from sbctui.engine.files import remove_tree
from sbctui.engine.lockfile import SiteLock, read_generation
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.control import (
    SiteControl,
    restart_services,
    start_services,
    stop_services,
)
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.port import Status, Target
from sbctui.engine.services.processes import find_marked
from sbctui.engine.services.rundir import run_dir, site_id
from sbctui.engine.services.supervise_holder import read_holder
from sbctui.engine.siteinit import init_site, write_settings
from tests.nbdclient import Board, Closed, NbdError, board, until

ONE, TWO = "dc-a6-32-00-00-01", "dc-a6-32-00-00-02"
NAMES = ("storage", "gate", "dnsmasq", "http")
STOPPED = ["stopped", "stopped", "stopped", "off"]
"""HTTP is not asked for."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """A site with disks for boards that are other addresses of loopback."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        init_site(path, self.settings())
        self.control = SiteControl(path)

    def settings(self, **network: object) -> Settings:
        return Settings.model_validate({"network": {"nbd_port": self.port, **network}})

    def disk(self, export: str, address: str) -> None:
        node = self.path / "nodes" / export
        node.mkdir(exist_ok=True)
        with open(node / "root.img", "ab") as file:
            file.truncate(1 << 20)
        target = Target(export, node / "root.img", "raw", IPv4Address(address))
        data = render_export(target, self.path)
        (self.path / "derived" / "exports" / f"{export}.json").write_bytes(data)

    def gone(self, export: str) -> None:
        (self.path / "derived" / "exports" / f"{export}.json").unlink()

    def state(self, name: str) -> Status:
        return next(s for s in self.control.status() if s.name == name)

    def pids(self) -> dict[str, int]:
        return {name: self.state(name).pid for name in ("storage", "gate")}

    def board(self, export: str, source: str) -> Board:
        return board(self.port, export, source)

    def boots(self, export: str, source: str) -> bool:
        """Whether a board would get its disk now."""
        try:
            with board(self.port, export, source) as one:
                return one.read(0, 512) is not None
        except (Closed, NbdError, OSError):
            return False

    def close(self) -> None:
        holder = read_holder(self.path)
        if holder is not None and self.control.running():
            os.kill(holder.pid, signal.SIGKILL)
        for name in NAMES:
            for pid in find_marked(f"{site_id(self.path)}:{name}"):
                os.kill(pid, signal.SIGKILL)
        remove_tree(run_dir(self.path))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path / "site")
    made.disk(ONE, "127.0.0.11")
    made.disk(TWO, "127.0.0.12")
    yield made
    made.close()


def test_start_serves_and_stop_ends_everything(site: Served) -> None:
    assert [s.state for s in site.control.status()] == STOPPED
    assert not site.control.running()
    start_services(site.path)
    assert [s.state for s in site.control.status()] == ["running", "running", "off", "off"]
    assert "no interface" in site.state("dnsmasq").detail
    with site.board(ONE, "127.0.0.11") as one:
        one.write(0, b"mine" * 128)
        one.flush()
    assert not site.boots(ONE, "127.0.0.12")
    start_services(site.path)
    checks = {check.name: check for check in doctor(site.path)}
    assert checks[f"port {site.port}"].ok == checks["storage"].ok == checks["services"].ok == "ok"
    assert "served by us" in checks[f"port {site.port}"].detail
    stop_services(site.path, force=False)
    assert [s.state for s in site.control.status()] == STOPPED
    assert not any(find_marked(f"{site_id(site.path)}:{name}") for name in NAMES)
    assert until(lambda: not run_dir(site.path).exists(), 2)
    stop_services(site.path, force=False)
    assert (site.path / "nodes" / ONE / "root.img").read_bytes()[:4] == b"mine"


@pytest.mark.parametrize("name", ["storage", "gate"])
def test_a_killed_daemon_is_back_with_its_exports_within_two_seconds(
    site: Served, name: str
) -> None:
    start_services(site.path)
    for _ in range(4):
        before = site.state(name).pid
        os.kill(before, signal.SIGKILL)
        assert until(lambda: site.boots(ONE, "127.0.0.11"), 2.0)
        assert site.boots(TWO, "127.0.0.12")
        assert until(lambda before=before: site.state(name).pid not in (0, before), 2.0)
    assert site.state(name).restarts == 4
    assert site.state({"storage": "gate", "gate": "storage"}[name]).restarts == 0


def test_a_board_goes_on_through_the_death_of_its_storage_and_of_the_supervisor(
    site: Served,
) -> None:
    start_services(site.path)
    with site.board(ONE, "127.0.0.11") as one:
        one.write(4096, b"before" * 100)
        one.flush()
        before = site.pids()
        holder = read_holder(site.path)
        assert holder is not None
        os.kill(holder.pid, signal.SIGKILL)
        assert until(lambda: not site.control.running())
        assert one.read(4096, 600) == b"before" * 100
        states = [s.state for s in site.control.status()]
        assert states == ["running", "running", "stopped", "off"]
        assert "services start" in site.state("gate").detail
        start_services(site.path)
        assert site.pids() == before
        assert [s.export for s in site.control.sessions()] == [ONE]
        assert one.read(4096, 600) == b"before" * 100
        site.disk("dc-a6-32-00-00-03", "127.0.0.13")
        assert site.control.apply().added == ("dc-a6-32-00-00-03",)


def test_a_hung_gate_and_a_hung_storage_are_replaced(site: Served) -> None:
    start_services(site.path)
    for name in ("gate", "storage"):
        before = site.state(name).pid
        os.kill(before, signal.SIGSTOP)
        assert until(lambda before=before, name=name: site.state(name).pid not in (0, before), 25)
        assert until(lambda: site.boots(ONE, "127.0.0.11"), 3.0)


def test_a_change_of_the_site_is_followed_without_being_asked(site: Served) -> None:
    start_services(site.path)
    with site.board(ONE, "127.0.0.11") as one:
        lock = SiteLock(site.path)
        with lock.held():
            site.disk("dc-a6-32-00-00-04", "127.0.0.14")
            site.gone(TWO)
        now = read_generation(site.path)
        assert until(lambda: site.control.generation() == now, 1.5)
        assert site.boots("dc-a6-32-00-00-04", "127.0.0.14")
        assert not site.boots(TWO, "127.0.0.12")
        with lock.held():
            site.gone(ONE)
        now = read_generation(site.path)
        assert until(lambda: site.control.generation() == now, 1.5)
        assert len(one.read(0, 512)) == 512  # draining: nobody is cut
        assert not site.boots(ONE, "127.0.0.11")
    assert until(lambda: not site.control.sessions())


def test_withdraw_refuses_while_a_board_is_there_and_gives_the_disk_free(site: Served) -> None:
    start_services(site.path)
    with site.board(ONE, "127.0.0.11"):
        with pytest.raises(Refused, match=ONE):
            site.control.withdraw(ONE, cut=False)
        with pytest.raises(Refused, match=ONE):
            stop_services(site.path, force=False)
        site.control.withdraw(ONE, cut=True)
        assert site.control.sessions() == ()
    assert not site.boots(ONE, "127.0.0.11")
    for name in ("storage", "gate"):
        before = site.state(name).pid
        os.kill(before, signal.SIGKILL)
        assert until(lambda name=name, before=before: site.state(name).pid not in (0, before))
        assert until(lambda: site.boots(TWO, "127.0.0.12"), 3.0)
        assert not site.boots(ONE, "127.0.0.11")
    site.control.restore(ONE)
    assert site.boots(ONE, "127.0.0.11")
    site.control.withdraw(ONE, cut=False)
    assert not site.boots(ONE, "127.0.0.11")
    site.control.apply()
    assert site.boots(ONE, "127.0.0.11")


def test_what_a_process_withdrew_is_back_when_it_dies(site: Served) -> None:
    start_services(site.path)
    code = (
        "import sys, time; from pathlib import Path;"
        "from sbctui.engine.services.control import SiteControl;"
        "SiteControl(Path(sys.argv[1])).withdraw(sys.argv[2], cut=False);"
        "print('gone', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(site.path), ONE]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"gone\n"
        site.control.apply()
        assert not site.boots(ONE, "127.0.0.11")
        holder = read_holder(site.path)
        assert holder is not None
        os.kill(holder.pid, signal.SIGKILL)
        assert until(lambda: not site.control.running())
        start_services(site.path)
        assert not site.boots(ONE, "127.0.0.11")
        other.kill()
    assert until(lambda: site.boots(ONE, "127.0.0.11"), 2.0)


def test_drain_waits_stops_and_cuts(site: Served) -> None:
    start_services(site.path)
    stop = threading.Event()
    with site.board(ONE, "127.0.0.11") as one:
        assert not site.control.drain(ONE, 0, cut=False, stop=stop)
        assert not site.boots(ONE, "127.0.0.11")
        assert len(one.read(0, 512)) == 512
        stop.set()
        assert not site.control.drain(ONE, 30, cut=True, stop=stop)
        stop.clear()
        threading.Timer(0.5, one.leave).start()
        assert site.control.drain(ONE, 30, cut=False, stop=stop)
    site.control.restore(ONE)
    with site.board(ONE, "127.0.0.11") as one:
        assert site.control.drain(ONE, 0, cut=True, stop=stop)
        assert one.gone()


def test_a_disk_that_is_not_there_is_refused_by_name_and_keeps_no_other_out(site: Served) -> None:
    start_services(site.path)
    (site.path / "derived" / "exports" / "junk.json").write_text("{")
    (site.path / "nodes" / ONE / "root.img").unlink()
    site.control.withdraw(ONE, cut=False)
    changes = site.control.apply()
    assert {name for name, _ in changes.refused} == {ONE, "junk"}
    assert site.boots(TWO, "127.0.0.12")


def test_new_settings_move_the_gate_only_and_bad_ones_leave_the_old_in_force(site: Served) -> None:
    start_services(site.path)
    before = site.pids()
    good = (site.path / "site.toml").read_bytes()
    (site.path / "site.toml").write_text("[network]\nnbd_port = 99999999\n")
    assert until(lambda: "nbd_port" in site.state("gate").detail, 3.0)
    assert site.state("gate").state == "running"
    (site.path / "site.toml").write_bytes(good)
    assert until(lambda: not site.state("gate").detail, 3.0)
    write_settings(site.path, site.settings(subnet="10.99.0.0/24", server="10.99.0.1"))
    assert until(lambda: "10.99.0.1 is no address" in site.state("gate").detail, 3.0)
    assert site.pids() == before
    os.kill(before["gate"], signal.SIGKILL)
    assert until(lambda: site.boots(ONE, "127.0.0.11"), 2.0)
    site.port = free_port()
    write_settings(site.path, site.settings())
    assert until(lambda: site.boots(ONE, "127.0.0.11"), 5.0)
    assert site.pids()["storage"] == before["storage"]
    assert site.pids()["gate"] != before["gate"]


def test_a_taken_port_is_said_in_the_gates_own_words(site: Served) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", site.port))
        holder.listen()
        with pytest.raises(ServiceFailed, match=r"gate does not start.*Address already in use"):
            start_services(site.path)
        assert site.state("gate").state == "failing"
        assert site.state("storage").state == "running"
    assert until(lambda: site.boots(ONE, "127.0.0.11"), 10.0)


def test_no_site_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(NotASite):
        start_services(tmp_path)
    stop_services(tmp_path, force=True)
    assert [s.state for s in SiteControl(tmp_path).status()] == STOPPED


def test_what_is_closed_with_nobody_to_open_it_is_opened_again(site: Served) -> None:
    start_services(site.path)
    site.control.withdraw(ONE, cut=False)
    holder = read_holder(site.path)
    assert holder is not None
    os.kill(holder.pid, signal.SIGKILL)
    assert until(lambda: not site.control.running())
    (run_dir(site.path) / "holds.json").write_text(json.dumps([[ONE, 2**22, 1]]))
    start_services(site.path)
    assert until(lambda: site.boots(ONE, "127.0.0.11"), 3.0)


class TestAnUpgrade:
    def test_everything_is_begun_anew_and_boards_notice_nothing(self, site: Served) -> None:
        start_services(site.path)
        before, supervisor = site.pids(), read_holder(site.path)
        with site.board(ONE, "127.0.0.11") as one:
            one.write(0, b"answered, never flushed")
            restart_services(site.path)
            assert one.read(0, 23) == b"answered, never flushed"
            assert [s.export for s in site.control.sessions()] == [ONE]
        after = site.pids()
        assert not set(before.values()) & set(after.values())
        assert supervisor is not None
        assert (now := read_holder(site.path)) is not None
        assert now.pid == supervisor.pid  # a unit of systemd goes on with it
        assert not any(Path(f"/proc/{pid}").exists() for pid in before.values())
        restart_services(site.path, ["gate"])
        assert site.pids()["storage"] == after["storage"]
        assert site.pids()["gate"] != after["gate"]

    def test_another_program_is_noticed_by_the_next_supervisor(self, site: Served) -> None:
        start_services(site.path)
        record = run_dir(site.path) / "gate.json"
        holder = read_holder(site.path)
        assert holder is not None
        with site.board(ONE, "127.0.0.11") as one:
            os.kill(holder.pid, signal.SIGTERM)
            assert until(lambda: not site.control.running())
            old = json.loads(record.read_bytes())
            record.write_text(json.dumps({**old, "version": "of an older program"}))
            start_services(site.path)
            assert until(lambda: site.state("gate").pid not in (0, old["pid"]))
            one.write(0, b"through another gate")

    def test_new_settings_move_it_and_keep_its_boards(self, site: Served) -> None:
        start_services(site.path)
        before = site.pids()["gate"]
        with site.board(ONE, "127.0.0.11") as one:
            site.port = free_port()
            write_settings(site.path, site.settings())
            assert until(lambda: site.state("gate").pid not in (0, before))
            one.write(0, b"still here")
            assert site.boots(TWO, "127.0.0.12")

    def test_one_that_can_not_be_relieved_goes_on_and_says_why(self, site: Served) -> None:
        start_services(site.path)
        before = site.pids()["gate"]
        (run_dir(site.path) / "daemons" / "gate.heir").unlink()
        with site.board(ONE, "127.0.0.11") as one:
            with pytest.raises(ServiceFailed, match="can't take over"):
                restart_services(site.path, ["gate"])
            one.write(0, b"undisturbed")
        assert site.state("gate").pid == before
        assert "can't take over" in site.state("gate").detail

    def test_a_killed_gate_is_back_and_lets_its_board_in_at_once(self, site: Served) -> None:
        start_services(site.path)
        with site.board(ONE, "127.0.0.11") as one, site.board(TWO, "127.0.0.12") as two:
            one.write(0, b"flushed")
            one.flush()
            os.kill(site.pids()["gate"], signal.SIGKILL)
            assert one.gone()
            assert until(lambda: site.boots(ONE, "127.0.0.11"), 2)
            assert two.gone()
            with site.board(TWO, "127.0.0.12") as stale, site.board(TWO, "127.0.0.12") as again:
                assert stale.gone()
                again.write(0, b"mine")
        with site.board(ONE, "127.0.0.11") as one:
            assert one.read(0, 7) == b"flushed"
