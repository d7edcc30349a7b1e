"""A whole boot in a private network with all three daemons: every stage seen as it happens."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.files import remove_tree
from sbctui.engine.model.boots import Timeline
from sbctui.engine.services.control import stop_services
from sbctui.engine.services.rundir import run_dir
from sbctui.engine.services.supervise_holder import read_holder
from tests.lab import Board, Lab, needs, until
from tests.services import dhcp_client as dhcp
from tests.services.test_control_lab import MAC, Served
from tests.services.tftp_client import fetch

pytestmark = pytest.mark.lab


@pytest.fixture
def served() -> Iterator[Served]:
    needs("dnsmasq", "dhcp_release", "qemu-storage-daemon")
    folder = Path(f"/var/tmp/sbctui-boots-{os.getpid()}")
    remove_tree(folder)
    folder.mkdir(mode=0o755)
    with Lab() as lab:
        made = Served(lab, folder / "site")
        made.start()
        yield made
        stop_services(made.path, force=True)
    remove_tree(run_dir(made.path))
    remove_tree(folder)


def boot_folder(served: Served, board: Board) -> None:
    """A kernel, and no initramfs."""
    owner = pwd.getpwnam("daemon")
    folder = served.path / "nodes" / board.dashed / "boot"
    folder.mkdir()
    (folder / "vmlinuz").write_bytes(b"k" * 300_000)
    for path in (folder, folder / "vmlinuz"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    (served.path / "derived" / "tftp" / board.dashed).symlink_to(f"../../nodes/{board.dashed}/boot")


def test_a_board_boots_and_each_step_is_told_within_a_second(served: Served) -> None:
    board = served.lab.board(MAC)
    served.serve(board)
    boot_folder(served, board)
    engine = Engine(served.path)

    def line() -> Timeline | None:
        return next(iter(engine.timeline(MAC)), None)

    def reached(stage: str, seconds: float = 2.0) -> Timeline:
        until(lambda: (now := line()) and now.stage == stage, seconds, f"at {stage}: {line()}")
        found = line()
        assert found is not None
        return found

    with board.inside(), dhcp.Client(MAC) as asking:
        assert asking.lease(dhcp.UBOOT) is not None
        first = reached("files")
        assert first.ip == "10.77.0.57"
        board.use_here("10.77.0.57")
        server = IPv4Address("10.77.0.1")
        assert len(fetch(server, "vmlinuz")) == 300_000
        (file,) = reached("disk").files
        assert (file.path, file.size) == ("vmlinuz", 300_000)
        with pytest.raises(FileNotFoundError):
            fetch(server, "initrd.img")
        assert "initrd.img" in reached("files").reason
    with served.reach(board) as disk:
        reached("write")
        disk.write(0, b"x" * 512)
        disk.flush()
        assert reached("up").state == "running"
        holder = read_holder(served.path)
        assert holder is not None
        os.kill(holder.pid, signal.SIGKILL)
        until(lambda: not served.control.running(), 2, "the supervisor's death")
        served.start()
        assert abs(reached("up").began - first.began) < 2
        with board.inside():
            ssh = socket.create_server(("10.77.0.57", 22))
        with ssh:
            until(lambda: line() and line().state == "up", 4, f"up: {line()}")
    until(lambda: line() and line().state == "off", 3, f"off: {line()}")
    (last,) = engine.timeline(MAC)
    assert [stage.state for stage in last.stages] == ["done"] * 5 + ["waiting"]


def test_forty_boards_that_ask_at_once_are_all_on_the_wall(served: Served) -> None:
    macs = [f"dc:a6:32:00:01:{n:02x}" for n in range(40)]
    hosts = served.path / "derived" / "dnsmasq" / "hosts.d"
    for n, mac in enumerate(macs):
        (hosts / mac.replace(":", "-")).write_text(f"{mac},10.77.0.{n + 100},pi-{n}\n")
    engine = Engine(served.path)
    board = served.lab.board("dc:a6:32:00:01:ff")
    answered: set[str] = set()

    def ask(mac: str) -> None:
        with board.inside(), dhcp.Client(mac) as asking:
            if asking.lease(dhcp.UBOOT, 8) is not None:
                answered.add(mac)

    threads = [threading.Thread(target=ask, args=(mac,)) for mac in macs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answered == set(macs)

    def wall() -> dict[str, str]:
        return {one.mac: one.stage for one in engine.boots() if one.mac in answered}

    until(lambda: wall() == dict.fromkeys(macs, "files"), 3, f"all on the wall: {wall()}")
