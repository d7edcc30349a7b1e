"""What the person at the console chose: the tables ``[console]`` and ``[keys.SCOPE]`` of
``config.toml``, in the user's configuration folder or, where that has none, in ``/etc/sbctui``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Theme = Literal["terminal", "dark", "light", "blue-orange", "mono"]
Column = Literal["name", "root", "address", "state", "size", "seen", "group", "notes", "kind"]


class Prefs(BaseModel):
    """Frozen; ``model_copy(update=…)`` makes another. Unknown keys are refused by name.

    ``theme``: ``terminal`` follows the terminal's own colours, ``blue-orange`` is for eyes that
    don't tell red from green, ``mono`` is without colours. ``refresh`` are seconds between looks
    at the site. ``glyphs``: ``auto`` draws lines only where the terminal is known to have them.
    ``mouse``: ``auto`` is off over ssh. ``driver``: ``cells`` sends only the cells that changed.
    ``confirm``: ``always`` asks for y also before what can be taken back. ``columns`` are those of
    the allocations, in order, behind the MAC; ``sort`` is one of them, or ``mac``, with ``-``
    before it for the other way round. ``keys``: scope → action's id → keys, as in ``actions.py``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    theme: Theme = "terminal"
    refresh: Annotated[float, Field(ge=0.5, le=60)] = 1.0
    glyphs: Literal["auto", "ascii", "lines"] = "auto"
    mouse: Literal["auto", "on", "off"] = "auto"
    driver: Literal["cells", "stock"] = "cells"
    confirm: Literal["ladder", "always"] = "ladder"
    columns: tuple[Column, ...] = ("name", "root", "address", "state", "size", "seen", "notes")
    sort: str = "name"
    keys: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)
