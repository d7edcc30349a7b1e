"""The one door to other programs."""

from __future__ import annotations

import sys
import threading

from sbctui.engine import commands

_SLOW = "import sys, time; time.sleep(0.3); print(len(sys.stdin.buffer.read()))"
"""Reads nothing for longer than a look whether to stop takes, then more than a pipe holds."""


def test_a_program_that_begins_to_read_late_gets_all_of_it() -> None:
    given = b"x" * 300_000
    done = commands.run(
        [sys.executable, "-c", _SLOW], stdin=given, stop=threading.Event(), timeout=20
    )
    assert done.stdout == "300000\n"
