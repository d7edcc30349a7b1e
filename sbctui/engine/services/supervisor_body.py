"""The processes of one daemon: started, written down for the next supervisor, found again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services import processes
from sbctui.engine.services.port import Daemon
from sbctui.engine.services.processes import MARK, Process, Record
from sbctui.engine.services.supervise_place import Place, open_log


class Body:
    """What is known of a daemon's processes by its name and place."""

    def __init__(self, name: str, place: Place) -> None:
        self._name = name
        self._place = place
        self._log_from = 0

    def running(self) -> Process | None:
        """The one that an earlier supervisor left running, if there is one."""
        return processes.find_running(self._place.record(self._name), self._place.mark(self._name))

    def spawn(self, daemon: Daemon, argv: Sequence[str]) -> Process:
        """Start one; what it says goes to the daemon's log. Raises ServiceFailed, ToolMissing."""
        user = self._place.user if daemon.drop_privileges() else None
        log = open_log(self._place.log(self._name), self._place.owner)
        try:
            self._log_from = os.fstat(log).st_size
            child = commands.start(
                argv,
                log_file=Path(f"/proc/self/fd/{log}"),
                env={MARK: self._place.mark(self._name)},
                user=user[0] if user else None,
                group=user[1] if user else None,
            )
        finally:
            os.close(log)
        process = Process.open(child.pid, child=child)
        if process is None:
            raise ServiceFailed(f"{self._name} can't be watched: its process {child.pid} is gone")
        return process

    def record(self, process: Process, restarts: int, version: str) -> None:
        """Write down the one that runs."""
        processes.write_record(self._place.record(self._name), process, restarts, version)

    def recorded(self) -> Record | None:
        """What was written down last."""
        return processes.read_record(self._place.record(self._name))

    def forget(self, process: Process) -> None:
        """Let go of one that has ended."""
        process.outcome()
        process.close()
        with suppress(OSError):
            self._place.record(self._name).unlink()

    def complaint(self) -> str:
        """The last line that the newest one said; empty for none."""
        return processes.last_line(self._place.log(self._name), self._log_from)
