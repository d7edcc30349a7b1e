"""Keeping one daemon running: start or adopt, watch, detect a hang, restart with back-off."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from time import monotonic

from sbctui.engine.errors import SbcError, ServiceFailed
from sbctui.engine.services.port import Daemon, Relieved, State, Status
from sbctui.engine.services.processes import Process
from sbctui.engine.services.supervise_place import Pace, Place, version_of
from sbctui.engine.services.supervisor_bell import Bell
from sbctui.engine.services.supervisor_body import Body
from sbctui.engine.services.supervisor_relief import relieved
from sbctui.engine.services.supervisor_standing import Standing
from sbctui.engine.services.supervisor_wanted import Wanted

_FAULTS = (SbcError, OSError)


class Keeper:
    """One daemon and the thread that keeps it running."""

    def __init__(
        self, daemon: Daemon, place: Place, pace: Pace, tell: Callable[[str], None]
    ) -> None:
        self.name = daemon.name
        self._wanted = Wanted(daemon, tell)
        self._body = Body(daemon.name, place)
        self._pace = pace
        self._tell = tell
        self._process: Process | None = None
        self._standing = Standing(daemon.name)
        self._killed = ""
        self._furnished = False
        self._renewal = math.inf
        self._version = ""
        self._restarts = 0
        self._tries = 0
        self._leaving = threading.Event()
        self._bell = Bell()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def begin(self) -> None:
        """Start keeping it."""
        self._thread.start()

    def status(self) -> Status:
        """Its state now."""
        return self._standing.status()

    def settled(self, seconds: float) -> Status:
        """Its state once it is no longer starting, or after ``seconds``."""
        return self._standing.settled(seconds)

    def renew(self, daemon: Daemon) -> None:
        """Take over new settings: tested first, restarted only if its configuration differs."""
        self._wanted.offer(daemon)
        self._bell.ring()

    def replace(self, seconds: float) -> None:
        """Put a new process in the place of the running one; who is connected notices nothing.

        Raises ServiceFailed when the old one goes on, or nothing came of it within ``seconds``.
        """
        if not self._standing.want_another():
            return
        self._bell.ring()
        status = self._standing.replaced(seconds)
        if status.state != "running" or self._wanted.refused:
            raise ServiceFailed(f"{self.name}: {self._wanted.refused or status.detail}")

    def signal(self, number: int) -> bool:
        """Send a signal to the running daemon; False when it is not running."""
        process = self._process
        return process is not None and process.send(number)

    def leave(self) -> None:
        """Stop watching; the daemon keeps running and can be adopted."""
        self._leaving.set()
        self._bell.ring()
        self._thread.join()

    def end(self) -> None:
        """Stop watching and end the daemon."""
        self.leave()
        self._end(self._process or self._body.running())
        self._say("stopped")

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
        self._wanted.take()
        reason = self._wanted.daemon.off()
        if reason:
            if self.status().state != "off":
                self._end(self._body.running())
            self._say("off", reason)
            self._standing.settle_another()
            self._bell.wait(self._pace.again)
            return
        self._furnished = healthy = False
        began = monotonic()
        adopted = self._adopt()
        process = self._process = adopted or self._start()
        healthy = process is not None and self._become_healthy(process)
        if adopted is None:
            self._standing.settle_another()
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
        process = self._body.running()
        if process is None:
            return None
        record = self._body.recorded()
        self._wanted.prepare()
        now = version_of(self._wanted.daemon)
        if record is not None and record.pid == process.pid:
            self._restarts = record.restarts
            if record.version != now and isinstance(self._wanted.daemon, Relieved):
                self._renewal = 0.0
                now = record.version
            elif record.version != now:
                self._tell(f"{self.name}: its configuration changed meanwhile, restarted")
                self._end(process)
                return None
        self._version = now
        self._body.record(process, self._restarts, self._version)
        self._tell(f"{self.name}: adopted, pid {process.pid}")
        return process

    def _start(self) -> Process | None:
        self._say("failing" if self._tries else "starting", self.status().detail)
        self._wanted.prepare()
        version = version_of(self._wanted.daemon)
        try:
            process = self._body.spawn(self._wanted.daemon, self._wanted.daemon.argv())
        except _FAULTS as error:
            self._tell(f"{self.name}: {error}")
            self._say("failing", str(error))
            return None
        self._version, self._renewal = version, math.inf
        self._body.record(process, self._restarts, self._version)
        self._tell(f"{self.name}: started, pid {process.pid}")
        return process

    def _become_healthy(self, process: Process) -> bool:
        """Wait until it answers; False when it ended or never did."""
        deadline = monotonic() + self._pace.start
        step = 0.02
        while not self._leaving.is_set():
            if process.wait(0):
                return False
            wrong = self._wanted.daemon.healthy()
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
            self._wanted.daemon.started()
        except _FAULTS as error:
            self._say("failing", str(error))
        else:
            self._furnished = True
            self._say("running")

    def _watch(self, process: Process) -> Process:
        """Until it ends, hangs, is to be restarted or the keeper is to leave; who ran last."""
        missed = 0
        while not self._leaving.is_set():
            if process.wait(self._pace.first if missed else self._pace.tick, self._bell.fileno()):
                return process
            if self._to_be_renewed():
                if not isinstance(self._wanted.daemon, Relieved) or self._wanted.daemon.off():
                    process.end(self._pace.grace)
                    return process
                process = self._relieve(process, self._wanted.daemon)
            wrong = self._wanted.daemon.healthy()
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
        if (
            self._bell.rang() and self._wanted.superseded(self._version)
        ) or self._standing.another_wanted:
            self._renewal = 0.0
        return monotonic() >= self._renewal

    def _relieve(self, process: Process, daemon: Relieved) -> Process:
        """Have another process take over; the same one when that did not come about."""
        version = version_of(self._wanted.daemon)
        try:
            successor = self._body.spawn(self._wanted.daemon, daemon.successor())
        except _FAULTS as error:
            self._not_relieved(str(error))
            return process
        if relieved(process, successor, self._leaving):
            self._tell(f"{self.name}: handed over from {process.pid} to {successor.pid}")
            self._forget(process)
            self._process, self._version, self._renewal = successor, version, math.inf
            self._furnished, self._wanted.refused = False, ""
            self._body.record(successor, self._restarts, self._version)
            self._become_healthy(successor)
            self._standing.settle_another()
            return successor
        if not self._leaving.is_set():
            self._not_relieved(self._body.complaint() or successor.outcome())
        successor.outcome()
        successor.close()
        return process

    def _not_relieved(self, why: str) -> None:
        """The old process goes on; another attempt later."""
        self._wanted.refused = why
        self._tell(f"{self.name}: not relieved: {why}")
        self._renewal = monotonic() + self._pace.longest
        self._say("running")
        self._standing.settle_another()

    def _kill(self, process: Process, why: str) -> None:
        self._killed = f"killed, {why}"
        process.kill()

    def _bury(self, process: Process, healthy: bool) -> None:
        process.wait(self._pace.grace)
        complaint = self._body.complaint()
        detail = f"{self._killed or process.outcome()}{'; ' + complaint if complaint else ''}"
        self._killed = ""
        self._restarts += 1
        self._tell(f"{self.name}: {detail}")
        self._forget(process)
        if healthy:
            self._say("starting", detail)
        else:
            self._say("failing", self._wanted.refused or detail)

    def _end(self, process: Process | None) -> None:
        if process is not None:
            process.end(self._pace.grace)
            self._forget(process)

    def _forget(self, process: Process) -> None:
        self._process = None
        self._body.forget(process)

    def _pause(self, healthy: bool) -> None:
        """At once the first time, then longer and longer."""
        delay = self._pace.delay(self._tries, healthy=healthy)
        if self._wanted.refused:  # it may only lack an address that comes up late
            delay = min(delay, self._pace.again)
        self._tries += 1
        if delay:
            self._bell.wait(delay)

    def _say(self, state: State, detail: str = "") -> None:
        if state == "running" and self._wanted.refused:
            detail = (
                f"new configuration refused, the old one stays in force: {self._wanted.refused}"
            )
        self._standing.say(state, detail, self._process, self._restarts)
