"""How long something takes here, whatever else the machine does meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class Stopwatch:
    """Seconds since it was made, without those in which our threads waited for a processor.

    The kernel counts these for each thread (Documentation/scheduler/sched-stats.rst, the second
    number of /proc/PID/schedstat, nanoseconds); where it doesn't, all seconds count.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._waited = _waited()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        took = time.monotonic() - self._began
        return took - max(0.0, _waited() - self._waited)


def _waited() -> float:
    total = 0
    for thread in os.listdir("/proc/self/task"):
        with suppress(OSError, IndexError):  # it has ended, or the kernel does not count
            total += int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1])
    return total / 1e9
