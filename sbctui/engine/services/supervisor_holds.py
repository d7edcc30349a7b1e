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
        self._holds: dict[str, Process] = {}
        with suppress(OSError, ValueError, TypeError):
            for export, pid, ticks in json.loads(path.read_bytes()):
                process = Process.open(int(pid), int(ticks))
                if process is not None:
                    self._holds[str(export)] = process

    def held(self) -> set[str]:
        """Exports held back."""
        return set(self._holds)

    def hold(self, export: str, asker: int) -> bool:
        """Keep an export back for a process; False when that has ended already."""
        process = Process.open(asker)
        if process is None:
            return False
        self._let_go(export)
        self._holds[export] = process
        self._save()
        return True

    def drop(self, export: str) -> None:
        """No longer held."""
        if self._let_go(export):
            self._save()

    def lapsed(self) -> bool:
        """Whether somebody ended without giving back what he held."""
        return any(process.wait(0) for process in self._holds.values())

    def lift(self, asker: int) -> set[str]:
        """Take away what a process holds, and what processes held that have ended."""
        lifted = {e for e, p in self._holds.items() if p.pid == asker or p.wait(0)}
        for export in lifted:
            self._let_go(export)
        if lifted:
            self._save()
        return lifted

    def _let_go(self, export: str) -> bool:
        process = self._holds.pop(export, None)
        if process is not None:
            process.close()
        return process is not None

    def _save(self) -> None:
        held = [[export, p.pid, p.ticks] for export, p in self._holds.items()]
        write_atomic(self._path, json.dumps(held).encode(), mode=0o600)
