"""Following every boot: the daemons' logs and, while boards start, their ssh ports.

A thread waits until a log is written to; while nothing is, it does nothing.
"""

from __future__ import annotations

import heapq
import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sbctui.engine import files
from sbctui.engine.boards import happening
from sbctui.engine.boards.happening import Happening
from sbctui.engine.boards.history import History
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.boots import BootNews
from sbctui.engine.services.dnsmasq_log import Clock, Tail, split
from sbctui.engine.services.hosts import hosts_dir, log_file
from sbctui.engine.services.inotify import FolderWatch
from sbctui.engine.services.ssh_probe import SshProbe

_BACK = 1 << 20
"""Bytes of old log read where nothing says how far it was read before."""
_LIVE = 2.5
"""Seconds by which a line's own time may differ from now for it to be of this moment."""
_TOGETHER = 0.05
"""Seconds waited so that lines written one by one are read together."""
_SAVE = 1.0
"""Seconds after which what has changed is written down."""


class BootFollower:
    """One site's boots. Thread-safe. ``owner`` gets the file of the history."""

    def __init__(
        self,
        site: Path,
        owner: files.Owner = None,
        probe: Callable[[], SshProbe] = SshProbe,
    ) -> None:
        self._tftp = f"{site / 'derived' / 'tftp'}/"
        self._hosts = hosts_dir(site)
        self._state = log_file(site).parent
        self._history = History(self._state, owner)
        # above every version that a follower before this one has told
        self._boots, marks = self._history.load(int(time.time() * 1000))
        self._tails = {
            "dnsmasq": Tail(log_file(site), _BACK, marks.get("dnsmasq")),
            "gate": Tail(self._state / "gate.log", _BACK, marks.get("gate")),
            "http": Tail(self._state / "http.log", _BACK, marks.get("http")),
        }
        self._clock = Clock()
        self._mutex = threading.Lock()
        self._probe = probe()
        self._saved = self._boots.version
        self._unsaved_since = 0.0
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Follow from now on, in a thread. Raises OSError when the folder can't be watched."""
        self._watch = FolderWatch(self._state)
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._follow, name="boots", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Follow no more; what is known is written down."""
        if self._thread is not None:
            self._waker.close()
            self._thread.join()
            self._thread = None
            self._woken.close()
            self._watch.close()
        self._probe.close()
        for tail in self._tails.values():
            tail.close()

    def news(self, version: int) -> BootNews:
        """The boots of boards that changed since a version; 0: all."""
        with self._mutex:
            return self._boots.since(version)

    # ── following ─────────────────────────────────────────────────────────────────────────

    def _follow(self) -> None:
        self.look()
        while not self._wait():
            time.sleep(_TOGETHER)
            self._watch.names()
            self.look()
            self._save_when_due()
        self.look()
        self._save()

    def _wait(self) -> bool:
        """Wait for something to do; whether it is to end."""
        while True:
            poll = select.poll()
            poll.register(self._woken, select.POLLIN)
            poll.register(self._watch, select.POLLIN)
            for sock in self._probe.waiting():
                poll.register(sock, select.POLLOUT)
            ready = {fd for fd, _ in poll.poll(self._pause())}
            if self._woken.fileno() in ready:
                return True
            if self._watch.fileno() in ready and self._watch.names() & _LOGS:
                return False
            self._ask_by_ssh()
            self._save_when_due()

    def _pause(self) -> float | None:
        """Milliseconds until there is something to do unasked; None: never."""
        due = [self._probe.due()]
        if self._unsaved_since:
            due.append(self._unsaved_since + _SAVE)
        soonest = min((at for at in due if at), default=0.0)
        return max(0.0, soonest - time.monotonic()) * 1000 + 1 if soonest else None

    def look(self) -> None:
        """Take in what is new in the logs."""
        now = time.time()
        with self._mutex:
            logs = (
                [self._of_dnsmasq(line, now) for line in self._tails["dnsmasq"].lines()],
                [_live(happening.gate(line), now) for line in self._tails["gate"].lines()],
                [_live(happening.http(line), now) for line in self._tails["http"].lines()],
            )
            for what in in_order(logs):
                self._take(what)
            self._note_change()
            self._probe.want(self._boots.newest(), now)

    def _of_dnsmasq(self, line: str, now: float) -> Happening | None:
        found = split(line)
        if found is None or not found.part:
            return None
        at = self._clock.epoch(found.at)
        at = now if abs(now - at) < _LIVE else at
        if found.part == "-dhcp":
            return happening.dhcp(found.text, at)
        return happening.tftp(found.text, at, self._tftp)

    def _take(self, what: Happening) -> None:
        if not self._is_ours(what.mac):
            return
        if what.kind == "sent" and what.size is None:
            what = _sized(what)
        self._boots.take(what)

    def _is_ours(self, mac: str) -> bool:
        """Whether a board is known; whoever claims any other MAC makes no boots."""
        return not mac or bool(self._boots.of(mac)) or (self._hosts / dashed(mac)).exists()

    def _ask_by_ssh(self) -> None:
        now = time.time()
        with self._mutex:
            for mac in self._probe.look():
                self._boots.take(Happening("up", now, mac))
            self._note_change()
            self._probe.want(self._boots.newest(), now)

    # ── writing down ──────────────────────────────────────────────────────────────────────

    def _note_change(self) -> None:
        if self._boots.version != self._saved and not self._unsaved_since:
            self._unsaved_since = time.monotonic()

    def _save_when_due(self) -> None:
        if self._unsaved_since and time.monotonic() - self._unsaved_since >= _SAVE:
            self._save()

    def _save(self) -> None:
        """Write down what changed; a full disk costs the history, not the following."""
        with self._mutex:
            changed = self._boots.changed()
            marks = {name: tail.mark() for name, tail in self._tails.items()}
            self._saved, self._unsaved_since = self._boots.version, 0.0
            with suppress(OSError):
                if self._history.append(changed, marks):
                    self._history.rewrite(self._boots, marks)


_LOGS = {b"dnsmasq.log", b"gate.log", b"http.log"}


def in_order(logs: Iterable[Iterable[Happening | None]]) -> Iterator[Happening]:
    """Several logs as one by time; each keeps its own order, also where a clock was set back."""
    merged = heapq.merge(*map(_timed, logs), key=lambda pair: pair[0])
    return (what for _, what in merged)


def _timed(log: Iterable[Happening | None]) -> Iterator[tuple[float, Happening]]:
    latest = -math.inf
    for what in log:
        if what is not None:
            latest = max(latest, what.at)
            yield latest, what


def _live(what: Happening | None, now: float) -> Happening | None:
    """With the time to more than the second, where it is of this moment."""
    if what is None or abs(now - what.at) >= _LIVE:
        return what
    return replace(what, at=now)


def _sized(what: Happening) -> Happening:
    try:
        size = os.stat(what.file).st_size
    except (OSError, ValueError):
        return what
    return Happening(what.kind, what.at, what.mac, what.ip, what.text, what.file, size)
