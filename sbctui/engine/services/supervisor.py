"""All daemons of one site, kept in order, following the site's generation and settings."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic, time, time_ns
from typing import Any, Protocol

from sbctui.engine.errors import BadInput, SbcError
from sbctui.engine.files import is_held
from sbctui.engine.lockfile import read_lock
from sbctui.engine.model.addresses import parse_ip, parse_mac, parse_name
from sbctui.engine.model.boots import BootNews
from sbctui.engine.model.site import Lease, Seen, Session
from sbctui.engine.services import control_wire as wire
from sbctui.engine.services.control_server import Call, Handler
from sbctui.engine.services.port import Changes, Daemon, Status
from sbctui.engine.services.storage_copy import CopyState
from sbctui.engine.services.supervise_place import Pace, Place, shorten_log
from sbctui.engine.services.supervisor_keeper import Keeper

_FOLLOW = 0.25
"""Seconds between looks at the site's generation."""
_LOGS = 60.0
"""Seconds between looks at the length of the logs."""
_SERVING = {"storage", "gate"}
_PATIENCE = 5.0
"""Seconds an apply waits for a daemon that is just being restarted."""
_REPLACED = 50.0
"""Seconds a service may take to be replaced by a new process of it."""
_FRESH = 1.0
"""Seconds in which two changes of a file may bear the same time."""
_SETTLED = 0.5
"""Seconds a generation must last before it is followed unasked."""
_ABANDONED = 2.0
"""Seconds a half-written generation may last with nobody holding the lock."""


class Serving(Protocol):
    """What a site's daemons do together: disks to boards, addresses to boards."""

    def apply(self, asker: int, exports: Collection[str] = ()) -> Changes:
        """Make these exports, or all, follow ``derived/``.

        What ``asker`` (a process) withdrew is back.
        """

    def withdraw(self, export: str, *, cut: bool, asker: int) -> None:
        """Close the gate and drop the export until it is restored or ``asker`` ends."""

    def restore(self, export: str) -> None:
        """Undo ``withdraw``."""

    def close(self, export: str, asker: int) -> None:
        """Admit no new session."""

    def cut(self, export: str) -> None:
        """End the open session."""

    def copy(self, export: str, name: str, asker: int) -> str:
        """Copy a disk into the staged node ``name``; the copy, until ``asker`` ends."""

    def copied(self, copy: str) -> CopyState:
        """How far a copy is."""

    def end_copy(self, copy: str) -> None:
        """Let go of a copy's file."""

    def sessions(self) -> tuple[Session, ...]:
        """Who is connected."""

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force."""

    def seen(self) -> tuple[Seen, ...]:
        """Unknown boards."""

    def release(self, mac: str, ip: IPv4Address) -> None:
        """Release a lease."""

    def boots(self, version: int) -> BootNews:
        """Boots that changed since a version."""

    def begin_following(self) -> str:
        """Follow what boards do, until ``end_following``; what of it can't be done, and why."""

    def end_following(self) -> None:
        """Follow it no more."""

    def pending(self) -> bool:
        """Whether ``apply`` has work though the site did not change: a drained session."""


@dataclass(frozen=True, slots=True)
class Services:
    """A site's daemons in the order of their start, and what they do together.

    ``renewed`` gives the daemons for the settings as they are now: only those that new
    settings may change. Raises SbcError.
    """

    daemons: tuple[Daemon, ...]
    serving: Serving
    renewed: Callable[[], tuple[Daemon, ...]]


