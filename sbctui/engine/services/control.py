"""How the rest of the engine talks to a site's supervisor: asking, and starting and ending it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from sbctui.engine import commands
from sbctui.engine.errors import Cancelled, Refused, SbcError, ServiceFailed
from sbctui.engine.model.boots import BootNews
from sbctui.engine.model.site import Lease, Seen, Session
from sbctui.engine.services import control_wire as wire
from sbctui.engine.services import processes, systemd
from sbctui.engine.services.control_client import Caller, Silent
from sbctui.engine.services.port import Changes, Report, Status
from sbctui.engine.services.processes import Child, Process
from sbctui.engine.services.supervise_place import DAEMONS, open_log, prepare_state
from sbctui.engine.store import check_site, read_settings

if TYPE_CHECKING:
    from sbctui.engine.boards.history import Kept

T = TypeVar("T")

_ACT = 60.0
"""Seconds an act may take: a thousand exports take five."""
_FEW = 64
"""Exports that are named in a request; of more, all are looked at."""
_START = 40.0
_STEP = 0.05
_LOOK = 0.1
"""Seconds between looks at how far a copy is."""
_KEPT = ("XDG_RUNTIME_DIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
"""What of our environment the supervisor gets."""
_UNASKED = "http = true in [network] of site.toml starts it"
_HINT = "start the services with: sbctui services start"


class SiteControl:
    """A site's services, as ``Control`` promises. Thread-safe: one connection a request."""

    def __init__(self, site_path: Path) -> None:
        self._site = site_path
        self._caller = Caller(site_path)

    def running(self) -> bool:
        """Whether a supervisor answers."""
        try:
            self._caller.ask("generation")
        except (Silent, ServiceFailed):
            return False
        return True

    def status(self) -> tuple[Status, ...]:
        """Every daemon, also when none runs. Never raises."""
        try:
            return self._query("status", wire.STATUSES, ())
        except ServiceFailed as error:
            return tuple(self._unwatched(name, str(error)) for name in DAEMONS)

    def generation(self) -> int:
        """The newest generation of the site that the daemons follow; -1 when none runs."""
        try:
            return int(self._caller.ask("generation"))
        except (Silent, ServiceFailed):
            return -1

    def apply(self, exports: Collection[str] = ()) -> Changes:
        """Make the daemons follow ``derived/`` now, for these exports or for all.

        Raises ServiceFailed.
        """
        few = sorted(exports) if len(exports) <= _FEW else []
        return self._act("apply", wire.CHANGES, Changes(), exports=few)

    def withdraw(self, export: str, *, cut: bool) -> None:
        """Close the gate and drop the export. Raises Refused while a session is open.

        Lasts until ``restore`` or ``apply`` by this process, or until this process ends.
        """
        self._do("withdraw", export=export, cut=cut)

    def restore(self, export: str) -> None:
        """Undo ``withdraw``."""
        self._do("restore", export=export)

    def drain(self, export: str, seconds: int, *, cut: bool, stop: threading.Event) -> bool:
        """Admit nobody new, wait; True when nobody is connected any more."""
        deadline = monotonic() + seconds
        if not self._do("close", export=export):
            return True
        while any(session.export == export for session in self.connected()):
            if stop.is_set() or monotonic() >= deadline:
                return cut and not stop.is_set() and self._cut(export)
            stop.wait(0.1)
        return True

    def copy(self, export: str, name: str, stop: threading.Event, report: Report) -> None:
        """Copy a served disk as it is at one instant into the staged node ``name``."""
        try:
            copy = self._caller.ask("copy", seconds=_ACT, export=export, name=name)
            try:
                while not self._copied(copy, report):
                    if stop.wait(_LOOK):
                        raise Cancelled("stopped while copying a disk; the half copy is gone")
            except BaseException:
                with suppress(ServiceFailed, Silent):  # what went wrong first is what is told
                    self._caller.ask("end_copy", seconds=_ACT, copy=copy)
                raise
            self._caller.ask("end_copy", seconds=_ACT, copy=copy)
        except Silent:
            raise ServiceFailed(
                "the services' supervisor ended while a disk was copied; the half copy is gone, "
                "try again"
            ) from None

    def _copied(self, copy: str, report: Report) -> bool:
        found = self._caller.ask("copied", copy=copy)
        report(int(found["done"]), int(found["total"]))
        return found["over"] is True

    def reload_dhcp(self) -> None:
        """Make dnsmasq forget deleted host files (SIGHUP)."""
        self._do("reload_dhcp")

    def release(self, mac: str, ip: IPv4Address) -> None:
        """Release a lease, so that the address is free at once."""
        self._do("release", mac=mac, ip=str(ip))

    def sessions(self) -> tuple[Session, ...]:
        """Sessions the gate knows; none when it can't be asked."""
        with suppress(ServiceFailed):
            return self.connected()
        return ()

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force."""
        with suppress(ServiceFailed):
            return self._query("leases", wire.LEASES, ())
        return ()

    def seen(self) -> tuple[Seen, ...]:
        """Unknown boards."""
        with suppress(ServiceFailed):
            return self._query("seen", wire.SEEN, ())
        return ()

    def boots(self, version: int = 0) -> BootNews:
        """Boots of boards that changed since a version (0: all), the newest of each last.

        When nothing runs, or what runs is of another version: as they were last written down.
        """
        try:
            return wire.BOOTS.validate_python(self._caller.ask("boots", version=version))
        except (Silent, SbcError, ValidationError):
            return self._kept.news(version)

    @cached_property
    def _kept(self) -> Kept:
        from sbctui.engine.boards.history import Kept

        return Kept(self._site)

    def end(self) -> None:
        """Ask the supervisor to end the daemons, newest first, and itself."""
        self._do("stop")

    def replace(self, name: str) -> None:
        """Put a new process in the place of a running daemon. Raises ServiceFailed, BadInput."""
        self._do("replace", name=name)

    def begin_anew(self, seconds: float) -> None:
        """Have the supervisor replace itself; returns when the new one answers.

        Raises ServiceFailed when none does within ``seconds``.
        """
        before = self._caller.ask("instance")
        self._do("again")
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            with suppress(Silent):
                if self._caller.ask("instance") != before:
                    return
            threading.Event().wait(_STEP)
        log = self._caller.site / "state" / "supervise.log"
        raise ServiceFailed(f"the supervisor did not begin anew within {seconds:g} s; see {log}")

    def connected(self) -> tuple[Session, ...]:
        """Sessions the gate knows. Raises ServiceFailed when it can't be asked."""
        return self._query("sessions", wire.SESSIONS, ())

    def _cut(self, export: str) -> bool:
        self._do("cut", export=export)
        return True

    def _unwatched(self, name: str, trouble: str) -> Status:
        record = processes.read_record(self._caller.run() / f"{name}.json")
        process = Process.open(record.pid, record.ticks, record.since) if record else None
        if process is None or record is None:
            if name == "http" and not self._wants_http():
                return Status(name, "off", _UNASKED)
            return Status(name, "stopped", trouble)
        process.close()
        detail = f"runs, but nothing watches it; {_HINT}"
        return Status(name, "running", detail, record.pid, record.since, record.restarts)

    def _wants_http(self) -> bool:
        with suppress(SbcError, OSError):
            return read_settings(self._site).network.http
        return False

    def _query(self, op: str, answer: TypeAdapter[T], nothing: T) -> T:
        """A question that has an answer even when nothing runs or the answer is late."""
        try:
            return answer.validate_python(self._caller.ask(op))
        except Silent:
            if op == "status":
                raise ServiceFailed(_HINT) from None
            return nothing
        except ValidationError:
            raise ServiceFailed("the supervisor is of another version; restart it") from None

    def _act(self, op: str, answer: TypeAdapter[T], nothing: T, **fields: object) -> T:
        try:
            return answer.validate_python(self._caller.ask(op, seconds=_ACT, **fields))
        except Silent:
            return nothing

    def _do(self, op: str, **fields: object) -> bool:
        """An act; False when no supervisor runs."""
        try:
            self._caller.ask(op, seconds=_ACT, **fields)
        except Silent:
            return False
        return True


