"""The ``Exports`` port: the storage daemon's disks behind the gate's rules."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from ipaddress import IPv4Address

from sbctui.engine.errors import BadInput, Refused, SbcError
from sbctui.engine.model.site import Session
from sbctui.engine.model.text import clean
from sbctui.engine.services.gate_client import GateAway, GateClient
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Changes, Target
from sbctui.engine.services.storage import StorageDaemon

_FEW = 8


class NbdExports:
    """Serves a site's disks. Thread-safe.

    The gate may be away, for a moment or for good: then nobody is connected, and it has the
    site's rules when it is back. A storage daemon that is away makes acts raise ServiceFailed.
    """

    def __init__(self, derived: DerivedExports, storage: StorageDaemon, gate: GateClient) -> None:
        self._derived = derived
        self._storage = storage
        self._gate = gate
        self._ruling = threading.Lock()
        self._given: tuple[int, dict[str, IPv4Address]] = (0, {})

    def apply(self, exports: Collection[str] = ()) -> Changes:
        """Serve what ``derived/exports`` says, of these exports or of all.

        Bad files are among the refused.
        """
        if exports:
            return self._apply_few(exports)
        wanted = self._derived.read()
        changes = self.reconcile(wanted.targets)
        refused = (*changes.refused, *wanted.refused.items())
        return Changes(changes.added, changes.changed, changes.removed, refused)

    def _apply_few(self, exports: Collection[str]) -> Changes:
        targets: dict[str, Target | None] = {}
        refused: dict[str, str] = {}
        for export in exports:
            try:
                targets[export] = self._derived.one(export)
            except (BadInput, OSError) as error:
                refused[clean(export)] = clean(str(error))
        with self._ruling, suppress(GateAway):
            self._rule_few(targets)
        changes = self._storage.adjust(targets)
        left = (*changes.refused, *refused.items())
        return Changes(changes.added, changes.changed, changes.removed, left)

    def _rule_few(self, targets: Mapping[str, Target | None]) -> None:
        """Give the gate these rules, or all where it has not the others from us."""
        pid, rules = self._given
        now = self._gate.ping()
        if pid != now:
            wanted = self._derived.read().targets
            self._rule({export: target.address for export, target in wanted.items()})
            return
        self._given = (0, {})
        for export, target in targets.items():
            address = target.address if target else None
            if rules.pop(export, None) != address:
                self._gate.put(export, address)
            if address is not None:
                rules[export] = address
        self._given = (now, rules)

    def reconcile(self, wanted: Mapping[str, Target]) -> Changes:
        """Add, change, remove by export name; running sessions never notice, nor end.

        A disk that is no longer wanted admits nobody; while its session lasts it is draining.
        """
        with self._ruling, suppress(GateAway):
            self._rule({export: target.address for export, target in wanted.items()})
        return self._storage.reconcile(wanted)

    def sessions(self) -> tuple[Session, ...]:
        """Who is connected to what, now. Raises ServiceFailed when the gate is silent."""
        try:
            return self._gate.sessions()
        except GateAway:
            return ()

    def pending(self) -> bool:
        """Whether a draining disk has lost its session, so that ``apply`` would remove it."""
        draining = self._storage.draining
        return bool(draining) and not draining <= {s.export for s in self.sessions()}

    def close(self, export: str) -> None:
        """Admit nobody new until ``open``; the session there is goes on."""
        with suppress(GateAway):
            self._gate.close(export)

    def open(self, export: str) -> None:
        """Undo ``close``."""
        with suppress(GateAway):
            self._gate.open(export)

    def cut(self, export: str) -> None:
        """End an export's session and wait until its disk is no longer written."""
        with suppress(GateAway):
            self._gate.cut(export)

    def withdraw(self, export: str, *, cut: bool) -> None:
        """Admit nobody and let go of the disk until ``restore``; ``cut`` ends the session first.

        Raises Refused while a session is open, ServiceFailed; then all is as before.
        """
        self.close(export)
        try:
            self._check_free(export, cut)
            self._storage.withdraw(export)
        except SbcError:
            self.open(export)
            raise

    def restore(self, export: str) -> None:
        """Undo ``withdraw``: as ``derived/exports`` says. Raises ServiceFailed, BadInput."""
        self._storage.restore(export, self._derived.one(export))
        self.open(export)

    def _rule(self, rules: dict[str, IPv4Address]) -> None:
        """Give the gate its rules: only the few that differ, where it has the others from us."""
        pid, before = self._given
        self._given = (0, {})
        now = self._gate.ping()
        changed = dict(rules.items() - before.items())
        gone = before.keys() - rules.keys()
        if pid == now and len(changed) + len(gone) <= _FEW:
            for export in (*gone, *changed):
                self._gate.put(export, rules.get(export))
        else:
            self._gate.replace(rules)
        self._given = (now, rules)

    def _check_free(self, export: str, cut: bool) -> None:
        there = [session for session in self.sessions() if session.export == export]
        if there and not cut:
            raise Refused(
                f"{export} has its disk open from {there[0].address}; shut it down first, or cut it"
            )
        if there:
            self.cut(export)
