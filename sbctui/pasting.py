"""What is pasted, and what a notice quotes, is text: no escape of it reaches the terminal."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App

from sbctui.engine.model.text import legible


class Pasting(App[int]):
    """Makes control characters of pastes and notices visible, wherever they come from."""

    async def on_event(self, event: events.Event) -> None:
        """Every paste comes through here before any widget gets it."""
        if isinstance(event, events.Paste):
            event.text = legible(event.text)
        await super().on_event(event)

    def notify(self, message: str, *, title: str = "", markup: bool = False, **more: Any) -> None:
        """Show a notice; its words are never markup."""
        super().notify(legible(message), title=legible(title), markup=markup, **more)
