"""A terminal that has gone away ends the console, as a dropped line does everywhere.

A program that leads its session is sent SIGHUP. One that does not, started by another program
on a terminal of its own, would read end-of-file for ever: so the terminal is watched as well.
One that inherited that the signal is ignored would stay for ever too, with nobody to see it.
"""

from __future__ import annotations

import os
import select
import signal
import threading


def watch(fd: int) -> None:
    """End this process by SIGHUP when the terminal ``fd`` is hung up; costs nothing until then.

    Call it from the main thread.
    """
    if os.isatty(fd):
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        threading.Thread(target=_wait, args=(fd,), name="hangup", daemon=True).start()


def _wait(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)
    for _, event in poll.poll():
        if event & (select.POLLHUP | select.POLLERR):
            os.kill(os.getpid(), signal.SIGHUP)
