"""A site's dnsmasq in a lab, driven through the adapters alone: no engine, no supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Lease, Seen, Session
from sbctui.engine.services.dnsmasq import DnsmasqDaemon
from sbctui.engine.services.hosts import HostsDir, hosts_dir, log_file
from sbctui.engine.services.leases import lease_file, read_leases
from sbctui.engine.services.port import Changes, Host, Status
from sbctui.engine.services.seen import SeenBoards
from tests.lab import Board, Lab, needs, until


def mac(number: int) -> str:
    return f"dc:a6:32:00:{number >> 8:02x}:{number & 255:02x}"


def host(number: int, last: int | None = None, name: str = "") -> Host:
    """A board of the lab: number 7 is pi-7 at 10.77.0.57 unless told otherwise."""
    ip = IPv4Address(f"10.77.0.{number + 50 if last is None else last}")
    return Host(mac(number), ip, name or f"pi-{number}")


def table(*hosts: Host) -> dict[str, Host]:
    return {h.mac.replace(":", "-"): h for h in hosts}


def make_site(path: Path) -> Path:
    for folder in ("nodes", "state", "derived/dnsmasq/hosts.d", "derived/tftp"):
        (path / folder).mkdir(parents=True)
    return path


class World:
    """The site, its running dnsmasq, and the port's ``Control`` as far as DHCP needs it."""

    def __init__(self, lab: Lab, site: Path, run: Path, settings: Settings) -> None:
        self.lab = lab
        self.site = site
        self.run = run
        self.process: subprocess.Popen[bytes] | None = None
        self.reloads = 0
        self.daemon = self.made_with(settings)
        self.hosts = HostsDir(site, self)
        self.boards_seen = SeenBoards(site)

    def made_with(self, settings: Settings) -> DnsmasqDaemon:
        facts = self.site.stat()
        return DnsmasqDaemon(self.site, self.run, settings, (facts.st_uid, facts.st_gid))

    def start(self) -> None:
        with self.lab.server.inside():
            self.daemon.prepare()
            self.process = self.lab.server.start(self.daemon.argv(), stderr=subprocess.PIPE)
            until(lambda: not self.daemon.healthy(), 5, f"dnsmasq up: {self.log()[-800:]}")
            self.daemon.started()

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        try:
            return log_file(self.site).read_text()
        except FileNotFoundError:
            return ""

    def conf(self) -> bytes:
        return (self.site / "derived/dnsmasq/dnsmasq.conf").read_bytes()

    def boot_files(self, board: Board, **files: bytes) -> None:
        """A node's boot folder and the link to it, as the engine derives them."""
        boot = self.site / "nodes" / board.dashed / "boot"
        boot.mkdir(parents=True)
        for name, data in files.items():
            (boot / name.replace("_", ".")).write_bytes(data)
        (self.site / "derived/tftp" / board.dashed).symlink_to(f"../../nodes/{board.dashed}/boot")

    def listed(self) -> dict[str, str]:
        """What the folder of host files holds."""
        return {p.name: p.read_text() for p in hosts_dir(self.site).iterdir()}

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def status(self) -> tuple[Status, ...]:
        return (Status("dnsmasq", "running" if self.running() else "stopped"),)

    def reload_dhcp(self) -> None:
        assert self.process is not None
        self.reloads += 1
        os.kill(self.daemon.pid(), signal.SIGHUP)

    def release(self, mac: str, ip: IPv4Address) -> None:
        with self.lab.server.inside():
            self.daemon.release(mac, ip)

    def leases(self) -> tuple[Lease, ...]:
        return read_leases(lease_file(self.site))

    def seen(self) -> tuple[Seen, ...]:
        return self.boards_seen.boards()

    def apply(self) -> Changes:
        raise NotImplementedError

    def withdraw(self, export: str, *, cut: bool) -> None:
        raise NotImplementedError

    def restore(self, export: str) -> None:
        raise NotImplementedError

    def drain(self, export: str, seconds: int, *, cut: bool, stop: threading.Event) -> bool:
        raise NotImplementedError

    def sessions(self) -> tuple[Session, ...]:
        raise NotImplementedError


def lab_settings(lab: Lab, **network: object) -> Settings:
    given = {"interface": lab.interface, "subnet": str(lab.subnet), **network}
    return Settings.model_validate({"network": given})


@contextmanager
def world(path: Path, *, start: bool = True, **network: object) -> Iterator[World]:
    """A lab with dnsmasq serving an empty site under ``path``, or ready to with ``start``."""
    needs("dnsmasq", "dhcp_release", "ss")
    run = path / "run"
    run.mkdir()
    with Lab() as lab:
        made = World(lab, make_site(path / "site"), run, lab_settings(lab, **network))
        if start:
            made.start()
        yield made
