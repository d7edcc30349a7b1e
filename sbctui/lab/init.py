"""The first process of a world of its own: it runs one program and buries everybody's dead."""

from __future__ import annotations

import os
import signal
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

_DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
"""What the program gets itself, being on the same terminal."""


_USUAL = b"\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\r\n"
"""xterm's control sequences for the usual screen, a cursor, no mouse, no bracketed paste."""


def run_as_init(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a program on our terminal until it ends; its exit code, 128 + N for a signal.

    Whatever else ends meanwhile is taken off the process table. When the program is suspended,
    so is whoever waits for us outside. Raises OSError where there is no such program.
    """
    tty = _terminal()
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
            if code < 0 and tty is not None:
                _restore(tty)
            return 128 - code if code < 0 else code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal() -> list[Any] | None:
    """How our terminal is set; None without one."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _restore(settings: list[Any]) -> None:
    """Give the terminal back as it was after a program that could not do so itself."""
    with suppress(termios.error, OSError):
        os.write(1, _USUAL)
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
