"""qemu-storage-daemon: all disks of a site from one unprivileged process, changed while it runs.

Its NBD server is a private unix socket that only the gate connects to; it is spoken to over a
QMP socket. Whoever holds the QMP connection is the only one who changes it, so what it has is
asked once a connection and known from then on.
"""

from __future__ import annotations

import resource
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from sbctui.engine import commands
from sbctui.engine.errors import Refused, ServiceFailed
from sbctui.engine.services import storage_nodes as nodes
from sbctui.engine.services.gate_rules import STORAGE
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Changes, Target
from sbctui.engine.services.qmp import Qmp, QmpError, QmpGone
from sbctui.engine.services.storage_nodes import Names

QMP = "storage.qmp"
"""The control socket in the runtime folder."""
_TOOL = "qemu-storage-daemon"
_SPARE = 256
"""Descriptors kept for sessions and the daemon itself."""
_EACH = 3
"""Descriptors an export may take: a disk, its share of a base, a session."""
_STUCK = 5.0


@dataclass
class _Export:
    """One export in the daemon. ``target`` is None for one found there and not yet compared."""

    names: Names
    target: Target | None = None


@dataclass
class _Tally:
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)

    def changes(self) -> Changes:
        return Changes(*(tuple(part) for part in vars(self).values()))


