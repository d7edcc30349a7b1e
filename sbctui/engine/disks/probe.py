"""Which disk kind a folder's file system can do, found out by trying."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sbctui.engine import programs
from sbctui.engine.disks.port import Probed
from sbctui.engine.disks.reflink import FICLONE
from sbctui.engine.errors import Refused, ToolMissing
from sbctui.engine.model.node import StoreKind
from sbctui.engine.model.text import clean

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs")
_DISTANT = "; locks and in-use checks can't be trusted there, so keep the site on a local disk"


def choose(folder: Path, setting: Literal["auto"] | StoreKind) -> Probed:
    """The kind the setting asks for, or with ``auto`` the best one that works here.

    Raises Refused when a kind is asked for that can't work in this folder.
    """
    found = probe(folder)
    if setting == "auto" or setting == found.store:
        return found
    if setting == "reflink":
        raise Refused(
            f"disk_kind is reflink, but {found.reason}; "
            "set disk_kind to auto in site.toml, or move the site to btrfs or XFS"
        )
    if setting == "overlay" and (missing := _no_overlay()):
        raise Refused(f"disk_kind is overlay, but {missing}")
    return Probed(setting, found.filesystem, f"site.toml asks for {setting}")


def probe(folder: Path) -> Probed:
    """Try a reflink of a small nameless file in ``folder``; else overlay, else copy.

    Leaves nothing behind. Raises FileNotFoundError when there is no such folder.
    """
    filesystem = filesystem_of(folder)
    shown = filesystem or "this file system"
    far = _DISTANT if filesystem in _NETWORK else ""
    failure = _try_reflink(folder)
    if failure is None:
        return Probed("reflink", filesystem, f"{shown} shares extents between copies{far}")
    reason = f"{shown} can't share extents between copies ({failure})"
    if missing := _no_overlay():
        return Probed("copy", filesystem, f"{reason} and {missing}{far}")
    return Probed("overlay", filesystem, f"{reason}{far}")


def _no_overlay() -> str:
    try:
        programs.find("qemu-img")
    except ToolMissing as error:
        return str(error)
    return ""


def _try_reflink(folder: Path) -> str | None:
    """None when it worked, else the system's words for why not.

    Its two files never get a name, so that looking leaves no trace, not even in the folder's
    times.
    """
    flags = os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC
    opened: list[int] = []
    try:
        opened += [os.open(folder, flags, 0o600) for _ in range(2)]
        os.write(opened[0], b"\1" * 4096)
        fcntl.ioctl(opened[1], FICLONE, opened[0])
    except FileNotFoundError:
        raise
    except OSError as error:
        return error.strerror
    finally:
        for fd in opened:
            os.close(fd)
    return None


def filesystem_of(folder: Path) -> str:
    """The type of the file system a folder lies on, as mount names it; empty if unknown."""
    place = str(folder.resolve())
    best, kind = "", ""
    with suppress(OSError):
        for line in _MOUNTS.read_text(errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            point = _OCTAL.sub(lambda m: chr(int(m[1], 8)), before.split()[4])
            inside = place == point or place.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= len(best):
                best, kind = point, after.split()[0]
    return clean(kind)
