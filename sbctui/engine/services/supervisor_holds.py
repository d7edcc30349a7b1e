"""Exports that somebody keeps from being served, for as long as that process lives."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from sbctui.engine.files import write_atomic
from sbctui.engine.services.processes import Process


class Holds:
    """Export → the process that holds it back; written down for the next supervisor."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._askers: dict[int, Process] = {}
        self._holds: dict[str, int] = {}
        with suppress(OSError, ValueError, TypeError):
            for export, pid, ticks in json.loads(path.read_bytes()):
                if self._know(int(pid), int(ticks)):
                    self._holds[str(export)] = int(pid)

    def held(self) -> set[str]:
        """Exports held back."""
        return set(self._holds)

    def hold(self, export: str, asker: int) -> bool:
        """Keep an export back for a process; False when that has ended already."""
        if not self._know(asker):
            return False
        self._holds[export] = asker
        self._save()
        return True

    def drop(self, export: str) -> None:
        """No longer held."""
        if self._holds.pop(export, None) is not None:
            self._save()

    def lapsed(self) -> bool:
        """Whether somebody ended without giving back what he held."""
        return any(process.wait(0) for process in self._askers.values())

    def lift(self, asker: int) -> set[str]:
        """Take away what a process holds, and what processes held that have ended."""
        over = {pid for pid, process in self._askers.items() if pid == asker or process.wait(0)}
        lifted = {export for export, pid in self._holds.items() if pid in over}
        for pid in over:
            self._askers.pop(pid).close()
        for export in lifted:
            del self._holds[export]
        if lifted:
            self._save()
        return lifted

    def _know(self, pid: int, ticks: int = 0) -> bool:
        """Hold a process that asks; one id may have been given to a later process meanwhile."""
        known = self._askers.get(pid)
        if known is not None and not known.wait(0):
            return True
        process = Process.open(pid, ticks)
        if process is not None:
            self._askers[pid] = process
        return process is not None

    def _save(self) -> None:
        held = [[export, pid, self._askers[pid].ticks] for export, pid in self._holds.items()]
        write_atomic(self._path, json.dumps(held).encode(), mode=0o600)
