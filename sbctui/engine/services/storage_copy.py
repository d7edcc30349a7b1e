"""Copies of disks that boards are writing, as they were at one instant.

The storage daemon makes them (``blockdev-backup``): before a board overwrites what was not
copied yet, that is copied first. Only what held data at that instant is copied, so that holes
stay holes: the job is given a bitmap of it (see storage_marks.py), in which the daemon itself
marks what is written from before we look until the job begins.

A board's write waits for that copy and would fail with it, so the new file's room is reserved.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.amounts import exact
from sbctui.engine.room import require_room
from sbctui.engine.services.qmp import QmpError
from sbctui.engine.services.storage_marks import GRAIN, grains, mark

PREFIX = "c-"
"""Of everything that belongs to a copy: job, nodes, export, bitmap."""
_MAP = "c-map-"
_RUNNING = frozenset(("created", "running", "paused", "ready", "standby", "pending", "waiting"))
_ENDING = 10.0
"""Seconds a cancelled job may take to end."""


class Daemon(Protocol):
    """The storage daemon, as far as it matters here. Everything raises QmpGone."""

    def ask(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """One command's answer. Raises QmpError."""

    def wait_for(self, event: str, timeout: float, **data: object) -> bool:
        """Wait for an event; False in vain."""


@dataclass(frozen=True, slots=True)
class CopyState:
    """How far a copy is, in bytes; ``over`` when it is whole."""

    done: int
    total: int
    over: bool


def begin(daemon: Daemon, server: Path, node: str, disk: Path, target: Path, name: str) -> None:
    """Begin the copy ``name`` of a node to an empty file of the same size.

    ``server`` is the daemon's NBD socket. Raises ServiceFailed, NoSpace; then nothing is left
    but the file.
    """
    size = disk.stat().st_size
    with ExitStack() as undo:
        try:
            _add_file(daemon, target, name, undo)
            _add_bitmap(daemon, node, name, undo)
            with open(disk, "rb") as file:
                ranges = grains(file.fileno())
            _reserve(target, size, ranges)
            _mark(daemon, server, node, size, name, ranges)
            daemon.ask(
                "blockdev-backup",
                {
                    "job-id": name,
                    "device": node,
                    "target": name,
                    "sync": "bitmap",
                    "bitmap": name,
                    "bitmap-mode": "never",
                    "auto-dismiss": False,
                },
            )
        except OSError as error:
            raise ServiceFailed(f"{error.filename or disk}: {error.strerror or error}") from None
        undo.pop_all()


def look(daemon: Daemon, name: str) -> CopyState:
    """Raises ServiceFailed with the daemon's words when the copy came to nothing."""
    job = next((job for job in daemon.ask("query-jobs") if job["id"] == name), None)
    if job is None:
        raise ServiceFailed("the storage daemon has no such copy any more; try again")
    if job.get("error"):
        raise ServiceFailed(f"the storage daemon could not copy: {job['error']}")
    over = job["status"] == "concluded"
    return CopyState(int(job["current-progress"]), int(job["total-progress"]), over)


def end(daemon: Daemon, node: str, name: str) -> None:
    """Take away a copy's job and nodes, whether it is whole or not. Raises ServiceFailed."""
    _end_job(daemon, name)
    with suppress(QmpError):
        daemon.ask("block-dirty-bitmap-remove", {"node": node, "name": name})
    daemon.ask("blockdev-del", {"node-name": name})


def sweep(daemon: Daemon) -> None:
    """Take away what a supervisor that died left of its copies."""
    for job in daemon.ask("query-jobs"):
        if str(job["id"]).startswith(PREFIX):
            _end_job(daemon, str(job["id"]))
    for export in daemon.ask("query-block-exports"):
        if str(export["id"]).startswith(PREFIX):
            _drop_export(daemon, str(export["id"]))
    for node in daemon.ask("query-named-block-nodes", {"flat": True}):
        name = str(node["node-name"])
        with suppress(QmpError):
            if name.startswith(PREFIX):
                daemon.ask("blockdev-del", {"node-name": name})
            for bitmap in node.get("dirty-bitmaps", ()):
                if str(bitmap.get("name", "")).startswith(PREFIX):
                    asked = {"node": name, "name": bitmap["name"]}
                    daemon.ask("block-dirty-bitmap-remove", asked)


def _end_job(daemon: Daemon, name: str) -> None:
    job = next((job for job in daemon.ask("query-jobs") if job["id"] == name), None)
    if job is None:
        return
    if job["status"] in _RUNNING:
        with suppress(QmpError):  # it ended by itself in this moment
            daemon.ask("block-job-cancel", {"device": name, "force": True})
        if not daemon.wait_for("JOB_STATUS_CHANGE", _ENDING, id=name, status="concluded"):
            raise ServiceFailed("the storage daemon does not end a copy; try again")
    daemon.ask("job-dismiss", {"id": name})


def _add_file(daemon: Daemon, target: Path, name: str, undo: ExitStack) -> None:
    options = {"driver": "file", "node-name": name, "filename": str(target), "discard": "unmap"}
    daemon.ask("blockdev-add", options)
    undo.callback(_quietly, daemon, "blockdev-del", {"node-name": name})


def _add_bitmap(daemon: Daemon, node: str, name: str, undo: ExitStack) -> None:
    """From now on every write to the disk is noted."""
    daemon.ask("block-dirty-bitmap-add", {"node": node, "name": name, "granularity": GRAIN})
    undo.callback(_quietly, daemon, "block-dirty-bitmap-remove", {"node": node, "name": name})


def _reserve(target: Path, size: int, ranges: list[tuple[int, int]]) -> None:
    """Room for what will be copied; where the file system can't, at least it is counted."""
    fd = os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != size or facts.st_blocks:
            raise ServiceFailed(f"{target.name} is no empty file of {exact(size)}")
        wanted = sum(end - start for start, end in ranges)
        require_room(target.parent, wanted, "the copy")
        for start, end in ranges:
            os.posix_fallocate(fd, start, end - start)
    finally:
        os.close(fd)


def _mark(
    daemon: Daemon, server: Path, node: str, size: int, name: str, ranges: list[tuple[int, int]]
) -> None:
    notes = _MAP + name.removeprefix(PREFIX)
    with ExitStack() as undo:
        options = {"driver": "null-co", "node-name": notes, "size": size, "read-zeroes": False}
        daemon.ask("blockdev-add", options)
        undo.callback(_quietly, daemon, "blockdev-del", {"node-name": notes})
        daemon.ask("block-dirty-bitmap-add", {"node": notes, "name": name, "granularity": GRAIN})
        export = {"type": "nbd", "id": notes, "name": notes, "node-name": notes, "writable": True}
        daemon.ask("block-export-add", export)
        undo.callback(_drop_export, daemon, notes)
        mark(server, notes, ranges)
        noted = {"node": notes, "name": name}
        daemon.ask("block-dirty-bitmap-merge", {"node": node, "target": name, "bitmaps": [noted]})


def _drop_export(daemon: Daemon, name: str) -> None:
    """Whoever is connected to it is cut off: it is ourselves."""
    with suppress(QmpError):
        daemon.ask("block-export-del", {"id": name, "mode": "hard"})
        daemon.wait_for("BLOCK_EXPORT_DELETED", _ENDING, id=name)


def _quietly(daemon: Daemon, command: str, arguments: dict[str, Any]) -> None:
    with suppress(QmpError):
        daemon.ask(command, arguments)
