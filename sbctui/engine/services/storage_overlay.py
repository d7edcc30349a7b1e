"""Copies of overlays that boards are writing, as they were at one instant.

The storage daemon makes them (``blockdev-backup`` with ``sync: top``) into an empty overlay on the
same base, so only what the overlay itself holds is copied. The file is never copied as it lies
there: the daemon holds part of its tables in memory.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.room import require_room
from sbctui.engine.services.port import Target
from sbctui.engine.services.qmp import QmpError
from sbctui.engine.services.storage_copy import Daemon
from sbctui.engine.services.storage_nodes import disk_options, identify

_MORE = 1024**2
"""Bytes that a new overlay's own tables may take beyond those of the one that is copied."""


def begin(daemon: Daemon, node: str, source: Target, target: Path, name: str) -> None:
    """Begin the copy ``name`` of a node to an empty overlay of the same size.

    Raises ServiceFailed, NoSpace; then nothing is left but the file.
    """
    copy = Target(source.export, target, "qcow2", source.address, source.base)
    identify(copy)
    with ExitStack() as undo:
        try:
            _reserve(target, source.file.stat().st_size + _MORE)
            daemon.ask("blockdev-add", disk_options(copy, name))
            undo.callback(_forget, daemon, name)
            daemon.ask(
                "blockdev-backup",
                {
                    "job-id": name,
                    "device": node,
                    "target": name,
                    "sync": "top",
                    "auto-dismiss": False,
                },
            )
        except OSError as error:
            raise ServiceFailed(f"{error.filename or target}: {error.strerror or error}") from None
        undo.pop_all()


def _reserve(target: Path, wanted: int) -> None:
    """Room for all that may come: a board's write fails where what it replaces can't be copied.

    The overlay takes the file's tail as it grows; its own tables tell what of it is used.
    """
    fd = os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        require_room(target.parent, wanted, "the copy")
        os.posix_fallocate(fd, 0, wanted)
    finally:
        os.close(fd)


def _forget(daemon: Daemon, name: str) -> None:
    with suppress(QmpError):
        daemon.ask("blockdev-del", {"node-name": name})
