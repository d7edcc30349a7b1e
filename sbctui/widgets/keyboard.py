"""Keys on their way from the terminal to the screens: kept in order, and pastes recognised.

Textual sends a key to the widget in focus at once, while what the key before it began (a
filter to type into, a dialog) may not be there yet: of ``/D`` typed fast, or sent together by
a slow line, the second would be taken for a command. Here each key waits for the one before.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

_MAC_LIKE = re.compile(r"(?:[0-9A-Fa-f]{2}[:.-]?){5}[0-9A-Fa-f]{2}")
_HEX_LINE = re.compile(r"[0-9A-Fa-f]{2}(?:[:.-]?[0-9A-Fa-f]{2}){2,}\b.*")
_MUCH = 40
"""Characters, with two ends of lines among them, that nobody types ahead."""
_ALONE = 0.01
_TOGETHER = 0.03
_LONGEST = 0.5
"""Seconds a key waits for the one before at most: a screen that hangs must not hold up leaving."""


class Keyboard:
    """Takes keys on the loop's thread and gives them to ``send`` one by one."""

    def __init__(self, app: App[Any], send: Callable[[Message], None]) -> None:
        self._app = app
        self._send = send
        self._burst: list[events.Key] = []
        self._release: asyncio.TimerHandle | None = None
        self._waiting: deque[Message] = deque()
        self._feeding: asyncio.Task[None] | None = None

    def typed(self, key: events.Key) -> None:
        """A key alone goes on at once; of keys that come together the last is waited for."""
        self._burst.append(key)
        if self._release is not None:
            self._release.cancel()
        patience = _ALONE if len(self._burst) == 1 else _TOGETHER
        self._release = asyncio.get_running_loop().call_later(patience, self._let_go)

    def _let_go(self) -> None:
        keys, self._burst = self._burst, []
        text = pasted(keys)
        self._waiting.extend(keys if text is None else [events.Paste(text)])
        if self._feeding is None:
            self._feeding = asyncio.get_running_loop().create_task(self._feed())

    async def _feed(self) -> None:
        try:
            while self._waiting:
                self._send(self._waiting.popleft())
                await self._done()
        finally:
            self._feeding = None

    async def _done(self) -> None:
        """Wait until what the last key began is there; a screen that hangs is not waited for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._handled(), _LONGEST)

    async def _handled(self) -> None:
        """Go the key's own way behind it; and again, behind what it had said on its way."""
        for _ in range(2):
            for pump in self._way():
                await _passed(pump)
        while not self._app.screen.is_mounted:
            await asyncio.sleep(0.005)
        for pump in self._way():
            await _passed(pump)

    def _way(self) -> list[MessagePump]:
        """The app, the widget in focus, and all above it up to the app."""
        app = self._app
        if not app.screen_stack:
            return [app]
        focused = app.screen.focused
        return [app, *(focused or app.screen).ancestors_with_self]


async def _passed(pump: MessagePump) -> None:
    """Wait until all messages that a pump has now are handled."""
    reached = asyncio.Event()
    if pump.call_later(reached.set):
        await reached.wait()


def pasted(keys: list[events.Key]) -> str | None:
    """The text of keys that came at once, when it can only be a paste, else None.

    It has a MAC in it, or lines that all begin as MACs do, or it is much, in several lines.
    """
    text = "".join("\n" if k.key in ("enter", "ctrl+j") else k.character or "" for k in keys)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _MAC_LIKE.search(text):
        return text
    if len(lines) > 1 and all(map(_HEX_LINE.fullmatch, lines)):
        return text
    return text if text.count("\n") > 1 and sum(map(len, lines)) >= _MUCH else None
