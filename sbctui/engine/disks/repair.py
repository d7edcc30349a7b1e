"""Bringing an ext file system that was not unmounted into a sound state."""

from __future__ import annotations

import threading
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.errors import ToolFailed
from sbctui.engine.files import hit
from sbctui.engine.model.text import clean

_REPAIRED = 1
_UNCORRECTED = 4


def repair(
    path: Path,
    *,
    stop: threading.Event,
    log: commands.Log | None = None,
    everything: bool = False,
) -> bool:
    """Replay the journal, check the whole and mend what e2fsck may mend unasked.

    True when something had to be mended. ``everything`` answers yes to all its questions, for
    disks whose half-done resize is being finished. Raises ToolFailed when errors remain.
    """
    hit("disk.repair")
    done = commands.run(["e2fsck", "-fp", path], ok=range(256), stop=stop, log=log)
    if done.returncode & _UNCORRECTED and everything:
        done = commands.run(["e2fsck", "-fy", path], ok=range(256), stop=stop, log=log)
    if done.returncode & ~_REPAIRED:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        raise ToolFailed("e2fsck", done.returncode, clean(lines[-1].strip()) if lines else "")
    return bool(done.returncode & _REPAIRED)
