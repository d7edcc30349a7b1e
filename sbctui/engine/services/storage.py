"""qemu-storage-daemon: all disks of a site from one unprivileged process, changed while it runs.

Its NBD server is a private unix socket that only the gate connects to; it is spoken to over a
QMP socket.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from time import monotonic

from sbctui.engine import programs
from sbctui.engine.errors import Refused, ServiceFailed
from sbctui.engine.model.node import DISK_FILES
from sbctui.engine.services import storage_copy as copies
from sbctui.engine.services import storage_nodes as nodes
from sbctui.engine.services import storage_overlay as overlays
from sbctui.engine.services.gate_rules import STORAGE
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Changes, Target
from sbctui.engine.services.qmp import QmpGone
from sbctui.engine.services.storage_copy import CopyState
from sbctui.engine.services.storage_view import InUse, Served, StorageView

QMP = "storage.qmp"
"""The control socket in the runtime folder."""
_TOOL = "qemu-storage-daemon"
_STUCK = 5.0
_WENT_AWAY = "the storage daemon went away while it copied; nothing is left, try again"


@dataclass
class _Tally:
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def changes(self) -> Changes:
        return Changes(*(tuple(part) for part in vars(self).values()))


@dataclass(frozen=True)
class _Copy:
    """``life`` tells whether the daemon still has it."""

    served: Served
    life: int


class StorageDaemon:
    """The storage daemon of one site, as the supervisor keeps it and as what it exports.

    ``run`` is the runtime folder that the daemon may write to, ``owner`` whom it runs as.
    Thread-safe.
    """

    name = "storage"

    def __init__(self, derived: DerivedExports, run: Path, owner: tuple[int, int]) -> None:
        self._derived = derived
        self._run = run
        self._view = StorageView(run / QMP, owner)
        self._lock = threading.RLock()
        self._withdrawn: set[str] = set()
        self._draining: set[str] = set()
        self._copies: dict[str, _Copy] = {}

    def off(self) -> str:
        """Always wanted."""
        return ""

    def prepare(self) -> None:
        """Nothing to write; the program must be there. Raises ToolMissing."""
        programs.find(_TOOL)

    def argv(self) -> Sequence[str]:
        """The daemon with two sockets and nothing to serve yet."""
        qmp, nbd = (str(self._run / name).replace(",", ",,") for name in (QMP, STORAGE))
        return [
            _TOOL,
            "--chardev",
            f"socket,id=qmp,path={qmp},server=on,wait=off",
            "--monitor",
            "chardev=qmp",
            "--nbd-server",
            f"addr.type=unix,addr.path={nbd},max-connections=0",
        ]

    def drop_privileges(self) -> bool:
        """It runs as the site's owner."""
        return True

    def healthy(self) -> str:
        """Empty when it answers; while it is being changed, when it answered lately."""
        if not self._lock.acquire(timeout=0.5):
            silent = monotonic() - self._view.answered
            return "" if silent < _STUCK else f"no answer for {silent:.0f} s"
        try:
            self._view.ping()
        except ServiceFailed as error:
            return str(error)
        finally:
            self._lock.release()
        return ""

    def started(self) -> None:
        """Put the site's exports back. A disk that is refused keeps no other from its board."""
        with suppress(FileNotFoundError):
            for name in (QMP, STORAGE):
                (self._run / name).chmod(0o600)
        self.reconcile(self._derived.read().targets)

    def close(self) -> None:
        """Let go of the daemon, which goes on; another program may then speak to it."""
        with self._lock:
            self._view.close()

    @property
    def draining(self) -> frozenset[str]:
        """Exports that are no longer wanted and still have a session."""
        with self._lock:
            return frozenset(self._draining & self._view.served.keys())

    def exported(self) -> frozenset[str]:
        """Names of the disks it serves. Raises ServiceFailed."""
        with self._lock:
            self._view.survey()
            return frozenset(self._view.served)

    def reconcile(self, wanted: Mapping[str, Target]) -> Changes:
        """Add, change and remove until just ``wanted`` is served. Raises ServiceFailed.

        What is withdrawn stays so. A disk with a session is not removed, but kept as draining.
        """
        with self._lock:
            self._view.survey()
            gone: dict[str, Target | None] = dict.fromkeys(self._view.served.keys() - wanted.keys())
            self._withdrawn &= wanted.keys()
            return self.adjust({**gone, **wanted})

    def adjust(self, wanted: Mapping[str, Target | None]) -> Changes:
        """The same for the named exports alone; None removes one. Raises ServiceFailed."""
        tally = _Tally()
        with self._lock:
            self._view.survey()
            for export, target in wanted.items():
                if export in self._withdrawn:
                    continue
                try:
                    self._settle(export, target, tally)
                except QmpGone:
                    raise
                except ServiceFailed as error:
                    tally.refused.append((export, str(error)))
        return tally.changes()

    def withdraw(self, export: str) -> None:
        """Let go of a disk until ``restore``. Raises Refused while it has a session.

        When the daemon does not run the disk is free, and left out at the next start.
        """
        with self._lock:
            self._withdrawn.add(export)
            try:
                self._view.survey()
                self._view.drop(export)
            except QmpGone:
                return
            except ServiceFailed as error:
                self._withdrawn.discard(export)
                raise Refused(f"{export}: {error}") from None

    def restore(self, export: str, target: Target | None) -> None:
        """Undo ``withdraw``; None when the disk is no longer wanted. Raises ServiceFailed."""
        with self._lock:
            self._withdrawn.discard(export)
            refused = self.adjust({export: target}).refused
        for name, why in refused:
            raise ServiceFailed(f"{name} can't be served: {why}")

    # ── copies ────────────────────────────────────────────────────────────────────────────

    def copy(self, export: str, folder: Path) -> str:
        """Begin to copy a disk as it is now to the empty one in ``folder``; the copy's name.

        That is a sparse file, or for an overlay an empty overlay on the same base. Raises
        Refused, ServiceFailed, NoSpace; then nothing is left but the file.
        """
        with self._lock, _staying():
            self._view.survey()
            have = self._view.served.get(export)
            if have is None or have.target is None or have.node != nodes.identify(have.target):
                raise ServiceFailed(f"{export} is not served just now; try again")
            if have.copying:
                raise Refused(f"{export}: it is being copied already")
            name = f"{copies.PREFIX}{token_hex(4)}"
            source, target = have.target, folder / DISK_FILES[have.target.format]
            if source.format == "raw":
                server = self._run / STORAGE
                copies.begin(self._view, server, have.node, source.file, target, name)
            else:
                overlays.begin(self._view, have.node, source, target, name)
            have.copying = True
            self._copies[name] = _Copy(have, self._view.lives)
            return name

    def look_at_copy(self, name: str) -> CopyState:
        """How far a copy is. Raises ServiceFailed when it came to nothing."""
        with self._lock, _staying():
            self._require_alive(self._copies.get(name))
            return copies.look(self._view, name)

    def end_copy(self, name: str) -> None:
        """Let go of a copy's file, which is whole if ``look_at_copy`` said so.

        Raises ServiceFailed when the daemon went away before: part of an overlay's tables is in
        its memory until then.
        """
        with self._lock, _staying():
            copy = self._copies.pop(name, None)
            if copy is not None:
                copy.served.copying = False
            served = self._require_alive(copy)
            copies.end(self._view, served.node, name)

    def _require_alive(self, copy: _Copy | None) -> Served:
        self._view.survey()
        if copy is None or copy.life != self._view.lives:
            raise ServiceFailed(_WENT_AWAY)
        return copy.served

    def _settle(self, export: str, target: Target | None, tally: _Tally) -> None:
        """Make one export what it should be. Raises ServiceFailed."""
        have = self._view.served.get(export)
        if target is None:
            if have is None:
                return
            try:
                self._view.drop(export)
            except InUse:
                self._draining.add(export)
            else:
                self._draining.discard(export)
                tally.removed.append(export)
            return
        self._draining.discard(export)
        if have is not None and have.target is not None and _same(have.target, target):
            return
        node = nodes.identify(target)
        if have is None:
            self._view.add(target, node)
            tally.added.append(export)
        elif have.node == node:
            have.target = target
        else:
            self._view.drop(export)
            self._view.add(target, node)
            tally.changed.append(export)


@contextmanager
def _staying() -> Iterator[None]:
    try:
        yield
    except QmpGone:
        raise ServiceFailed(_WENT_AWAY) from None


def _same(one: Target, other: Target) -> bool:
    """Whether two targets are one disk; who may have it is the gate's business."""
    return one is other or (one.file, one.format, one.base) == (
        other.file,
        other.format,
        other.base,
    )
