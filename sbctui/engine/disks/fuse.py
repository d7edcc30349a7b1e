"""A qcow2 overlay seen as a raw disk for a moment, through a storage daemon of our own."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from sbctui.engine import commands, programs
from sbctui.engine.disks.qcow2 import block_node
from sbctui.engine.errors import Cancelled, SbcError, ToolFailed
from sbctui.engine.files import hit
from sbctui.engine.model.text import clean

_PATIENCE = 10.0
"""Seconds a private storage daemon may take to show the disk."""
_TICK = 0.005
_PROBE_BYTES = 1024**2
Poll = Callable[[], int | None]
"""A program's exit code, None while it runs."""


@cache
def unavailable() -> str:
    """Empty when overlays can be edited here, else why not; tried once per process."""
    try:
        for tool in ("qemu-storage-daemon", "qemu-img", "fusermount3", "setpriv"):
            programs.find(tool)
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "/dev/fuse can't be used here"
        with tempfile.TemporaryDirectory(prefix="sbctui-fuse-") as folder:
            _try_out(Path(folder))
    except (SbcError, OSError) as error:
        return clean(str(error))
    return ""


def _try_out(folder: Path) -> None:
    base, overlay = folder / "base", folder / "overlay"
    with open(base, "wb") as file:
        file.truncate(_PROBE_BYTES)
    commands.run(["qemu-img", "create", "-q", "-f", "qcow2", overlay, str(_PROBE_BYTES)])
    with exported(overlay, base, _PROBE_BYTES, stop=threading.Event()) as view:
        view.read_bytes()


@contextmanager
def exported(
    disk: Path, base: Path, size: int, *, stop: threading.Event, log: commands.Log | None = None
) -> Iterator[Path]:
    """A file that reads and writes like the overlay's ``size`` bytes; flushed when let go.

    ``base`` is only read. Raises ToolMissing, ToolFailed, Cancelled.
    """
    view = disk.with_name(f".view-{secrets.token_hex(4)}")
    words = view.with_suffix(".log")
    hit("disk.export")
    view.touch(0o600, exist_ok=False)
    try:
        with _daemon(disk, base, view, words, log) as alive:
            _wait(view, size, words, alive, stop)
            yield view
    finally:
        _forget(view)
        words.unlink(missing_ok=True)


@contextmanager
def _daemon(
    disk: Path, base: Path, view: Path, words: Path, log: commands.Log | None
) -> Iterator[Poll]:
    node = json.dumps(block_node(disk, base, name="disk"))
    export = {
        "type": "fuse",
        "id": "view",
        "node-name": "disk",
        "mountpoint": str(view),
        "writable": True,
        "allow-other": "off",
    }
    # It ends with us, whatever ends us: no stranger keeps the disk open.
    argv = ["setpriv", "--pdeathsig", "TERM", "qemu-storage-daemon"]
    argv += ["--blockdev", node, "--export", json.dumps(export)]
    if log:
        log(commands.pasteable(argv))
    process = commands.start(argv, log_file=words)
    try:
        yield process.poll
    finally:
        commands.end_session(process)
        process.wait()


def let_go(folder: Path) -> None:
    """End what still shows a disk of this folder, whose maker was killed.

    The daemon ends with its maker, but for one that was killed in the moment it began.
    """
    views = [view for view in folder.glob(".view-*") if not view.suffix]
    if not views:
        return
    import psutil  # not before there is one

    names = {str(view) for view in views}
    for process in psutil.process_iter(["cmdline"]):
        if _shows(process.info["cmdline"] or [], names):
            with suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(_PATIENCE)
    for view in views:
        _forget(view)


def _shows(argv: list[str], names: set[str]) -> bool:
    if "--export" not in argv[:-1]:
        return False
    with suppress(ValueError, AttributeError):
        return json.loads(argv[argv.index("--export") + 1]).get("mountpoint") in names
    return False


def _wait(view: Path, size: int, words: Path, poll: Poll, stop: threading.Event) -> None:
    deadline = time.monotonic() + _PATIENCE
    while view.stat().st_size < size:
        ended = poll()
        if ended is not None or time.monotonic() > deadline:
            lines = words.read_text(errors="replace").splitlines() if words.exists() else []
            detail = clean(lines[-1]) if lines else "it shows no disk"
            raise ToolFailed("qemu-storage-daemon", ended or -1, detail)
        if stop.wait(_TICK):
            raise Cancelled("stopped while opening an overlay")


def _forget(view: Path) -> None:
    """Unlink the view; a mount left by a daemon that was killed is taken away first."""
    try:
        view.unlink(missing_ok=True)
    except OSError:
        with suppress(SbcError):
            commands.run(["fusermount3", "-u", "-z", view])
        view.unlink(missing_ok=True)
