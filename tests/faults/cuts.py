"""Power cuts without a power switch: a loop-mounted ext4 that is shut down at the N-th step.

``FS_IOC_SHUTDOWN`` without a flush of the journal: what was not flushed is gone, as at a real
power cut. Everything happens in a mount namespace of a forked child, so nothing stays mounted.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sbctui.engine import files, lockfile
from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from tests.faults import harness
from tests.faults.harness import Outcome
from tests.faults.invariants import State, state, violations
from tests.faults.verbs import Verb

_SHUTDOWN = 0x8004587D
_NO_LOG_FLUSH = 2
_NEWNS, _PRIVATE, _REC = 0x20000, 1 << 18, 1 << 14
Mutant = Callable[[], None] | None


def unable() -> str:
    """Why there can be no power cuts here; empty when there can."""
    if os.geteuid() != 0 or not os.access("/dev/loop-control", os.W_OK):
        return "needs root and loop devices"
    missing = [tool for tool in ("mkfs.ext4", "mount", "umount") if not shutil.which(tool)]
    if missing:
        return f"needs {missing[0]}"
    return "" if harness.in_child(_private_mounts) is not None else "needs a mount namespace"


def _private_mounts() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    for result in (libc.unshare(_NEWNS), libc.mount(None, b"/", None, _REC | _PRIVATE, None)):
        if result:
            raise OSError(ctypes.get_errno(), "no private mounts")
    return True


def make_image(path: Path, size: int) -> None:
    """An empty ext4 of ``size`` bytes."""
    with open(path, "wb") as file:
        file.truncate(size)
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=4", "-N", "2048", path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The file system of an image, mounted at ``folder`` in this process's own namespace."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield folder
    finally:
        deadline = time.monotonic() + 10
        while subprocess.run(["umount", folder], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, "something keeps the file system busy"
            time.sleep(0.01)


def in_namespace(body: Callable[[], Any]) -> Any:
    """What ``body`` returned, from a child with mounts of its own."""

    def inside() -> Any:
        _private_mounts()
        return body()

    data = harness.in_child(inside)
    assert data is not None, "the child was killed"
    return json.loads(data)


def through(image: Path, folder: Path, verb: Verb) -> tuple[State, State, int]:
    """State before and after the verb without a cut, and its number of steps."""

    def body() -> Any:
        with mounted(image, folder):
            site = folder / "site"
            before = state(site)
            outcome = harness.run(site, verb.asks, harness.Fault())
            assert (outcome.code, outcome.untyped) == (0, ""), outcome
            return before, state(site), outcome.hits

    before, after, hits = in_namespace(body)
    return before, after, hits


def cut(
    image: Path, folder: Path, verb: Verb, known: tuple[State, State], at: int, mutant: Mutant
) -> list[str]:
    """Cut the power at step ``at``, or right after the verb's answer; what is wrong then."""

    def body() -> list[str]:
        with mounted(image, folder):
            answered = harness.in_child(lambda: _perform(folder, verb, at, mutant))
        outcome = Outcome(at, json.loads(answered) if answered else None)
        with mounted(image, folder):
            return _look(folder / "site", verb, known, outcome)

    found: list[str] = in_namespace(body)
    return found


def _perform(folder: Path, verb: Verb, at: int, mutant: Mutant) -> int | None:
    steps = 0

    def failpoint(name: str) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            _shut_down(folder)
            os.kill(os.getpid(), 9)

    if mutant:
        mutant()
    engine = Engine(folder / "site")
    plan = engine.plan(verb.asks(engine))
    files.failpoint = failpoint
    code = engine.apply(plan).code
    _shut_down(folder)
    return code


def _shut_down(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
    os.close(fd)


def _look(site: Path, verb: Verb, known: tuple[State, State], outcome: Outcome) -> list[str]:
    lockfile.boot_id = lambda: "the boot after the cut"
    try:
        harness.recover(site)
        now = state(site)
    except (SbcError, OSError, ValueError, KeyError) as error:
        return [f"recovery: {error!r}"]
    found = harness.judge(*known, now, outcome, whole=verb.whole, disks=not verb.checks)
    return found + violations(site)
