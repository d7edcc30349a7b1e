"""Unpacking a root file system's tar: links, devices and modes kept, the host untouched.

As root, tar runs in a private mount namespace in which only the staging folder can be written
(confine.py); it keeps owners, devices, ACLs and every extended attribute. Otherwise fakeroot
remembers owners and devices, and extended attributes (file capabilities too) are lost: Debian
12's fakeroot forgets a file's type when tar sets them. GNU tar itself strips a leading ``/``
and ``..`` and makes links last.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands, programs
from sbctui.engine.disks import confine
from sbctui.engine.disks.tools import check
from sbctui.engine.disks.watch import watched
from sbctui.engine.errors import BadInput
from sbctui.engine.files import hit
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean

_MAGIC = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_LISTED = ("--list", "-vv", "--numeric-owner", "--quoting-style=escape", "--xattrs")
_EXTRACTED = ("--extract", "--numeric-owner", "--preserve-permissions", "--same-owner")
_ATTRIBUTES = ("--xattrs", "--xattrs-include=*", "--acls")
_BLOCK = 4096
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Listing:
    """What a tar holds: bytes on a 4 KiB file system, members, members with attributes."""

    bytes: int
    members: int
    with_attributes: tuple[str, ...]


def listing(tar: Path) -> Listing:
    """Read a tar's whole table of contents. Raises BadInput when it is none or is cut off."""
    argv = ["tar", *_LISTED, "--xattrs-include=*", "--force-local", *_compression(tar)]
    done = commands.run([*argv, "--file", tar], ok=range(256))
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = lines[0].rpartition("tar: ")[2] if lines else "tar can't read it"
        raise BadInput(f"{shown(tar.name)} is no whole tar: {clean(reason)}; give a rootfs tar")
    size = members = 0
    attributed: list[str] = []
    name = ""
    for line in done.stdout.splitlines():
        if line.startswith("  x:"):
            if not attributed or attributed[-1] != name:
                attributed.append(name)
            continue
        if line[:1] not in "-dlhbcpCMNSV" or len(columns := line.split(None, 5)) < 6:
            continue
        members += 1
        name = columns[5]
        if line[0] != "h" and columns[2].isdigit():
            size += -(-int(columns[2]) // _BLOCK) * _BLOCK
        if line[0] == "d":
            size += _BLOCK
    return Listing(size, members, tuple(attributed))


def _compression(tar: Path) -> list[str]:
    with open(tar, "rb") as file:
        start = file.read(6)
    packers = [packer for magic, packer in _MAGIC.items() if start.startswith(magic)]
    for packer in packers:
        programs.find(packer)
    return [f"--{packer}" for packer in packers]


def unpack(
    tar: Path,
    tree: Path,
    *,
    stop: threading.Event,
    log: commands.Log | None = None,
    read: Callable[[int, int], None],
) -> tuple[Sequence[str | Path], str]:
    """Unpack ``tar`` into the empty folder ``tree``.

    Answers the words to put before a program so that it sees the tree as tar left it, and a
    sentence on what could not be kept (empty for nothing). ``read`` is told the bytes read of
    all. Raises NoSpace, ToolFailed, ToolMissing, Cancelled.
    """
    hit("disk.unpack")
    argv: list[str | Path] = ["tar", *_EXTRACTED, *_compression(tar), "--file", "-"]
    doing = f"unpacking {clean(tar.name)}"
    before: Sequence[str | Path] = _confined(tree)
    attributes: tuple[str, ...] = _ATTRIBUTES
    after: Sequence[str | Path] = ()
    kept = ""
    if not before:
        state = tree.parent / "fakeroot.state"
        before, after = ["fakeroot", "-s", state, "--"], ["fakeroot", "-i", state, "--"]
        attributes, kept = (), _lost(listing(tar))
    with open(tar, "rb") as source:
        fd = source.fileno()
        with watched(lambda: os.lseek(fd, 0, os.SEEK_CUR), os.fstat(fd).st_size, read):
            done = commands.run(
                [*before, *argv, *attributes],
                ok=range(256),
                stop=stop,
                log=log,
                cwd=tree,
                stdin=source,
            )
    check(done, doing)
    return after, kept


def _lost(listed: Listing) -> str:
    names = listed.with_attributes
    if not names:
        return ""
    few = ", ".join(clean(name) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"extended attributes (file capabilities too) of {few}{more} are not kept without root "
        "rights; set them on the board with setcap, or create the root with sudo"
    )


def _confined(tree: Path) -> list[str | Path]:
    """The words that confine a program to ``tree``; none where that can't be had."""
    if os.geteuid() != 0:
        return []
    words: list[str | Path] = [sys.executable, "-I", Path(confine.__file__), tree]
    tried = commands.run([*words, "true"], ok=range(256))
    return words if tried.returncode == 0 else []
