"""Processes that outlive the program that started them: found, known again, watched, ended.

A process id is used again sooner or later, so a process is known by its id *and* its start
time, and every signal goes through a pidfd opened before the start time was compared.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from sbctui.engine.files import write_atomic
from sbctui.engine.lockfile import boot_id
from sbctui.engine.model.text import clean

MARK = "SBCTUI_DAEMON"
"""Environment variable that says whose daemon a process is: ``<site id>:<name>``."""
_TAIL = 8192


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down about a running daemon, for whoever supervises next.

    ``ticks`` is the start time in clock ticks since the boot named ``boot``; ``since`` the same
    in epoch seconds; ``version`` identifies the command and configuration it runs with.
    """

    pid: int
    ticks: int
    boot: str
    since: float
    restarts: int
    version: str


def read_record(path: Path) -> Record | None:
    """The record, or None when there is none that can be used."""
    try:
        raw = json.loads(path.read_bytes())
        return Record(
            pid=int(raw["pid"]),
            ticks=int(raw["ticks"]),
            boot=str(raw["boot"]),
            since=float(raw["since"]),
            restarts=int(raw["restarts"]),
            version=str(raw["version"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def start_ticks(pid: int, *, ended: bool = False) -> int:
    """When a process started, in clock ticks since boot; 0 when it is not there.

    One that has ended but is still on the process table counts only with ``ended``.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    fields = stat.rpartition(b")")[2].split()
    return int(fields[19]) if ended or fields[0] not in (b"Z", b"X") else 0


def marked(pid: int, mark: str) -> bool:
    """Whether a process leads its session and was started as the daemon ``mark``."""
    try:
        wanted = f"{MARK}={mark}".encode()
        environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        return wanted in environ and os.getsid(pid) == pid
    except OSError:
        return False


def find_marked(mark: str) -> list[int]:
    """Ids of all running daemons ``mark``, also one whose starter died before recording it."""
    return [
        int(entry.name)
        for entry in os.scandir("/proc")
        if entry.name.isdecimal() and marked(int(entry.name), mark) and start_ticks(int(entry.name))
    ]


class Child(Protocol):
    """What ``commands.start`` gives back, as far as it matters here."""

    def poll(self) -> int | None:
        """The exit code once it has ended."""


class Process:
    """One process, held by a descriptor, so that it can't be mistaken for a later one."""

    def __init__(self, pid: int, fd: int, ticks: int, since: float, child: Child | None) -> None:
        self.pid = pid
        self.ticks = ticks
        self.since = since
        self._fd = fd
        self._child = child

    @classmethod
    def open(
        cls, pid: int, ticks: int = 0, since: float = 0.0, child: Child | None = None
    ) -> Process | None:
        """Hold a process; None when it is gone or started at another time than ``ticks``.

        A ``child`` of ours may have ended already: its exit code can still be had.
        """
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return None
        found = start_ticks(pid, ended=child is not None)
        if not found or (ticks and found != ticks):
            os.close(fd)
            return None
        return cls(pid, fd, found, since or _epoch(found), child)

    def wait(self, seconds: float, also: int = -1) -> bool:
        """Wait for its end or for ``also`` to be readable; True when it has ended."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if also >= 0:
            poll.register(also, select.POLLIN)
        return any(fd == self._fd for fd, _ in poll.poll(max(0.0, seconds) * 1000))

    def fileno(self) -> int:
        """Readable once it has ended."""
        return self._fd

    def send(self, number: int) -> bool:
        """Send a signal; False when the process has ended already."""
        try:
            signal.pidfd_send_signal(self._fd, number)
        except ProcessLookupError:
            return False
        return True

    def end(self, grace: float) -> None:
        """TERM, ``grace`` seconds, then KILL for it and what it left in its session."""
        if self.send(signal.SIGTERM) and not self.wait(grace):
            self.kill()

    def kill(self) -> None:
        """KILL at once, its process group too, and wait until it is gone."""
        if not self.wait(0):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.send(signal.SIGKILL)
        self.wait(5.0)

    def outcome(self) -> str:
        """How it ended, in words; also takes a child of ours off the process table."""
        code = self._child.poll() if self._child else self._reaped()
        if code is None:
            return "ended"
        if code < 0:
            return f"was ended by signal {-code}"
        return f"ended with exit code {code}"

    def _reaped(self) -> int | None:
        """The exit code of a child that was started before our program was replaced (execve)."""
        try:
            found = os.waitid(os.P_PIDFD, self._fd, os.WEXITED | os.WNOHANG)
        except OSError:
            return None
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def close(self) -> None:
        """Let go of it; it keeps running."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _epoch(ticks: int) -> float:
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return time.time() - uptime + ticks / os.sysconf("SC_CLK_TCK")


_HOLLOW = "FAILED to start up"
"""How dnsmasq ends its log after the line that says why."""


def last_line(log: Path, since: int = 0) -> str:
    """The last line of a log that says something, cleaned, from byte ``since`` on."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(min(since, end), end - _TAIL))
            lines = file.read(_TAIL).decode(errors="replace").splitlines()
    except OSError:
        return ""
    telling = (line.strip() for line in reversed(lines) if not line.endswith(_HOLLOW))
    return clean(next(filter(None, telling), ""))[:400]


def write_record(path: Path, process: Process, restarts: int, version: str) -> None:
    """Write down a running daemon; the folder is ours alone."""
    ticks, since = process.ticks, process.since
    record = Record(process.pid, ticks, boot_id(), since, restarts, version)
    write_atomic(path, json.dumps(asdict(record)).encode(), mode=0o640)


def find_running(path: Path, mark: str) -> Process | None:
    """The running daemon ``mark`` by its record, else by the mark in its environment."""
    record = read_record(path)
    if record is not None and record.boot == boot_id():
        process = Process.open(record.pid, record.ticks, record.since)
        if process is not None and marked(record.pid, mark):
            return process
        if process is not None:
            process.close()
    found = map(Process.open, find_marked(mark))
    return next((process for process in found if process is not None), None)