def start_services(site_path: Path) -> None:
    """Start the supervisor, by its unit or in a session of its own, or find it running.

    Returns when every daemon runs or is off. Raises ServiceFailed with the line of the one
    that does not, NotASite, NotPermitted.
    """
    check_site(site_path)
    control = SiteControl(site_path)
    child = None
    log = site_path / "state" / "supervise.log"
    size = log.stat().st_size if log.exists() else 0
    if not control.running() and not systemd.start(site_path):
        child = _spawn(site_path)
    deadline = monotonic() + _START
    while monotonic() < deadline:
        if child is not None and child.poll() is not None and not control.running():
            raise ServiceFailed(
                f"the supervisor ended at once: {processes.last_line(log, size) or 'no message'}"
            )
        if control.running() and _settled(control.status()):
            return
        threading.Event().wait(_STEP)
    raise ServiceFailed(f"the services did not start within {_START:g} s; see {log}")


def _spawn(site: Path) -> Child:
    owner = site.stat()
    prepare_state(site, (owner.st_uid, owner.st_gid))
    log = open_log(site / "state" / "supervise.log", (owner.st_uid, owner.st_gid))
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        child = commands.start(
            [sys.executable, "-P", "-m", "sbctui.engine.services.supervise", site.resolve()],
            log_file=Path(f"/proc/self/fd/{log}"),
            env=kept,
        )
    finally:
        os.close(log)
    commands.detach(child)
    return child


def _settled(statuses: tuple[Status, ...]) -> bool:
    """Whether all run or are off. Raises ServiceFailed for one that fails."""
    for status in statuses:
        if status.state == "failing":
            raise ServiceFailed(f"{status.name} does not start: {status.detail}")
    return all(status.state in ("running", "off") for status in statuses)


def restart_services(site_path: Path, names: Sequence[str] = ()) -> None:
    """Begin the supervisor anew, with the program as it is now, and replace these daemons or all.

    Boards notice nothing: the gate hands its sockets over, and holds them while the storage
    daemon is away. What did not run is started. Raises ServiceFailed, NotASite, NotPermitted.
    """
    control = SiteControl(site_path)
    if not control.running():
        start_services(site_path)
        return
    control.begin_anew(_START)
    start_services(site_path)
    for name in names or DAEMONS:
        control.replace(name)


def _ended(control: SiteControl) -> bool:
    return all(status.state in ("stopped", "off") for status in control.status())


def stop_services(site_path: Path, force: bool) -> None:
    """End the daemons and their supervisor; boards lose their disks.

    Raises Refused naming the boards that are connected, unless forced; ServiceFailed.
    """
    control = SiteControl(site_path)
    if not control.running():
        if _ended(control):
            return
        with suppress(ServiceFailed):
            start_services(site_path)
    if not force:
        boards = sorted({session.export for session in control.connected()})
        if boards:
            shown = ", ".join(boards[:5]) + (f" and {len(boards) - 5} more" if boards[5:] else "")
            raise Refused(
                f"{len(boards)} boards have their disk open: {shown}; shut them down first, "
                "or stop with --cut"
            )
    control.end()
    deadline = monotonic() + _START
    while control.running() or not _ended(control):
        if monotonic() >= deadline:
            raise ServiceFailed(f"the services of {site_path} did not end within {_START:g} s")
        threading.Event().wait(_STEP)
