"""Whether a disk has room, asked before boards, which write beside us, find its last byte taken."""

from __future__ import annotations

import os
from pathlib import Path

from sbctui.engine.errors import NoSpace
from sbctui.engine.model.amounts import size


def require_room(folder: Path, wanted: int, what: str) -> None:
    """Raises NoSpace where ``what`` takes more than the file system of ``folder`` has free."""
    room = os.statvfs(folder)
    free = room.f_bavail * room.f_frsize
    if wanted > free:
        raise NoSpace(
            f"{what} takes up to {size(wanted)}, and {size(free)} are free beside {folder}; "
            "make room"
        )
