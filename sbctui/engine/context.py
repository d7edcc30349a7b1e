"""What a room's ``perform`` gets beside its action."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sbctui.engine.commands import Done
from sbctui.engine.errors import Cancelled
from sbctui.engine.events import Emit, Note, Output, Progress, Receiver
from sbctui.engine.model.node import BootSpec, Promise
from sbctui.engine.model.site import Site
from sbctui.engine.services.port import Control

Undo = Callable[[], None]
_LONG = 1.0
"""Seconds from which on a command that said nothing is told of when it ends."""


def nothing() -> None:
    """The undo of an action that has none."""


@dataclass
class Found:
    """What earlier actions of the same unit found out, for the config that is written last.

    ``told`` are fields of the config that an archive told of.
    ``base`` is the raw disk on which a staged overlay stands. ``data`` goes into the unit's
    result, e.g. {"reboot": "unreachable"}.
    """

    told: dict[str, object] = field(default_factory=dict)
    boot: BootSpec | None = None
    filesystem: str | None = None
    promise: Promise | None = None
    personalised: tuple[str, ...] | None = None
    host_key: str = ""
    base: Path | None = None
    data: dict[str, str] = field(default_factory=dict)


@dataclass
class Context:
    """One unit's surroundings. ``site`` is the snapshot the plan was confirmed against.

    ``owner`` is the (uid, gid) that new files get when root works on another's site.
    ``reload`` gives the site as it is now, ``changed`` records a node as changed; both are
    only for actions that run under the site's lock. ``holds`` is let go when the unit ends.
    """

    site: Site
    emit: Emit
    stop: threading.Event
    control: Control
    reload: Callable[[], Site]
    changed: Callable[[str], None]
    owner: tuple[int, int] | None = None
    found: Found = field(default_factory=Found)
    holds: ExitStack = field(default_factory=ExitStack)
    _last: float = 0.0

    def staged(self, name: str) -> Path:
        """The staging folder of a node in the making."""
        return self.site.staging_path(name)

    def log(self, said: str | Done) -> None:
        """A command run, in pasteable form, and how it ended (for ``commands.run(log=…)``)."""
        if isinstance(said, str):
            self.emit(Note(level="command", text=said, at=time.time()))
        elif said.returncode or said.seconds >= _LONG or said.told():
            self.emit(
                Output(code=said.returncode, seconds=said.seconds, text=said.told(), at=time.time())
            )

    def say(self, text: str) -> None:
        """A sentence about how it goes."""
        self.emit(Note(level="info", text=text, at=time.time()))

    def receiver(self, who: str, state: str) -> None:
        """What became of one to whom something is sent; told when it changes, and in the result."""
        if self.found.data.get(who) != state:
            self.found.data[who] = state
            self.emit(Receiver(who=who, state=state, at=time.time()))

    def warn(self, text: str) -> None:
        """A sentence the admin should read."""
        self.emit(Note(level="warning", text=text, at=time.time()))

    def raise_if_stopped(self, doing: str) -> None:
        """Raises Cancelled when the admin has asked to stop."""
        if self.stop.is_set():
            raise Cancelled(f"stopped while {doing}")

    def progress(self, what: str) -> Callable[[int, int], None]:
        """A byte counter for a long step, at most ten events a second, never losing the last."""

        def report(done: int, total: int) -> None:
            now = time.monotonic()
            if now - self._last >= 0.1 or done >= total:
                self._last = now
                self.emit(Progress(what=what, done=done, total=total, at=time.time()))

        return report
