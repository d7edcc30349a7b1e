"""What a simulated board is, and the words for what it does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

Firmware = Literal["u-boot", "pi"]
Stage = Literal["off", "asks", "loads", "starts", "up", "stuck"]
"""``asks`` for an address, ``loads`` boot files, ``starts`` its kernel, ``up`` on its disk."""
Power = Literal["on", "off", "cut"]
"""``off`` shuts it down; ``cut`` pulls its plug."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One board. ``label`` says in words what it is for; ``hangs``: its kernel never comes up.

    ``exports`` is set where boards have no network of their own: the folder that tells which
    loopback address a board's disk is for.
    """

    mac: str
    label: str
    firmware: Firmware = "u-boot"
    hangs: bool = False
    serial: int = 0
    on: bool = True
    exports: str = ""
    port: int = 0

    def dumped(self) -> str:
        """As one word of a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Spec:
        """What ``dumped`` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class State:
    """A board at a moment; ``said`` is a sentence about its stage."""

    mac: str
    label: str
    stage: Stage
    said: str
    since: float
