"""What one storage daemon serves, as asked once a connection and known from then on.

Nobody else can change it: the daemon speaks QMP with one client at a time. Not thread-safe.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services import storage_nodes as nodes
from sbctui.engine.services.port import Target
from sbctui.engine.services.qmp import Qmp, QmpError
from sbctui.engine.services.storage_copy import sweep

_SPARE = 256
"""Descriptors kept for the daemon itself."""
_EACH = 3
"""Descriptors an export may take: a disk, its base, a session."""
_GONE = 5.0
"""Seconds an export may take to go once nobody is connected."""


class InUse(ServiceFailed):
    """A session keeps the export."""


@dataclass
class Served:
    """One export. ``target`` is None for one found in the daemon and not yet compared.

    ``copying`` while a copy of it is being made.
    """

    node: str
    target: Target | None = None
    copying: bool = False


class StorageView:
    """A daemon by its QMP socket; ``owner`` is the (uid, gid) it runs as.

    All methods raise QmpGone when it is away, and then ask anew after the next ``connect``;
    ``lives`` counts how often that was.
    """

    def __init__(self, socket: Path, owner: tuple[int, int]) -> None:
        self.served: dict[str, Served] = {}
        self.answered = 0.0
        self.lives = 0
        self._qmp = Qmp(socket)
        self._owner = owner
        self._known = False
        self._most = 0

    def close(self) -> None:
        """Let go of the daemon."""
        self._qmp.close()

    def ping(self) -> None:
        """Have it answer something within 0.9 s."""
        self._connect()
        self.ask("query-version", timeout=0.9)

    def survey(self) -> None:
        """Ask what it has, unless that is known. Raises QmpError."""
        self._connect()
        if self._known:
            return
        self.lives += 1
        sweep(self)
        exports = self.ask("query-block-exports")
        listed = self.ask("query-named-block-nodes", {"flat": True})
        there = {str(node["node-name"]) for node in listed}
        self.served = {
            str(export["id"]).removeprefix(nodes.EXPORT): Served(str(export["node-name"]))
            for export in exports
        }
        for name in there - {have.node for have in self.served.values()}:
            if name.startswith(nodes.DISK):
                with suppress(QmpError):
                    self.ask("blockdev-del", {"node-name": name})
        self._known = True

    def add(self, target: Target, node: str) -> None:
        """Serve one more disk. Raises ServiceFailed with the daemon's line and the remedy."""
        if (len(self.served) + 1) * _EACH + _SPARE > self._most:
            raise ServiceFailed(
                f"the storage daemon may open {self._most} files and has too few left; "
                "raise the limit of open files (LimitNOFILE, ulimit -Hn)"
            )
        try:
            self.ask("blockdev-add", nodes.disk_options(target, node))
        except QmpError as error:
            raise ServiceFailed(self._with_remedy(str(error))) from None
        try:
            self.ask("block-export-add", nodes.export_options(target.export, node))
        except QmpError:
            self.ask("blockdev-del", {"node-name": node})
            raise
        self.served[target.export] = Served(node, target)

    def drop(self, export: str) -> None:
        """Remove one export and its node. Raises InUse while it has a session, QmpError."""
        have = self.served.get(export)
        if have is None:
            return
        if have.copying:
            raise InUse("it is being copied; wait for that, or cancel it")
        name = nodes.EXPORT + export
        try:
            self.ask("block-export-del", {"id": name, "mode": "safe"})
        except QmpError as error:
            if "in use" in str(error):
                raise InUse("a board has it open; shut the board down first") from None
            if "shutting down" not in str(error):
                raise
        self._known = False  # until both steps are done
        self._qmp.wait_for("BLOCK_EXPORT_DELETED", _GONE, id=name)
        self.ask("blockdev-del", {"node-name": have.node})
        del self.served[export]
        self._known = True

    def wait_for(self, event: str, timeout: float, **data: object) -> bool:
        """Wait for an event whose data has these values; False in vain."""
        return self._qmp.wait_for(event, timeout, **data)

    def _connect(self) -> None:
        if not self._qmp.connected:
            self._known = False
            self._qmp.connect()
            self._most = _raise_limit(self._qmp.pid)

    def ask(
        self, command: str, arguments: dict[str, Any] | None = None, timeout: float = 10.0
    ) -> Any:
        """One command's answer. Raises QmpError."""
        answer = self._qmp.execute(command, arguments, timeout=timeout)
        self.answered = monotonic()
        return answer

    def _with_remedy(self, line: str) -> str:
        if "Permission denied" not in line:
            return line
        uid, gid = self._owner
        return f"{line}; the daemon runs as user {uid}: chown {uid}:{gid} that file, chmod 640"


def _raise_limit(pid: int) -> int:
    """How many files the daemon may open, after raising its soft limit as far as we may."""
    try:
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
    except OSError:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # which it had from us
    return sys.maxsize if most == resource.RLIM_INFINITY else most
