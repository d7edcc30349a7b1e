"""Keeping one daemon running: start or adopt, watch, detect a hang, restart with back-off."""

from __future__ import annotations

import math
import os
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from sbctui.engine import commands
from sbctui.engine.errors import SbcError, ServiceFailed
from sbctui.engine.services import processes
from sbctui.engine.services.port import Daemon, Relieved, State, Status
from sbctui.engine.services.processes import MARK, Process
from sbctui.engine.services.supervise_place import Pace, Place, open_log, version_of
from sbctui.engine.services.supervisor_relief import relieved

_FAULTS = (SbcError, OSError)


class Keeper:
    """One daemon and the thread that keeps it running."""

    def __init__(
        self, daemon: Daemon, place: Place, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        self.name = daemon.name
        self._daemon = daemon
        self._place = place
        self._pace = pace
        self._tell = tell
        self._candidate: Daemon | None = None
        self._process: Process | None = None
        self._status = Status(self.name, "starting")
        self._refused = ""
        self._killed = ""
        self._furnished = False
        self._renewal = math.inf
        self._anew = False
        self._version = ""
        self._restarts = 0
        self._tries = 0
        self._log_from = 0
        self._changed = threading.Condition()
        self._leaving = threading.Event()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def begin(self) -> None:
        """Start keeping it."""
        self._thread.start()

    def status(self) -> Status:
        """Its state now."""
        with self._changed:
            return self._status

    def settled(self, seconds: float) -> Status:
        """Its state once it is no longer starting, or after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._status.state != "starting", seconds)
            return self._status

    def renew(self, daemon: Daemon) -> None:
        """Take over new settings: tested first, restarted only if its configuration differs."""
        self._candidate = daemon
        self._ring()

    def replace(self, seconds: float) -> None:
        """Put a new process in the place of the running one; who is connected notices nothing.

        Raises ServiceFailed when the old one goes on, or nothing came of it within ``seconds``.
        """
        with self._changed:
            if self._status.state == "off":
                return
            self._anew = True
        self._ring()
        with self._changed:
            if not self._changed.wait_for(lambda: not self._anew, seconds):
                raise ServiceFailed(f"{self.name} was not replaced within {seconds:g} s")
            status, refused = self._status, self._refused
        if status.state != "running" or refused:
            raise ServiceFailed(f"{self.name}: {refused or status.detail}")

    def signal(self, number: int) -> bool:
        """Send a signal to the running daemon; False when it is not running."""
        process = self._process
        return process is not None and process.send(number)

    def leave(self) -> None:
        """Stop watching; the daemon keeps running and can be adopted."""
        self._leaving.set()
        self._ring()
        self._thread.join()

    def end(self) -> None:
        """Stop watching and end the daemon."""
        self.leave()
        self._end_process(self._process or self._running())
        self._say("stopped")

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _run(self) -> None:
        while not self._leaving.is_set():
            try:
                self._live()
            except Exception as error:  # noqa: BLE001 - outlives any fault of an adapter
                self._tell(f"{self.name}: {type(error).__name__}: {error}")
                self._say("failing", str(error))
                self._pause(healthy=False)

    def _live(self) -> None:
        """One life of the daemon, from start or adoption to its end."""
        if self._candidate is not None:
            self._daemon, self._candidate = self._candidate, None
        reason = self._daemon.off()
        if reason:
            if self.status().state != "off":
                self._end_process(self._running())
            self._say("off", reason)
            self._replaced()
            self._hear(self._pace.again)
            return
        self._furnished = healthy = False
        began = monotonic()
        adopted = self._adopt()
        process = self._process = adopted or self._start()
        healthy = process is not None and self._become_healthy(process)
        if adopted is None:
            self._replaced()
        if process is not None:
            if healthy:
                process = self._watch(process)
            if self._leaving.is_set():
                return
            self._bury(process, healthy)
        if healthy and monotonic() - began >= self._pace.steady:
            self._tries = 0
        self._pause(healthy)

    def _adopt(self) -> Process | None:
        """A daemon that an earlier supervisor left running, or None."""
        process = self._running()
        if process is None:
            return None
        record = processes.read_record(self._place.record(self.name))
        self._prepare()
        now = version_of(self._daemon)
        if record is not None and record.pid == process.pid:
            self._restarts = record.restarts
            if record.version != now and isinstance(self._daemon, Relieved):
                self._renewal = 0.0
                now = record.version
            elif record.version != now:
                self._tell(f"{self.name}: its configuration changed meanwhile, restarted")
                self._end_process(process)
                return None
        self._version = now
        self._record(process)
        self._tell(f"{self.name}: adopted, pid {process.pid}")
        return process

    def _running(self) -> Process | None:
        place = self._place
        return processes.find_running(place.record(self.name), place.mark(self.name))

    def _start(self) -> Process | None:
        self._say("failing" if self._tries else "starting", self._status.detail)
        self._prepare()
        version = version_of(self._daemon)
        try:
            process = self._spawn(self._daemon.argv())
        except _FAULTS as error:
            self._tell(f"{self.name}: {error}")
            self._say("failing", str(error))
            return None
        self._version, self._renewal = version, math.inf
        self._record(process)
        self._tell(f"{self.name}: started, pid {process.pid}")
        return process

    def _prepare(self) -> bool:
        """Write and test the configuration; False when refused: the old one stays in force."""
        try:
            self._daemon.prepare()
        except _FAULTS as error:
            self._refused = str(error)
            self._tell(f"{self.name}: configuration refused: {error}")
            return False
        self._refused = ""
        return True

    def _spawn(self, argv: Sequence[str]) -> Process:
        user = self._place.user if self._daemon.drop_privileges() else None
        log = open_log(self._place.log(self.name), self._place.owner)
        try:
            self._log_from = os.fstat(log).st_size
            child = commands.start(
                argv,
                log_file=Path(f"/proc/self/fd/{log}"),
                env={MARK: self._place.mark(self.name)},
                user=user[0] if user else None,
                group=user[1] if user else None,
            )
        finally:
            os.close(log)
        process = Process.open(child.pid, child=child)
        if process is None:
            raise ServiceFailed(f"{self.name} can't be watched: its process {child.pid} is gone")
        return process

    def _record(self, process: Process) -> None:
        processes.write_record(
            self._place.record(self.name), process, self._restarts, self._version
        )

    def _become_healthy(self, process: Process) -> bool:
        """Wait until it answers; False when it ended or never did."""
        deadline = monotonic() + self._pace.start
        step = 0.02
        while not self._leaving.is_set():
            if process.wait(0):
                return False
            wrong = self._daemon.healthy()
            if not wrong:
                self._furnish()
                return True
            if monotonic() >= deadline:
                self._kill(process, f"no answer {self._pace.start:g} s after its start: {wrong}")
                return False
            process.wait(step)
            step = min(step * 1.5, 0.25)
        return False

    def _furnish(self) -> None:
        """Give it back its exports or rules; what fails is tried again with every check."""
        try:
            self._daemon.started()
        except _FAULTS as error:
            self._say("failing", str(error))
        else:
            self._furnished = True
            self._say("running")

    def _watch(self, process: Process) -> Process:
        """Until it ends, hangs, is to be restarted or the keeper is to leave; who ran last."""
        missed = 0
        while not self._leaving.is_set():
            if process.wait(self._pace.first if missed else self._pace.tick, self._bell):
                return process
            if self._to_be_renewed():
                if not isinstance(self._daemon, Relieved) or self._daemon.off():
                    process.end(self._pace.grace)
                    return process
                process = self._relieve(process, self._daemon)
            wrong = self._daemon.healthy()
            missed = missed + 1 if wrong else 0
            if missed >= self._pace.misses:
                self._kill(process, f"it hung: {wrong}")
                return process
            if wrong:
                self._say("running", f"answers late: {wrong}")
            elif self._furnished:
                self._say("running")
            else:
                self._furnish()
        return process

    def _to_be_renewed(self) -> bool:
        """Whether another process is wanted now: by new settings, a new program, or on request."""
        if (self._heard() and self._superseded()) or self._anew:
            self._renewal = 0.0
        return monotonic() >= self._renewal

    def _relieve(self, process: Process, daemon: Relieved) -> Process:
        """Have another process take over; the same one when that did not come about."""
        version, log = version_of(self._daemon), self._place.log(self.name)
        begun = log.stat().st_size if log.exists() else 0
        try:
            successor = self._spawn(daemon.successor())
        except _FAULTS as error:
            self._not_relieved(str(error))
            return process
        if relieved(process, successor, self._leaving):
            self._tell(f"{self.name}: handed over from {process.pid} to {successor.pid}")
            self._forget(process)
            self._process, self._version, self._renewal = successor, version, math.inf
            self._furnished, self._refused = False, ""
            self._record(successor)
            self._become_healthy(successor)
            self._replaced()
            return successor
        if not self._leaving.is_set():
            self._not_relieved(processes.last_line(log, begun) or successor.outcome())
        successor.outcome()
        successor.close()
        return process

    def _not_relieved(self, why: str) -> None:
        """The old process goes on; another attempt later."""
        self._refused = why
        self._tell(f"{self.name}: not relieved: {why}")
        self._renewal = monotonic() + self._pace.longest
        self._say("running")
        self._replaced()

    def _replaced(self) -> None:
        """Whoever asked for a new process has it, or what there is to say."""
        with self._changed:
            self._anew = False
            self._changed.notify_all()

    def _kill(self, process: Process, why: str) -> None:
        self._killed = f"killed, {why}"
        process.kill()

    def _superseded(self) -> bool:
        """Whether new settings were accepted and want a restart."""
        candidate, self._candidate = self._candidate, None
        if candidate is None:
            return False
        before, self._daemon = self._daemon, candidate
        if candidate.off():
            return True
        if not self._prepare():
            self._daemon = before
            return False
        return version_of(candidate) != self._version

    def _bury(self, process: Process, healthy: bool) -> None:
        process.wait(self._pace.grace)
        complaint = processes.last_line(self._place.log(self.name), self._log_from)
        detail = f"{self._killed or process.outcome()}{'; ' + complaint if complaint else ''}"
        self._killed = ""
        self._restarts += 1
        self._tell(f"{self.name}: {detail}")
        self._forget(process)
        if healthy:
            self._say("starting", detail)
        else:
            self._say("failing", self._refused or detail)

    def _end_process(self, process: Process | None) -> None:
        if process is not None:
            process.end(self._pace.grace)
            self._forget(process)

    def _forget(self, process: Process) -> None:
        process.outcome()
        process.close()
        self._process = None
        with suppress(OSError):
            self._place.record(self.name).unlink()

    def _pause(self, healthy: bool) -> None:
        """At once the first time, then longer and longer."""
        delay = self._pace.delay(self._tries, healthy=healthy)
        if self._refused:  # it may only lack an address that comes up late
            delay = min(delay, self._pace.again)
        self._tries += 1
        if delay:
            self._hear(delay)

    def _hear(self, seconds: float) -> None:
        select.select([self._bell], [], [], seconds)
        self._heard()

    def _heard(self) -> bool:
        with suppress(BlockingIOError):
            return os.eventfd_read(self._bell) > 0
        return False

    def _say(self, state: State, detail: str = "") -> None:
        process = self._process
        if state == "running" and self._refused:
            detail = f"new configuration refused, the old one stays in force: {self._refused}"
        status = Status(
            self.name,
            state,
            detail,
            process.pid if process else 0,
            process.since if process else 0.0,
            self._restarts,
        )
        with self._changed:
            self._status = status
            self._changed.notify_all()
