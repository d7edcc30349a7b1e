"""Notices in the corner: their words are text, and they go when the admin goes on."""

from __future__ import annotations

import time
from typing import Any

from textual import events
from textual.app import App

from sbctui.engine.model.text import legible

_SEEN = 1.5
"""Seconds after which a notice counts as seen; the next key takes it away."""


class Notices(App[int]):
    """Errors stay for their time; all else gives the screen back with the next key."""

    def notify(self, message: str, *, title: str = "", markup: bool = False, **more: Any) -> None:
        """Show a notice; its words are never markup."""
        super().notify(legible(message), title=legible(title), markup=markup, **more)

    async def on_event(self, event: events.Event) -> None:
        """Every key comes through here before any widget gets it."""
        if isinstance(event, events.Key):
            self._let_seen_go(everything=event.key == "escape")
        await super().on_event(event)

    def _let_seen_go(self, *, everything: bool) -> None:
        seen = [
            one
            for one in self._notifications
            if time.time() - one.raised_at > _SEEN and (everything or one.severity != "error")
        ]
        for one in seen:
            self._unnotify(one, refresh=False)
        if seen:
            self._refresh_notifications()
