"""One thing that ``doctor`` looked at, and what was found."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: ``detail`` what was found, ``remedy`` the command or the advice."""

    name: str
    ok: Verdict
    detail: str
    remedy: str = ""


def as_root(command: str) -> str:
    """A command as whoever we are has to type it."""
    return command if os.geteuid() == 0 else f"sudo {command}"
