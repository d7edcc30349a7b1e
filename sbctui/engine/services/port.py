"""What the services promise: addresses and boot files (Dhcp), disks (Exports), supervision.

Adapters live beside this file; a contract suite under tests/services holds each to its port.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from sbctui.engine.model.boots import BootNews
from sbctui.engine.model.node import DiskFormat
from sbctui.engine.model.site import Lease, Seen, Session

Report = Callable[[int, int], None]
"""Called with (bytes done, bytes in all)."""


@dataclass(frozen=True, slots=True)
class Host:
    """A board that gets an address: MAC with colons, its address, its host name."""

    mac: str
    ip: IPv4Address
    hostname: str


@dataclass(frozen=True, slots=True)
class Target:
    """One disk to serve, to one address only. ``file`` and ``base`` are absolute paths.

    ``base`` is the raw disk under a qcow2 overlay; the path in the overlay is never followed.
    """

    export: str
    file: Path
    format: DiskFormat
    address: IPv4Address
    base: Path | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a reconcile did, by name; ``refused`` maps a name to the daemon's own line."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


State = Literal["running", "starting", "stopped", "failing", "off"]
"""``off`` = not wanted here (no interface, or not permitted); the detail says why."""


@dataclass(frozen=True, slots=True)
class Status:
    """One daemon: state, a sentence with the remedy when it is not running, pid, uptime."""

    name: str
    state: State
    detail: str = ""
    pid: int = 0
    since: float = 0.0
    restarts: int = 0


class Dhcp(Protocol):
    """Gives boards their addresses and boot files."""

    def reconcile(self, wanted: Mapping[str, Host]) -> Changes:
        """Add, change, remove hosts by dashed MAC; no other board notices."""

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force, from the lease file."""

    def seen(self) -> tuple[Seen, ...]:
        """Boards without a node that asked for an address, newest first."""


class Exports(Protocol):
    """Serves disks."""

    def reconcile(self, wanted: Mapping[str, Target]) -> Changes:
        """Add, change, remove by export name; running sessions of others never notice."""

    def sessions(self) -> tuple[Session, ...]:
        """Who is connected to what, now."""


class Daemon(Protocol):
    """A program the supervisor keeps running. One implementation per program."""

    @property
    def name(self) -> str:
        """Short name in status, log and pid file: ``dnsmasq``, ``storage``, ``gate``, ``http``."""

    def off(self) -> str:
        """Empty when wanted; else why it is not started here, with the remedy."""

    def prepare(self) -> None:
        """Write and test its configuration. Raises ServiceFailed with the program's own line."""

    def argv(self) -> Sequence[str]:
        """The argument list; the program must stay in the foreground."""

    def drop_privileges(self) -> bool:
        """Whether the supervisor starts it as the site's owner (else it drops them itself)."""

    def healthy(self) -> str:
        """Empty when it answers within 1 s; else what is wrong. Never raises."""

    def started(self) -> None:
        """Called once it is healthy after a (re)start: put exports or rules back."""


@runtime_checkable
class Relieved(Protocol):
    """A daemon that another process of it can take over from, unnoticed by who is connected."""

    def successor(self) -> Sequence[str]:
        """The argument list of that process: it ends by itself when it can't take over.

        The old one ends with exit code 0 once it has handed over, and else goes on.
        """


class Control(Protocol):
    """How the engine talks to the site's services; every wait is bounded and stoppable.

    When nothing is running ``running()`` is False, queries answer empty, and the acts below do
    nothing: what they would do is derived at the next start.
    """

    def running(self) -> bool:
        """Whether a supervisor answers."""

    def status(self) -> tuple[Status, ...]:
        """Every daemon, also when none runs. Never raises."""

    def apply(self, exports: Collection[str] = ()) -> Changes:
        """Make the daemons follow ``derived/`` now, for these exports or for all.

        Raises ServiceFailed.
        """

    def withdraw(self, export: str, *, cut: bool) -> None:
        """Close the gate and drop the export. Raises Refused while a session is open."""

    def restore(self, export: str) -> None:
        """Undo ``withdraw``."""

    def drain(self, export: str, seconds: int, *, cut: bool, stop: threading.Event) -> bool:
        """Admit nobody new, wait; True when nobody is connected any more."""

    def copy(self, export: str, name: str, stop: threading.Event, report: Report) -> None:
        """Copy a served disk as it is at one instant into the staged node ``name``.

        The node's disk is an empty file of the same size, or for an overlay an empty one on the
        same base. Boards that write meanwhile go on.
        Raises Cancelled, NoSpace, Refused, ServiceFailed; what is in the file then is nothing.
        """

    def reload_dhcp(self) -> None:
        """Make dnsmasq forget deleted host files (SIGHUP)."""

    def release(self, mac: str, ip: IPv4Address) -> None:
        """Release a lease, so that the address is free at once."""

    def sessions(self) -> tuple[Session, ...]:
        """Sessions the gate knows."""

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force."""

    def seen(self) -> tuple[Seen, ...]:
        """Unknown boards."""

    def boots(self, version: int = 0) -> BootNews:
        """Boots of boards that changed since a version (0: all), the newest of each last.

        When nothing runs: as they were last written down.
        """
