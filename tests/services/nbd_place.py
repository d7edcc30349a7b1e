"""A small site whose disks are really served: storage daemon and gate, started as the supervisor
starts them, without the supervisor."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.gate_client import GateClient
from sbctui.engine.services.gate_daemon import GateDaemon
from sbctui.engine.services.nbd_exports import NbdExports
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Target
from sbctui.engine.services.storage import StorageDaemon
from tests.nbdclient import Board, board, until

MIB = 1 << 20
NOBODY = (65534, 65534)


def mac(number: int) -> str:
    return f"02-00-00-00-{number >> 8:02x}-{number & 255:02x}"


def source(number: int) -> str:
    """A loopback address of a board's own."""
    return f"127.1.{number >> 8}.{number & 255}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Place:
    """A site, its two daemons and the port they serve. ``owner`` is whom the daemons run as."""

    def __init__(self, path: Path, owner: tuple[int, int]) -> None:
        self.path = path
        self.run = path / "run"
        self.owner = owner
        self.port = free_port()
        for folder in (self.run, path / "derived" / "exports", path / "nodes"):
            folder.mkdir(parents=True)
            os.chown(folder, *owner)
        self.derived = DerivedExports(path)
        self.storage = StorageDaemon(self.derived, self.run, owner)
        listen = (IPv4Address("127.0.0.1"),)
        self.gate = GateDaemon(self.derived, self.run, owner, listen, self.port)
        self.client = GateClient(self.run)
        self.exports = NbdExports(self.derived, self.storage, self.client)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.boards: list[Board] = []

    def start(self, which: StorageDaemon | GateDaemon, *, furnish: bool = True) -> None:
        drop = which.drop_privileges() and os.geteuid() == 0 and self.owner[0] != 0
        which.prepare()
        self.processes[which.name] = commands.start(
            which.argv(),
            log_file=self.path / f"{which.name}.log",
            user=self.owner[0] if drop else None,
            group=self.owner[1] if drop else None,
        )
        assert until(lambda: not which.healthy(), 10), (which.healthy(), self.log(which.name))
        if furnish:
            which.started()

    def kill(self, name: str, number: int = 9) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(10)

    def log(self, name: str) -> str:
        return (self.path / f"{name}.log").read_text()

    def close(self) -> None:
        for one in self.boards:
            one.sock.close()
        self.storage.close()
        for name in list(self.processes):
            self.kill(name)

    def raw(self, number: int, size: int = 8 * MIB, address: str = "") -> Target:
        """A node with a sparse raw disk, and what is derived from it."""
        disk = self.path / "nodes" / mac(number) / "root.img"
        disk.parent.mkdir()
        os.chown(disk.parent, *self.owner)
        with open(disk, "wb") as file:
            file.truncate(size)
        os.chown(disk, *self.owner)
        return self.derive(Target(mac(number), disk, "raw", IPv4Address(address or source(number))))

    def base(self, name: str, content: bytes, size: int = 8 * MIB) -> Path:
        disk = self.path / "nodes" / name / "root.img"
        disk.parent.mkdir()
        os.chown(disk.parent, *self.owner)
        with open(disk, "wb") as file:
            file.write(content)
            file.truncate(size)
        os.chown(disk, *self.owner)
        return disk

    def overlay(
        self,
        number: int,
        base: Path | None,
        *options: str,
        header: str = "",
        size: int = 8 * MIB,
    ) -> Target:
        """A node with a qcow2 disk; ``header`` is the backing path written into the file."""
        disk = self.path / "nodes" / mac(number) / "root.qcow2"
        disk.parent.mkdir()
        os.chown(disk.parent, *self.owner)
        backing = ["-b", header, "-F", "raw", "-u"] if header else []
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", *options, *backing, disk, str(size)],
            check=True,
        )
        os.chown(disk, *self.owner)
        return self.derive(Target(mac(number), disk, "qcow2", IPv4Address(source(number)), base))

    def derive(self, target: Target) -> Target:
        path = self.path / "derived" / "exports" / f"{target.export}.json"
        path.write_bytes(render_export(target, self.path))
        return target

    def underive(self, export: str) -> None:
        (self.path / "derived" / "exports" / f"{export}.json").unlink()

    def board(self, number: int, address: str = "") -> Board:
        one = board(self.port, mac(number), address or source(number))
        self.boards.append(one)
        return one

    def unix(self, number: int) -> Board:
        """Straight to the storage daemon, past the gate."""
        one = Board(0, unix=str(self.run / "storage.sock"))
        self.boards.append(one)
        one.greet()
        return one.go(mac(number))


@contextmanager
def place(owner: tuple[int, int] | None = None, *, start: bool = True) -> Iterator[Place]:
    """Served in a folder short enough for unix sockets; gone with everything afterwards."""
    path = Path(tempfile.mkdtemp(prefix="sbc-"))
    path.chmod(0o755)
    here = Place(path, owner or (os.geteuid(), os.getegid()))
    try:
        if start:
            here.start(here.storage)
            here.start(here.gate)
        yield here
    finally:
        here.close()
        shutil.rmtree(path)
