"""Which daemons a site has, made from its settings."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from sbctui.engine.errors import SbcError, ServiceFailed
from sbctui.engine.model.boots import BootNews
from sbctui.engine.model.settings import Network, is_host
from sbctui.engine.model.site import STAGING, Lease, Seen, Session
from sbctui.engine.services.boots import BootFollower
from sbctui.engine.services.dnsmasq import DnsmasqDaemon
from sbctui.engine.services.dnsmasq_net import addresses
from sbctui.engine.services.gate_client import GateClient
from sbctui.engine.services.gate_daemon import GateDaemon
from sbctui.engine.services.gate_rules import RULES, read_closed
from sbctui.engine.services.http_daemon import HttpDaemon
from sbctui.engine.services.leases import lease_file, read_leases
from sbctui.engine.services.nbd_exports import NbdExports
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Changes, Daemon
from sbctui.engine.services.processes import Process
from sbctui.engine.services.rundir import DAEMONS
from sbctui.engine.services.seen import SeenBoards
from sbctui.engine.services.storage import StorageDaemon
from sbctui.engine.services.storage_copy import CopyState
from sbctui.engine.services.supervise_place import Place
from sbctui.engine.services.supervisor import Services
from sbctui.engine.services.supervisor_holds import Holds
from sbctui.engine.store import read_settings


def services(site: Path, place: Place) -> Services:
    """The daemons of a site: storage, gate, dnsmasq, http. Raises NotASite, NotPermitted."""
    serving = SiteServing(site, place)
    return Services((serving.storage, *serving.renewed()), serving, serving.renewed)


class SiteServing:
    """What the daemons do together. Thread-safe."""

    def __init__(self, site: Path, place: Place) -> None:
        run = place.run / DAEMONS
        derived = DerivedExports(site)
        self.storage = StorageDaemon(derived, run, place.owner)
        self._site = site
        self._place = place
        self._run = run
        self._exports = NbdExports(derived, self.storage, GateClient(run))
        self._holds = Holds(place.run / "holds.json")
        self._seen = SeenBoards(site)
        self._boots = BootFollower(site, place.user)
        self._deaf = ""
        self._acting = threading.RLock()
        self._rules_stamp = (0, 0)
        self._closed: set[str] = set()
        self._dhcp: DnsmasqDaemon | None = None
        self._copies: dict[str, Process] = {}

    def renewed(self) -> tuple[Daemon, ...]:
        """The daemons that the settings shape, for the settings as they are now.

        Raises ServiceFailed when a DHCP server that serves could not go on with them.
        """
        settings = read_settings(self._site)
        network, owner = settings.network, self._place.owner
        derived = DerivedExports(self._site)
        dhcp = DnsmasqDaemon(self._site, self._place.run, settings, owner)
        reason = dhcp.off() if network.interface else ""
        if reason and self._dhcp is not None and not self._dhcp.off():
            raise ServiceFailed(reason)
        self._dhcp = dhcp
        self._deaf = self._seen.listen(network.interfaces)
        here = listen_on(network)
        gate = GateDaemon(derived, self._run, owner, here, network.nbd_port)
        return gate, self._dhcp, HttpDaemon(self._site, network, owner, here)

    def apply(self, asker: int, exports: Collection[str] = ()) -> Changes:
        """Follow ``derived/exports``; what ``asker``, or one who has ended, held is back."""
        with self._acting:
            for export in self._holds.lift(asker) | self._forgotten():
                with suppress(SbcError):  # what can't be served is among the refused below
                    self._give_back(export)
            return self._exports.apply(exports)

    def pending(self) -> bool:
        """Whether ``apply`` has work though the site did not change."""
        with self._acting:
            abandoned = [copy for copy, asker in self._copies.items() if asker.wait(0)]
        for copy in abandoned:
            with suppress(ServiceFailed):
                self.end_copy(copy)
        with self._acting:
            return self._holds.lapsed() or bool(self._forgotten()) or self._exports.pending()

    def withdraw(self, export: str, *, cut: bool, asker: int) -> None:
        """Close the gate and drop the export until ``asker`` restores it, applies or ends."""
        with self._acting:
            self._exports.withdraw(export, cut=cut)
            self._hold(export, asker)

    def restore(self, export: str) -> None:
        """Undo ``withdraw`` and ``close``."""
        with self._acting:
            self._holds.drop(export)
            self._give_back(export)

    def close(self, export: str, asker: int) -> None:
        """Admit no new session until ``asker`` restores it, applies or ends."""
        with self._acting:
            self._exports.close(export)
            self._hold(export, asker)

    def copy(self, export: str, name: str, asker: int) -> str:
        """Copy a disk into the staged node ``name``; until ``asker`` ends, or ends the copy."""
        process = Process.open(asker)
        if process is None:
            raise ServiceFailed("whoever asked has ended")
        try:
            copy = self.storage.copy(export, self._site / "nodes" / (STAGING + name))
        except SbcError:
            process.close()
            raise
        with self._acting:
            self._copies[copy] = process
        return copy

    def copied(self, copy: str) -> CopyState:
        """How far a copy is. Raises ServiceFailed when it came to nothing."""
        return self.storage.look_at_copy(copy)

    def end_copy(self, copy: str) -> None:
        """Let go of a copy's file."""
        with self._acting:
            asker = self._copies.pop(copy, None)
        if asker is not None:
            asker.close()
        self.storage.end_copy(copy)

    def cut(self, export: str) -> None:
        """End the open session."""
        self._exports.cut(export)

    def sessions(self) -> tuple[Session, ...]:
        """Who is connected."""
        return self._exports.sessions()

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force."""
        return read_leases(lease_file(self._site))

    def seen(self) -> tuple[Seen, ...]:
        """Unknown boards."""
        return self._seen.boards()

    def boots(self, version: int) -> BootNews:
        """Boots that changed since a version."""
        return self._boots.news(version)

    def begin_following(self) -> str:
        """Follow every boot; empty, or what can't be followed or heard, and why."""
        try:
            self._boots.begin()
        except OSError as error:
            return f"boots can't be followed: {error.strerror or error}"
        return self._deaf

    def end_following(self) -> None:
        """Follow no boot, and hear no request."""
        self._boots.close()
        self._seen.close()

    def release(self, mac: str, ip: IPv4Address) -> None:
        """Release a lease, where there is a DHCP server."""
        dhcp = self._dhcp
        if dhcp is not None and not dhcp.off():
            dhcp.release(mac, ip)

    def _hold(self, export: str, asker: int) -> None:
        if not self._holds.hold(export, asker):
            self._give_back(export)

    def _give_back(self, export: str) -> None:
        try:
            self._exports.restore(export)
        finally:
            self._exports.open(export)

    def _forgotten(self) -> set[str]:
        """Closed at the gate by a supervisor that died before it wrote down for whom."""
        with suppress(OSError):
            facts = (self._run / RULES).stat()
            stamp = (facts.st_ino, facts.st_mtime_ns)
            if stamp != self._rules_stamp:
                self._rules_stamp = stamp
                self._closed = read_closed(self._run / RULES)
        return self._closed - self._holds.held()


def listen_on(network: Network) -> Sequence[IPv4Address]:
    """Where boards reach the gate; none for a site without a network."""
    if network.subnet is None:
        return ()
    own = list(_own(network.interface, network.subnet, network.server))
    for one in network.more:
        own += _own(one.interface, one.subnet, one.server)
    return tuple(dict.fromkeys(own))


def _own(interface: str, subnet: IPv4Network, server: IPv4Address | None) -> Sequence[IPv4Address]:
    """This machine's addresses in a subnet; the usual one where it has none yet."""
    if server is not None:
        return (server,)
    here = [ip for ip in addresses(interface) if is_host(subnet, ip)]
    return here or (subnet.network_address + 1,)
