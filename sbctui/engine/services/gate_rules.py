"""Who may have which disk, and who has it now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbctui.engine.files import write_atomic

if TYPE_CHECKING:
    from sbctui.engine.services.gate_relay import Relay

RULES = "gate-rules.json"
"""The rules' file in the runtime folder: the gate starts from it."""
SOCKET = "gate.sock"
"""The gate's control socket in the runtime folder."""
STORAGE = "storage.sock"
"""The storage daemon's NBD socket in the runtime folder."""
HEIR = "gate.heir"
"""The socket in the runtime folder at which a gate hands itself over to its successor."""


@dataclass
class Slot:
    """One export: its only address (empty when it may not be had), and its session.

    ``turn`` is held while somebody is being let in, so that they come one after the other.
    """

    address: str = ""
    closed: bool = False
    relay: Relay | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def idle(self) -> bool:
        """Nothing to remember."""
        return not self.address and self.relay is None and not self.turn.locked()


def parse_rules(raw: Any) -> dict[str, str]:
    """Export → dotted address. Raises ValueError naming the first bad entry."""
    if not isinstance(raw, Mapping):
        raise ValueError("rules must be a map of export to address")
    for export, address in raw.items():
        if not (isinstance(export, str) and export and isinstance(address, str)):
            raise ValueError(f"{export!r}: wants an export's name and an address")
        if str(IPv4Address(address)) != address:
            raise ValueError(f"{address!r} is not an address in its usual form")
    return dict(raw)


def read_rules(path: Path) -> tuple[dict[str, str], set[str]]:
    """Rules and closed exports of a rules file; none when it is not there or can't be used."""
    try:
        raw = json.loads(path.read_bytes())
        return parse_rules(raw["rules"]), {str(export) for export in raw["closed"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}, set()


def read_closed(path: Path) -> set[str]:
    """The closed exports of a rules file alone: a thousand rules need no second look for that."""
    try:
        return {str(export) for export in json.loads(path.read_bytes())["closed"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write_rules(
    path: Path, rules: Mapping[str, str], closed: set[str], owner: tuple[int, int] | None = None
) -> None:
    """Store them, wholly or not at all."""
    data = json.dumps({"rules": dict(rules), "closed": sorted(closed)}).encode()
    write_atomic(path, data, mode=0o600, owner=owner)


class Slots:
    """All exports the gate knows."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}
        self._known: dict[str, int] = {}

    def of(self, export: str) -> Slot | None:
        """The export's slot, if there is one."""
        return self._slots.get(export)

    def made(self, export: str) -> Slot:
        """The export's slot, which there is from now on."""
        return self._slots.setdefault(export, Slot())

    def knows(self, address: str) -> bool:
        """Whether any export is for this address."""
        return address in self._known

    def rules(self) -> dict[str, str]:
        """Export → address, without those that only a session is left of."""
        return {export: slot.address for export, slot in self._slots.items() if slot.address}

    def closed(self) -> set[str]:
        """Exports that nobody may newly connect to."""
        return {export for export, slot in self._slots.items() if slot.closed}

    def relays(self) -> list[Relay]:
        """All sessions, those that are just ending too."""
        return [slot.relay for slot in self._slots.values() if slot.relay is not None]

    def replace(self, rules: Mapping[str, str], closed: set[str] | None = None) -> None:
        """The whole map; without ``closed`` what is closed and still there stays so."""
        for export in [export for export in self._slots if export not in rules]:
            self.put(export, "")
        for export, address in rules.items():
            self.put(export, address)
            if closed is not None:
                self._slots[export].closed = export in closed

    def put(self, export: str, address: str) -> None:
        """One rule, or none with an empty address; a session there goes on."""
        slot = self.made(export)
        if slot.address != address:
            self._count(slot.address, -1)
            self._count(address, 1)
            slot.address = address
        if not address:
            slot.closed = False
        self.tidy(export)

    def tidy(self, export: str) -> None:
        """Forget an export that has neither rule nor session."""
        slot = self._slots.get(export)
        if slot is not None and slot.idle:
            del self._slots[export]

    def _count(self, address: str, by: int) -> None:
        if not address:
            return
        number = self._known.get(address, 0) + by
        if number:
            self._known[address] = number
        else:
            del self._known[address]
