"""The site's lock: one flocked file that also holds the generation number.

``SITE/lock`` is JSON: ``generation`` (raised by one when a writer takes the lock and by one
when it lets go, so it is odd while somebody writes), ``holder`` (for display only) and
``changed``, the node names each of the last generations touched, so that a reader need not
look at all of them. ``unmended`` and ``boot`` (the machine's boot that wrote it) say whether
recovery is to come first. The kernel drops the flock with its holder; nothing is judged stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sbctui.engine.errors import Cancelled, Locked, NotPermitted
from sbctui.engine.files import hit, is_held
from sbctui.engine.model.text import clean

_KEPT = 32
_NAMES = 100
_FILE = "lock"
_POLL, _MOMENT, _LOOK_AGAIN = 0.02, 0.3, 1.0
"""Seconds between tries, before waiting is told of, and between looks at who holds it."""


@dataclass(frozen=True, slots=True)
class LockState:
    """What the lock file says: generation, holder in words, and who changed when."""

    generation: int = 0
    holder: str = ""
    changed: tuple[tuple[int, tuple[str, ...]], ...] = ()
    unmended: bool = False
    boot: str = ""

    @property
    def settled(self) -> bool:
        """Nobody was writing when this was read."""
        return self.generation % 2 == 0

    @property
    def trusted(self) -> bool:
        """Its last holder, in this boot of the machine, ended well and left nothing to mend."""
        return self.settled and not self.unmended and self.boot == boot_id()

    def since(self, generation: int) -> frozenset[str] | None:
        """Names touched after ``generation``; None when that can't be known any more."""
        if generation == self.generation:
            return frozenset()
        steps = {number: names for number, names in self.changed if number > generation}
        wanted = range(generation // 2 * 2 + 2, self.generation + 1, 2)
        if not all(number in steps for number in wanted) or any("*" in n for n in steps.values()):
            return None
        return frozenset(name for names in steps.values() for name in names)


def read_lock(site: Path) -> LockState:
    """The lock file as it is now; zeros when missing or in the middle of being written."""
    try:
        return _parse((site / _FILE).read_bytes())
    except FileNotFoundError:
        return LockState()


def read_generation(site: Path) -> int:
    """The site's generation: changes whenever anything in it was changed by a verb."""
    return read_lock(site).generation


def _parse(data: bytes) -> LockState:
    try:
        raw: Any = json.loads(data)
        return LockState(
            generation=int(raw["generation"]),
            holder=clean(str(raw.get("holder") or "")),
            changed=tuple([(int(g), tuple(names)) for g, names in raw["changed"]]),
            unmended=bool(raw.get("unmended")),
            boot=str(raw.get("boot") or ""),
        )
    except (ValueError, KeyError, TypeError):
        return LockState()


def _nobody(holder: str) -> None:
    """Nobody wants to know of waiting."""


@dataclass
class SiteLock:
    """One engine's hold on its site's lock; re-entrant within a thread, shared by none.

    ``wait`` are the seconds it waits for another's; ``told`` gets the holder in words when that
    takes a moment, and an empty string when it goes on.
    """

    site: Path
    what: str = ""
    wait: float = 10.0
    told: Callable[[str], None] = _nobody
    _mutex: threading.RLock = field(default_factory=threading.RLock)
    _fd: int = -1
    _depth: int = 0
    _touched: set[str] = field(default_factory=set)
    _state: LockState = LockState()
    after_crash: bool = False
    """Whether the last holder died with the lock in its hand or left a mess, or the machine was
    started since: then what was not flushed may be gone, and nothing else would say so."""
    unmended: bool = False
    """Set by a holder that could not finish or undo something; cleared by recovery alone."""

    @contextmanager
    def held(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Hold the lock; waits at most ``wait`` seconds, then raises Locked naming the holder."""
        with self._mutex:
            if self._depth == 0:
                self._take(stop)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._drop()

    def needs_recovery(self) -> bool:
        """Whether the next holder recovers first; not known while somebody holds it."""
        state = read_lock(self.site)
        return not state.trusted and not is_held(self.site / _FILE)

    def touch(self, name: str) -> None:
        """Record that a node changed (``*`` = anything may have), for readers elsewhere."""
        self._touched.add(name)

    def _take(self, stop: threading.Event | None) -> None:
        path = self.site / _FILE
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except PermissionError:
            raise NotPermitted(
                f"{path} is not yours to write; run as its owner or with sudo"
            ) from None
        try:
            self._wait(fd, stop)
            state = _parse(os.pread(fd, 1 << 20, 0))
            odd = state.generation + (1 if state.settled else 2)
            touched = () if state.settled else ((odd - 1, ("*",)),)
            self.after_crash = not state.trusted
            holder = f"{self.what or 'another run'} (pid {os.getpid()}, since {_clock()})"
            self._state = LockState(odd, holder, state.changed + touched)
            _store(fd, self._state)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self._touched = set()
        self.unmended = self.after_crash

    def _wait(self, fd: int, stop: threading.Event | None) -> None:
        began = time.monotonic()
        look, waited_for = began + _MOMENT, ""
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop is not None and stop.is_set():
                    raise Cancelled("stopped while waiting for the site's lock") from None
                now = time.monotonic()
                if now - began >= self.wait:
                    raise Locked(
                        f"the site is locked by {_holder(self.site)}; try again when it ends"
                    ) from None
                if now >= look:
                    look, holder = now + _LOOK_AGAIN, _holder(self.site)
                    if _who(holder) != _who(waited_for):
                        waited_for = holder
                        self.told(holder)
                time.sleep(_POLL)
        if waited_for:
            self.told("")

    def _drop(self) -> None:
        """Never raises: what was done stands, and without this note the next holder recovers."""
        try:
            even = self._state.generation + 1
            changed = (*self._state.changed, (even, tuple(sorted(self._touched))))
            with suppress(OSError):
                hit("lock.drop")
                _store(self._fd, LockState(even, "", changed, self.unmended))
        finally:
            os.close(self._fd)
            self._fd = -1


def _holder(site: Path) -> str:
    return read_lock(site).holder or "another run"


def _who(holder: str) -> str:
    """The holder without the time: one that takes the lock again and again is the same."""
    return holder.partition(", since ")[0]


def _clock() -> str:
    return time.strftime("%H:%M:%S")


@cache
def boot_id() -> str:
    """Identifies this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def first_text() -> bytes:
    """What a new site's lock file holds."""
    return _text(LockState())


def _text(state: LockState) -> bytes:
    changed = [[g, list(n) if len(n) <= _NAMES else ["*"]] for g, n in state.changed[-_KEPT:]]
    text = {
        "generation": state.generation,
        "holder": state.holder,
        "unmended": state.unmended,
        "boot": boot_id(),
        "changed": changed,
    }
    return json.dumps(text).encode()


def _store(fd: int, state: LockState) -> None:
    """One write, padded to the old length: a reader never sees the tail of an older text."""
    os.pwrite(fd, _text(state).ljust(os.fstat(fd).st_size), 0)