class Supervisor:
    """Keeps the daemons and answers for them."""

    def __init__(
        self, site: Path, services: Services, place: Place, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        self._site = site
        self._services = services
        self._place = place
        self._pace = pace
        self._tell = tell
        self._keepers = {d.name: Keeper(d, place, pace, tell) for d in services.daemons}
        self._generation = -1
        self._lock_stamp = (0, 0)
        self._lock_generation = 0
        self._waiting = -1
        self._waiting_since = 0.0
        self._settings = self._stamp()
        self._trouble = ""
        self._said = ""
        self._instance = f"{os.getpid()}-{time_ns()}"
        self.ending = threading.Event()
        self.again = threading.Event()

    def begin(self) -> None:
        """Start or adopt every daemon, in order, each after the one before has settled."""
        if trouble := self._services.serving.begin_following():
            self._tell(trouble)
        for keeper in self._keepers.values():
            keeper.begin()
            keeper.settled(self._pace.start)

    def follow(self, stop: threading.Event) -> None:
        """Follow the site until ``stop`` is set, or an end or a new beginning is asked for."""
        shortened = monotonic()
        while not (stop.is_set() or self.ending.is_set() or self.again.is_set()):
            self._look()
            if monotonic() - shortened >= _LOGS:
                shortened = monotonic()
                for name in (*self._keepers, "supervise"):
                    shorten_log(self._place.log(name), self._place.owner)
            self.ending.wait(_FOLLOW)

    def end(self) -> None:
        """End every daemon, the last started first."""
        for keeper in reversed(self._keepers.values()):
            keeper.end()
        self._services.serving.end_following()

    def leave(self) -> None:
        """Leave every daemon running, for the next supervisor to adopt."""
        for keeper in self._keepers.values():
            keeper.leave()
        self._services.serving.end_following()

    def status(self) -> tuple[Status, ...]:
        """Every daemon; a refused site.toml is said with each that runs."""
        found = tuple(keeper.status() for keeper in self._keepers.values())
        if not self._trouble:
            return found
        return tuple(
            replace(status, detail=self._trouble) if status.state == "running" else status
            for status in found
        )

    def handlers(self) -> dict[str, Handler]:
        """What can be asked over the control socket."""
        serving = self._services.serving
        return {
            "status": lambda _: wire.STATUSES.dump_python(self.status(), mode="json"),
            "generation": lambda _: self._generation,
            "apply": self._apply,
            "withdraw": lambda c: serving.withdraw(
                c.text("export"), cut=c.flag("cut"), asker=c.pid
            ),
            "restore": lambda c: serving.restore(c.text("export")),
            "close": lambda c: serving.close(c.text("export"), c.pid),
            "copy": lambda c: serving.copy(c.text("export"), parse_name(c.text("name")), c.pid),
            "copied": lambda c: asdict(serving.copied(c.text("copy"))),
            "end_copy": lambda c: serving.end_copy(c.text("copy")),
            "cut": lambda c: serving.cut(c.text("export")),
            "sessions": lambda _: wire.SESSIONS.dump_python(serving.sessions(), mode="json"),
            "leases": lambda _: wire.LEASES.dump_python(serving.leases(), mode="json"),
            "boots": lambda c: wire.BOOTS.dump_python(
                serving.boots(c.number("version")), mode="json"
            ),
            "seen": lambda _: wire.SEEN.dump_python(serving.seen(), mode="json"),
            "reload_dhcp": lambda _: self._reload(),
            "release": lambda c: serving.release(parse_mac(c.text("mac")), parse_ip(c.text("ip"))),
            "replace": lambda c: self._replace(c.text("name")),
            "instance": lambda _: self._instance,
            "again": lambda _: self.again.set(),
            "stop": lambda _: self.ending.set(),
        }

    def _apply(self, call: Call) -> Any:
        generation = read_lock(self._site).generation
        exports = call.texts("exports")
        for name in _SERVING & self._keepers.keys():
            self._keepers[name].settled(_PATIENCE)
        changes = self._services.serving.apply(call.pid, exports)
        # Who asks holds the lock, and makes the generation even by letting go of it.
        self._generation = max(self._generation, generation + generation % 2)
        return wire.CHANGES.dump_python(changes, mode="json")

    def _replace(self, name: str) -> None:
        keeper = self._keepers.get(name)
        if keeper is None:
            raise BadInput(f"{name} is no service; they are {', '.join(self._keepers)}")
        keeper.replace(_REPLACED)

    def _reload(self) -> bool:
        keeper = self._keepers.get("dnsmasq")
        return keeper is not None and keeper.signal(signal.SIGHUP)

    def _look(self) -> None:
        """One look at the site: new settings, a new generation."""
        stamp = self._stamp()
        if stamp != self._settings:
            self._settings = stamp
            self._renew()
        generation = self._newest()
        changed = generation != self._generation and self._ready(generation)
        try:
            if changed or self._services.serving.pending():
                self._services.serving.apply(0)
        except Exception as error:  # noqa: BLE001 - the supervisor outlives any fault of an adapter
            self._late(f"generation {generation} is not served yet: {error}")
            return
        self._said = ""
        if changed:
            self._generation = generation

    def _newest(self) -> int:
        """The site's generation; its file is read again only after a change, and just after."""
        try:
            facts = os.stat(self._site / "lock")
        except OSError:
            return self._generation
        stamp = (facts.st_mtime_ns, facts.st_size)
        if stamp != self._lock_stamp or time() - facts.st_mtime < _FRESH:
            self._lock_stamp = stamp
            self._lock_generation = read_lock(self._site).generation
        return self._lock_generation

    def _late(self, sentence: str) -> None:
        """Say it once, not with every look."""
        if sentence != self._said:
            self._said = sentence
            self._tell(sentence)

    def _ready(self, generation: int) -> bool:
        """Whether nobody is in the middle of writing this generation, or a job of many.

        A job asks for its changes itself; this is for what nobody asked for.
        """
        now = monotonic()
        if generation != self._waiting:
            self._waiting, self._waiting_since = generation, now
        waited = now - self._waiting_since
        if generation % 2 == 0:
            return waited >= _SETTLED
        return waited > _ABANDONED and not is_held(self._site / "lock")

    def _renew(self) -> None:
        try:
            daemons = self._services.renewed()
        except (SbcError, OSError) as error:
            self._trouble = f"new settings refused, the old ones stay in force: {error}"
            self._tell(self._trouble)
            return
        self._trouble = ""
        self._tell("site.toml changed")
        for daemon in daemons:
            self._keepers[daemon.name].renew(daemon)

    def _stamp(self) -> tuple[int, int, int]:
        try:
            facts = os.stat(self._site / "site.toml")
        except OSError:
            return (0, 0, 0)
        return (facts.st_ino, facts.st_mtime_ns, facts.st_size)