class StorageDaemon:
    """The storage daemon of one site, as the supervisor keeps it and as what it exports.

    ``run`` is the runtime folder that the daemon may write to, ``owner`` whom it runs as.
    Thread-safe.
    """

    name = "storage"

    def __init__(self, derived: DerivedExports, run: Path, owner: tuple[int, int]) -> None:
        self._derived = derived
        self._run = run
        self._owner = owner
        self._qmp = Qmp(run / QMP)
        self._lock = threading.RLock()
        self._known = False
        self._exports: dict[str, _Export] = {}
        self._bases: set[str] = set()
        self._withdrawn: set[str] = set()
        self._draining: set[str] = set()
        self._most = 0
        self._answered = 0.0

    def off(self) -> str:
        """Always wanted."""
        return ""

    def prepare(self) -> None:
        """Nothing to write; the program must be there. Raises ToolMissing."""
        commands.find(_TOOL)

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
            silent = monotonic() - self._answered
            return "" if silent < _STUCK else f"no answer for {silent:.0f} s"
        try:
            if not self._qmp.connected:
                self._connect()
            self._ask("query-version", timeout=0.9)
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

    @property
    def draining(self) -> frozenset[str]:
        """Exports that are no longer wanted and still have a session."""
        with self._lock:
            return frozenset(self._draining)

    def exported(self) -> frozenset[str]:
        """Names of the disks it serves. Raises ServiceFailed."""
        with self._lock:
            self._survey()
            return frozenset(self._exports)

    def reconcile(self, wanted: Mapping[str, Target]) -> Changes:
        """Add, change and remove until just ``wanted`` is served. Raises ServiceFailed.

        What is withdrawn stays so. A disk with a session is not removed, but kept as draining.
        """
        with self._lock:
            self._survey()
            gone: dict[str, Target | None] = dict.fromkeys(self._exports.keys() - wanted.keys())
            self._withdrawn &= wanted.keys()
            return self.adjust({**gone, **wanted})

    def adjust(self, wanted: Mapping[str, Target | None]) -> Changes:
        """The same for the named exports alone; None removes one. Raises ServiceFailed."""
        tally = _Tally()
        with self._lock:
            self._survey()
            for export, target in wanted.items():
                if export in self._withdrawn:
                    continue
                try:
                    self._settle(export, target, tally)
                except QmpGone:
                    raise
                except ServiceFailed as error:
                    tally.refused.append((export, str(error)))
            self._free_bases()
        return tally.changes()

    def withdraw(self, export: str) -> None:
        """Let go of a disk until ``restore``. Raises Refused while it has a session.

        When the daemon does not run the disk is free, and left out at the next start.
        """
        with self._lock:
            self._withdrawn.add(export)
            try:
                self._survey()
                self._drop(export)
                self._free_bases()
            except QmpGone:
                return
            except ServiceFailed as error:
                self._withdrawn.discard(export)
                raise Refused(f"{export}: {error}; shut the board down first") from None

    def restore(self, export: str, target: Target | None) -> None:
        """Undo ``withdraw``; None when the disk is no longer wanted. Raises ServiceFailed."""
        with self._lock:
            self._withdrawn.discard(export)
            refused = self.adjust({export: target}).refused
        for name, why in refused:
            raise ServiceFailed(f"{name} can't be served: {why}")

    def _settle(self, export: str, target: Target | None, tally: _Tally) -> None:
        """Make one export what it should be. Raises ServiceFailed."""
        have = self._exports.get(export)
        if target is None:
            if have is None:
                return
            try:
                self._drop(export)
            except _InUse:
                self._draining.add(export)
            else:
                tally.removed.append(export)
            return
        self._draining.discard(export)
        if have is not None and have.target is not None and _same(have.target, target):
            return
        names = nodes.identify(target)
        if have is None:
            self._add(export, target, names)
            tally.added.append(export)
        elif have.names.disk == names.disk:
            have.target, have.names = target, names
        else:
            self._drop(export)
            self._add(export, target, names)
            tally.changed.append(export)

    def _add(self, export: str, target: Target, names: Names) -> None:
        if (len(self._exports) + 1) * _EACH + _SPARE > self._most:
            raise ServiceFailed(
                f"the storage daemon may open {self._most} files and has too few left; "
                "raise the limit of open files (LimitNOFILE, ulimit -Hn)"
            )
        try:
            if names.base is not None and target.base is not None and names.base not in self._bases:
                self._ask("blockdev-add", nodes.base_options(target.base, names.base))
                self._bases.add(names.base)
            self._ask("blockdev-add", nodes.disk_options(target, names))
        except QmpError as error:
            raise ServiceFailed(self._with_remedy(str(error))) from None
        try:
            self._ask("block-export-add", nodes.export_options(export, names.disk))
        except QmpError as error:
            self._ask("blockdev-del", {"node-name": names.disk})
            raise ServiceFailed(str(error)) from None
        self._exports[export] = _Export(names, target)

    def _with_remedy(self, line: str) -> str:
        if "Permission denied" not in line:
            return line
        uid, gid = self._owner
        return f"{line}; the daemon runs as user {uid}: chown {uid}:{gid} that file, chmod 640"

    def _drop(self, export: str) -> None:
        """Remove one export and its node. Raises _InUse, ServiceFailed."""
        have = self._exports.get(export)
        if have is None:
            return
        name = nodes.EXPORT + export
        try:
            self._ask("block-export-del", {"id": name, "mode": "safe"})
        except QmpError as error:
            if "in use" in str(error):
                raise _InUse("a board has it open") from None
            if "shutting down" not in str(error):
                raise
        self._qmp.wait_for("BLOCK_EXPORT_DELETED", 5.0, id=name)
        self._ask("blockdev-del", {"node-name": have.names.disk})
        del self._exports[export]
        self._draining.discard(export)

    def _free_bases(self) -> None:
        """Drop the base nodes that no disk stands on any more."""
        used = {have.names.base for have in self._exports.values()}
        for base in self._bases - used:
            with suppress(QmpError):
                self._ask("blockdev-del", {"node-name": base})
                self._bases.discard(base)

    def _connect(self) -> None:
        self._known = False
        self._qmp.connect()
        with suppress(OSError, ValueError):
            _, hard = resource.prlimit(self._qmp.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(self._qmp.pid, resource.RLIMIT_NOFILE, (hard, hard))
            self._most = hard

    def _survey(self) -> None:
        """Ask what the daemon has, once a connection."""
        if not self._qmp.connected:
            self._connect()
        if self._known:
            return
        found = self._ask("query-block-exports")
        listed = self._ask("query-named-block-nodes", {"flat": True})
        names = {str(node["node-name"]) for node in listed}
        self._exports = {
            str(export["id"]).removeprefix(nodes.EXPORT): _Export(
                Names(str(export["node-name"]), None)
            )
            for export in found
        }
        self._bases = {name for name in names if name.startswith(nodes.BASE)}
        self._draining.clear()
        served = {have.names.disk for have in self._exports.values()}
        for name in names - served:
            if name.startswith(nodes.DISK):
                with suppress(QmpError):
                    self._ask("blockdev-del", {"node-name": name})
        self._known = True

    def _ask(
        self, command: str, arguments: dict[str, object] | None = None, timeout: float = 10.0
    ) -> list[dict[str, object]]:
        answer = self._qmp.execute(command, arguments, timeout=timeout)
        self._answered = monotonic()
        return answer if isinstance(answer, list) else []


class _InUse(ServiceFailed):
    """A session keeps the export."""


def _same(one: Target, other: Target) -> bool:
    """Whether two targets are one disk; who may have it is the gate's business."""
    return one is other or (one.file, one.format, one.base) == (
        other.file,
        other.format,
        other.base,
    )
