"""Faults nobody expected: shown and saved, and the console goes on. Mixed into the app."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App

from sbctui.engine.model.text import clean, legible
from sbctui.widgets.sturdy import save_fault

_SAME_WITHIN = 10.0
"""Seconds in which the same fault again is only counted."""
_TELL_EVERY = 1.0
_HOPELESS = 2000
"""So many faults in ``_SAME_WITHIN`` leave no time for anything else: then the console ends."""
_TOASTS = 4


@dataclass
class _Fault:
    """A fault, how often it came and when last; ``told`` is when that was shown last."""

    path: Path
    last: float
    times: int = 0
    told: float = 0.0


class Faults(App[int]):
    """``crashes`` are the files with tracebacks; ``trouble`` is the last thing complained of."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.crashes: list[Path] = []
        self.trouble = ""
        self._faults: dict[str, _Fault] = {}
        self._since, self._count = 0.0, 0

    def report_crash(self, error: Exception) -> None:
        """Save the traceback and say where; the same fault soon again is counted."""
        now, key = time.monotonic(), _where(error)
        fault = self._faults.get(key)
        if fault is None or now - fault.last > _SAME_WITHIN:
            fault = self._faults[key] = _Fault(save_fault(error), now)
            self.crashes.append(fault.path)
        fault.times, fault.last = fault.times + 1, now
        if now - fault.told < _TELL_EVERY:
            return
        fault.told = now
        often = f" ({fault.times} times)" if fault.times > 1 else ""
        self.notify(
            f"{type(error).__name__}: {clean(str(error))}\nsaved in {fault.path}",
            title=f"a fault in sbctui; it goes on{often}",
            severity="error",
            timeout=20,
            markup=False,
        )

    def notify(self, message: str, *, title: str = "", markup: bool = False, **more: Any) -> None:
        """Show a toast; the same words again take the place of the first, old ones give way."""
        if more.get("severity", "information") != "information":
            self.trouble = f"{title}: {message}" if title else message
        shown = list(self._notifications)
        same = [n for n in shown if n.message == legible(message)]
        for old in same or shown[: max(0, len(shown) + 1 - _TOASTS)]:
            self._unnotify(old)
        super().notify(message, title=title, markup=markup, **more)

    def _handle_exception(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._since > _SAME_WITHIN:
            self._since, self._count = now, 0
        self._count += 1
        if not self._running or self._count > _HOPELESS:
            super()._handle_exception(error)
        else:
            self.report_crash(error)


def _where(error: Exception) -> str:
    """What tells one fault from another: its type and the line it came from."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{type(error).__name__} {last[0].filename}:{last[0].lineno}" if last else repr(error)
