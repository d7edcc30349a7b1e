"""One process of a daemon relieved by another while it runs."""

from __future__ import annotations

import threading
from time import monotonic

from sbctui.engine.services.processes import Process

_LONGEST = 45.0
"""Seconds: a gate first waits for boards that negotiate, ten at most, then gives all it has."""
_STEP = 1.0


def relieved(old: Process, new: Process, leaving: threading.Event) -> bool:
    """Wait until the new one has taken over; False when the old one goes on alone.

    Also False, with both left as they are, when the supervisor is to leave meanwhile.
    """
    deadline = monotonic() + _LONGEST
    while not leaving.is_set():
        if old.wait(_STEP, new.fileno()):
            return True
        if new.wait(0):
            return False
        if monotonic() >= deadline:
            new.kill()
            return False
    return False
