"""The bridge from the engine's threads to Textual: one frozen world, one message.

No engine call runs on the UI thread. Threads are daemons, so that a call that hangs (a dead
file system) holds up neither the screen nor leaving.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.model.boots import Timeline
    from sbctui.engine.model.shelf import Shelf
    from sbctui.engine.model.site import Site
    from sbctui.engine.services.port import Status
    from sbctui.screens.job_view import JobView

T = TypeVar("T")
ASKED = "engine-call"
"""The name of a thread that was started because somebody asked."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log: epoch seconds, a tone of ``format.Line``, clean text."""

    at: float
    tone: str
    text: str


@dataclass(frozen=True)
class World:
    """Everything the screens show, at one moment; never edited.

    ``boots`` is every board's newest boot; like ``findings`` None before the first look.
    ``audited`` is when ``findings`` were looked for last, in epoch seconds; 0 before that.
    ``shelves`` are the repositories, looked at while a screen shows them; None before that.
    ``log_first`` is the number of the log's first line, counted from the start. ``late`` maps
    a source (``site``, ``jobs``, ``services``, ``boots``, ``audit``, ``repo:NAME``) that does not
    answer to the seconds it has been silent; ``errors`` maps one that failed to its sentence.
    """

    path: Path
    site: Site | None = None
    jobs: tuple[JobView, ...] = ()
    services: tuple[Status, ...] = ()
    findings: tuple[Finding, ...] | None = None
    boots: tuple[Timeline, ...] | None = None
    audited: float = 0.0
    shelves: tuple[Shelf, ...] | None = None
    log: tuple[LogLine, ...] = ()
    log_first: int = 0
    late: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Changed(Message):
    """The world is another; sent to every open screen."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def can_replace(self, message: Message) -> bool:
        """Only the newest world counts."""
        return isinstance(message, Changed)


class Restyled(Message):
    """A setting was changed: colours, columns, order; sent to every open screen."""

    def can_replace(self, message: Message) -> bool:
        """Showing it once is enough."""
        return isinstance(message, Restyled)


async def in_thread(call: Callable[[], T], name: str = ASKED) -> T:
    """Run a blocking call in a daemon thread of this name; its result or its exception."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - handed to the caller as it is
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the app is gone, and nobody waits

    threading.Thread(target=run, daemon=True, name=name).start()
    return await future
