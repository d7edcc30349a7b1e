"""All three daemons of a site that another user owns, supervised by root in a lab."""

from __future__ import annotations

import os
import pwd
import signal
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.files import remove_tree
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.control import SiteControl, start_services, stop_services
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.hosts import render_host
from sbctui.engine.services.port import Host, Status, Target
from sbctui.engine.services.rundir import run_dir
from sbctui.engine.services.supervise_holder import read_holder
from sbctui.engine.siteinit import init_site, write_settings
from tests.lab import Board, Lab, needs, until
from tests.nbdclient import Board as Client
from tests.nbdclient import board as connect

pytestmark = pytest.mark.lab
OWNER = "daemon"
MAC = "dc:a6:32:00:00:07"
IP = IPv4Address("10.77.0.57")
PORT = 10809


class Served:
    def __init__(self, lab: Lab, path: Path) -> None:
        self.lab = lab
        self.path = path
        self.control = SiteControl(path)
        init_site(path, self.settings(), owner=OWNER)

    def settings(self, **network: object) -> Settings:
        wanted = {"interface": "lab0", "subnet": "10.77.0.0/24", **network}
        return Settings.model_validate({"network": wanted})

    def serve(self, board: Board) -> None:
        """What allocating a node to a board derives."""
        owner = pwd.getpwnam(OWNER)
        node = self.path / "nodes" / board.dashed
        node.mkdir()
        disk = node / "root.img"
        with disk.open("wb") as file:
            file.truncate(1 << 20)
        for path in (node, disk):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        export = render_export(Target(board.dashed, disk, "raw", IP), self.path)
        (self.path / "derived" / "exports" / f"{board.dashed}.json").write_bytes(export)
        host = render_host(Host(board.mac, IP, "pi-07"))
        (self.path / "derived" / "dnsmasq" / "hosts.d" / board.dashed).write_bytes(host)
        self.control.apply()

    def state(self, name: str) -> Status:
        return next(s for s in self.control.status() if s.name == name)

    def pids(self) -> dict[str, int]:
        return {s.name: s.pid for s in self.control.status() if s.pid}

    def start(self) -> None:
        with self.lab.server.inside():
            start_services(self.path)

    def reach(self, board: Board) -> Client:
        """The board's own disk, opened from the board."""
        with board.inside():
            return connect(PORT, board.dashed, host=str(self.lab.address))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    needs("dnsmasq", "dhcp_release", "qemu-storage-daemon")
    folder = Path(f"/var/tmp/sbctui-test-{os.getpid()}")
    remove_tree(folder)
    folder.mkdir(mode=0o755)
    with Lab() as lab:
        made = Served(lab, folder / "site")
        yield made
    remove_tree(run_dir(made.path))
    remove_tree(folder)


def test_all_three_serve_a_board_as_the_owner_and_survive_kills(served: Served) -> None:
    served.start()
    assert {s.name: s.state for s in served.control.status()} == {
        **dict.fromkeys(("storage", "gate", "dnsmasq"), "running"),
        "http": "off",
    }
    uid = pwd.getpwnam(OWNER).pw_uid
    for name, pid in served.pids().items():
        assert os.stat(f"/proc/{pid}").st_uid in (uid, 0), name
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status, name
    board = served.lab.board(MAC)
    served.serve(board)
    lease = board.dhcp()
    assert lease is not None
    assert lease["ip"] == str(IP)
    assert [lease.ip for lease in served.control.leases()] == [IP]
    with served.reach(board) as disk:
        disk.write(0, b"x" * 512)
        before = served.pids()
        for _ in range(3):
            pid = served.state("dnsmasq").pid
            os.kill(pid, signal.SIGKILL)
            until(
                lambda pid=pid: (
                    served.state("dnsmasq").pid not in (0, pid)
                    and served.state("dnsmasq").state == "running"
                ),
                2.0,
                f"dnsmasq back: {served.state('dnsmasq')}",
            )
            assert disk.read(0, 512) == b"x" * 512
        assert served.pids() == before | {"dnsmasq": served.state("dnsmasq").pid}
        assert board.dhcp() is not None
        before = served.pids()
        holder = read_holder(served.path)
        assert holder is not None
        os.kill(holder.pid, signal.SIGKILL)
        until(lambda: not served.control.running(), 2, "the supervisor's death")
        served.start()
        assert served.pids() == before
        assert disk.read(0, 512) == b"x" * 512
    stop_services(served.path, force=False)
    assert {s.state for s in served.control.status()} == {"stopped", "off"}


def test_new_settings_restart_dnsmasq_alone(served: Served) -> None:
    served.start()
    before = served.pids()
    write_settings(served.path, served.settings(lease_seconds=600))
    until(lambda: served.state("dnsmasq").pid not in (0, before["dnsmasq"]), 8, "a new dnsmasq")
    assert served.pids() == before | {"dnsmasq": served.state("dnsmasq").pid}
    write_settings(served.path, Settings())
    until(lambda: served.state("dnsmasq").state == "off", 8, "DHCP off")


def test_settings_that_dhcp_can_not_serve_with_leave_the_old_in_force(served: Served) -> None:
    served.start()
    before = served.pids()
    write_settings(served.path, served.settings(interface="nowhere0"))
    until(lambda: "nowhere0" in served.state("dnsmasq").detail, 8, "the reason")
    assert served.state("dnsmasq").state == "running"
    assert served.pids() == before
    board = served.lab.board(MAC)
    served.serve(board)
    assert board.dhcp() is not None


def test_leases_are_released_and_strangers_seen(served: Served) -> None:
    served.start()
    board = served.lab.board(MAC)
    served.serve(board)
    assert board.dhcp() is not None
    served.control.release(MAC, IP)
    until(lambda: not served.control.leases(), 3, "no lease")
    host = served.path / "derived" / "dnsmasq" / "hosts.d" / board.dashed
    host.unlink()
    served.control.reload_dhcp()
    assert board.dhcp(tries=2) is None
    until(lambda: MAC in {seen.mac for seen in served.control.seen()}, 3, "the board seen")
