"""What is pasted is text: no escape of it ever stands in a field or on the terminal."""

from __future__ import annotations

from textual import events
from textual.app import App

from sbctui.engine.model.text import legible


class Pasting(App[int]):
    """Makes control characters of a paste visible before any widget gets it."""

    async def on_event(self, event: events.Event) -> None:
        """Every paste comes through here first."""
        if isinstance(event, events.Paste):
            event.text = legible(event.text)
        await super().on_event(event)
