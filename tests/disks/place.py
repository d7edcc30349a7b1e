"""File systems to put disks on, and looking at disks from outside."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sbctui.engine.disks.qcow2 import node_spec

MIB = 1024**2
_MAKE = {
    "btrfs": ["mkfs.btrfs", "-q", "-f"],
    "xfs": ["mkfs.xfs", "-q", "-f", "-m", "reflink=1"],
    "ext4": ["mkfs.ext4", "-q", "-F"],
}
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def tool(*argv: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program of the system, for a test."""
    return subprocess.run(
        [str(a) for a in argv],
        check=check,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": _PATH, "LC_ALL": "C"},
    )


def needs_loop() -> None:
    """Skip without loop devices; a failure where the lab is required."""
    if os.geteuid() == 0 and os.access("/dev/loop-control", os.W_OK):
        return
    if os.environ.get("SBCTUI_REQUIRE_LAB"):
        pytest.fail("no loop devices here")
    pytest.skip("no loop devices here")


@contextmanager
def mounted(kind: str, size: int, folder: Path) -> Iterator[Path]:
    """A new file system of ``size`` bytes on a loop device below ``folder``."""
    needs_loop()
    stem = folder / f"{kind}-{uuid.uuid4().hex[:8]}"
    image, point = stem.with_suffix(".fs"), stem
    with open(image, "wb") as file:
        file.truncate(size)
    tool(*_MAKE[kind], image)
    with mounted_image(image, point):
        yield point
    image.unlink()


@contextmanager
def mounted_image(image: Path, point: Path, *options: str) -> Iterator[Path]:
    """An image that is there, mounted at a new folder."""
    needs_loop()
    point.mkdir()
    tool("mount", "-o", ",".join(("loop", *options)), image, point)
    try:
        yield point
    finally:
        _unmount(point)
        point.rmdir()


def _unmount(point: Path) -> None:
    """Also where a daemon that has just ended holds it a moment longer."""
    end = time.monotonic() + 10
    while tool("umount", point, check=time.monotonic() > end).returncode:
        time.sleep(0.05)


def worn(path: Path, size: int = 24 * MIB, seed: int = 1) -> Path:
    """A sparse disk with data in many places, the last page a hole."""
    dice = random.Random(seed)
    with open(path, "wb") as file:
        file.truncate(size)
        for _ in range(40):
            file.seek(dice.randrange(size // 4096 - 40) * 4096)
            file.write(dice.randbytes(dice.randrange(1, 30 * 4096)))
        os.fsync(file.fileno())
    return path


def seen(disk: Path, base: Path | None = None) -> str:
    """A digest of what a board reads from a disk: of an overlay through qemu."""
    if disk.suffix != ".qcow2":
        return hashlib.sha256(disk.read_bytes()).hexdigest()
    flat = disk.with_name(f"flat-{uuid.uuid4().hex}")
    tool("qemu-img", "convert", "-O", "raw", node_spec(disk, base), flat)
    try:
        return hashlib.sha256(flat.read_bytes()).hexdigest()
    finally:
        flat.unlink()


def allocated(path: Path) -> int:
    """Bytes a file takes."""
    return path.stat().st_blocks * 512


def fill(path: Path, *, spare: int) -> None:
    """Take all free space of a small file system but ``spare`` bytes."""
    with open(path, "wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(b"\1" * 4096)
        os.fsync(file.fileno())
        file.truncate(file.tell() - spare)
        os.fsync(file.fileno())


def silent(done: int, total: int) -> None:
    """A report that nobody reads."""


NEVER = threading.Event()
"""A stop that is never set."""
