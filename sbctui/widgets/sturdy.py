"""A fault in one handler is shown and saved, and the widget goes on.

Textual ends a widget's message loop at the first exception; mixed in before a widget's or
screen's class, this keeps it alive.
"""

from __future__ import annotations

from textual.message import Message
from textual.message_pump import MessagePump


class Sturdy(MessagePump):
    """Survives exceptions in its handlers and callbacks; the app is told of them."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen must go on
            self.app._handle_exception(error)
