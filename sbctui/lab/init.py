"""The first process of a world of its own: it runs one program and buries everybody's dead."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

_DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""What the program gets itself, being on the same terminal."""


def run_as_init(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program on our terminal until it ends; its exit code, 128 + N for a signal.

    Whatever else ends meanwhile is taken off the process table. When the program is suspended,
    so is whoever waits for us outside. Raises OSError where there is no such program.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _DEAF}
    try:
        child = os.posix_spawnp(argv[0], list(argv), dict(environment), setsigdef=_DEAF)
        while True:
            pid, status = os.waitpid(-1, os.WUNTRACED)
            if pid != child:
                continue
            if os.WIFSTOPPED(status):
                os.kill(0, signal.SIGSTOP)
                continue
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
