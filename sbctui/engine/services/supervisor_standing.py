"""How a daemon stands, for who asks while another thread keeps it running."""

from __future__ import annotations

import threading

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services.port import State, Status
from sbctui.engine.services.processes import Process


class Standing:
    """One daemon's state, and whether another process of it is asked for. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._status = Status(name, "starting")
        self._another = False
        self._changed = threading.Condition()

    def status(self) -> Status:
        """Its state now."""
        with self._changed:
            return self._status

    def settled(self, seconds: float) -> Status:
        """Its state once it is no longer starting, or after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._status.state != "starting", seconds)
            return self._status

    def say(self, state: State, detail: str, process: Process | None, restarts: int) -> None:
        """What it is from now on; ``process`` is the one that runs, if one does."""
        pid, since = (process.pid, process.since) if process else (0, 0.0)
        with self._changed:
            self._status = Status(self._name, state, detail, pid, since, restarts)
            self._changed.notify_all()

    @property
    def another_wanted(self) -> bool:
        """Whether somebody waits for another process of it."""
        return self._another

    def want_another(self) -> bool:
        """Ask for another process; False, and nothing asked, where it is off."""
        with self._changed:
            self._another = self._status.state != "off"
            return self._another

    def settle_another(self) -> None:
        """Whoever asked for a new process has it, or what there is to say."""
        with self._changed:
            self._another = False
            self._changed.notify_all()

    def replaced(self, seconds: float) -> Status:
        """Its state once that is settled. Raises ServiceFailed after ``seconds``."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._another, seconds):
                raise ServiceFailed(f"{self._name} was not replaced within {seconds:g} s")
            return self._status
