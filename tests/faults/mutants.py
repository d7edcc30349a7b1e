"""The engine with one of its safeguards taken out: what the harness must notice.

Each function spoils the process that calls it, so call it in a forked child.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from sbctui.engine import executor, files
from sbctui.engine.context import Context
from sbctui.engine.lockfile import SiteLock
from sbctui.engine.nodes import perform, perform_trash
from sbctui.engine.planning import Planning
from sbctui.engine.running import Running

_fsync = files.fsync_fd


def no_fsync() -> None:
    """Files are renamed into place without having been flushed."""
    _only_flush(stat.S_ISDIR)


def no_folder_fsync() -> None:
    """Renames are not flushed."""
    _only_flush(stat.S_ISREG)


def _only_flush(kind: Callable[[int], bool]) -> None:
    def fsync(fd: int) -> None:
        if kind(os.fstat(fd).st_mode):
            _fsync(fd)

    files.fsync_fd = fsync


def in_place() -> None:
    """A config is written over, not replaced."""

    def write(path: Path, data: bytes, **_: Any) -> Path:
        old = path.with_name(f".{path.name}.0.tmp")
        old.write_bytes(path.read_bytes())
        with open(path, "wb") as file:
            files.hit("file.write")
            file.write(data)
        return old

    perform.swap_in = write  # type: ignore[attr-defined]


def no_stage() -> None:
    """A node is built where it will stand."""

    def move(source: Path, target: Path) -> None:
        if source != target:
            files.rename_noreplace(source, target)

    Context.staged = lambda self, name: self.site.node_path(name)  # type: ignore[method-assign]
    perform.rename_noreplace = move  # type: ignore[attr-defined]


def no_undo() -> None:
    """What a failed unit did stays."""
    executor._undo = lambda *_: perform.nothing  # type: ignore[attr-defined]


def no_recovery() -> None:
    """Nothing is mended after a crash."""
    Running._recover = lambda *_: None  # type: ignore[method-assign]


def no_lock() -> None:
    """Everybody holds the site's lock at once."""
    SiteLock._wait = lambda *_: None  # type: ignore[method-assign]


def no_second_look() -> None:
    """A plan runs as it was made, whatever happened since."""
    Planning.again = lambda self, site, plan: plan  # type: ignore[method-assign]


def no_write_lease() -> None:
    """A disk is taken away without asking whether it is open."""
    perform_trash.write_lease = lambda _: nullcontext()  # type: ignore[attr-defined]


def replacing_rename() -> None:
    """A node is published over whatever stands there."""

    def rename(source: Path, target: Path) -> None:
        files.hit("rename")
        source.rename(target)
        with suppress(OSError):
            files.fsync_dir(target.parent)

    perform.rename_noreplace = rename  # type: ignore[attr-defined]
