"""A fault in one handler is shown and saved, and the widget goes on.

Textual ends a widget's message loop at the first exception; mixed in before a widget's or
screen's class, this keeps it alive.
"""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path

from textual.message import Message
from textual.message_pump import MessagePump


class Sturdy(MessagePump):
    """Survives exceptions in its handlers and callbacks; the app is told of them."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen must go on
            self.app._handle_exception(error)


def save_fault(error: Exception) -> Path:
    """Write a traceback where only this user reads it; the file."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    folder = Path(base) / "sbctui"
    path = folder / f"fault-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8", opener=_private) as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return Path("nowhere: the folder can't be written")
    return path


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
