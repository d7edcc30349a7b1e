"""What is mounted where, which file systems have a label, and how repositories are mounted.

Reads /proc/self/mountinfo (proc(5)) and asks lsblk, so no file system is touched that may hang.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands, programs
from sbctui.engine.commands import Log, Stop
from sbctui.engine.errors import NoSuchNode, ToolFailed, ToolMissing
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.text import clean
from sbctui.engine.services.rundir import run_dir

_MOUNTINFO = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")
_SECONDS = 30.0
"""Seconds that mounting may take; a server that is down does not answer at all."""
_LOOK = 3.0
SAFE = ("nosuid", "nodev", "noexec")
"""Options of every mount here: what is on it is data, never a program or a device."""
_HELPERS: Mapping[str, tuple[str, str]] = {
    "nfs": ("mount.nfs", "nfs-common"),
    "smb": ("mount.cifs", "cifs-utils"),
}
_PATIENCE: Mapping[str, str] = {"nfs": "soft,timeo=50,retrans=2", "smb": "soft"}
"""A server that goes away is an error in the end, and not a program that can't be killed."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: device number as ``8:1``, what is mounted, where, and whether read-only."""

    device: str
    source: str
    point: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A file system with a label. ``removable``: in a drive that may be taken out."""

    label: str
    device: str
    number: str
    removable: bool


def mounts() -> tuple[Mount, ...]:
    """All mounts of this process's namespace, the newest last."""
    found = []
    for line in _MOUNTINFO.read_text(errors="surrogateescape").splitlines():
        fields, _, rest = line.partition(" - ")
        words, behind = fields.split(" "), rest.split(" ")
        if len(words) >= 6 and len(behind) >= 2:
            options = {*words[5].split(","), *(behind[2].split(",") if len(behind) > 2 else ())}
            found.append(Mount(words[2], _plain(behind[1]), _plain(words[4]), "ro" in options))
    return tuple(found)


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def labelled() -> tuple[Labelled, ...]:
    """File systems with a label, those in loop devices too. Empty where nothing tells.

    lsblk knows labels from udev; where that does not run, root can have blkid look.
    """
    argv = ["lsblk", "--json", "--paths", "--output", "PATH,MAJ:MIN,LABEL,FSTYPE,RM,HOTPLUG,TYPE",
            "--list"]  # fmt: skip
    try:
        told = commands.answer(argv, _LOOK)
        rows = json.loads(told or b"{}").get("blockdevices", [])
        if os.geteuid() == 0 and not any(row.get("fstype") for row in rows):
            found = _by_blkid(commands.answer(["blkid", "-c", "/dev/null", "-o", "export"], _LOOK))
            rows = [{**row, **found.get(row.get("path"), {})} for row in rows]
    except (ToolMissing, ValueError):
        return ()
    return tuple(
        Labelled(
            str(row["label"]),
            str(row["path"]),
            str(row.get("maj:min", "")),
            bool(row.get("rm")) or bool(row.get("hotplug")) or row.get("type") == "rom",
        )
        for row in rows
        if row.get("label") and row.get("fstype") and row.get("path")
    )


def _by_blkid(told: bytes | None) -> dict[str, dict[str, str]]:
    """Label and type by device, from blkid's export format (blkid(8)): blocks of NAME=value."""
    found: dict[str, dict[str, str]] = {}
    for block in (told or b"").decode(errors="replace").split("\n\n"):
        pairs = dict(line.partition("=")[::2] for line in block.splitlines())
        plain = {key: re.sub(r"\\(.)", r"\1", value) for key, value in pairs.items()}
        if "DEVNAME" in plain and "TYPE" in plain:
            found[plain["DEVNAME"]] = {"fstype": plain["TYPE"], "label": plain.get("LABEL", "")}
    return found


def place_of(site: Path, name: str) -> Path:
    """Where a repository is mounted by us."""
    return run_dir(site) / "mounts" / name


def device_of(label: str, known: tuple[Labelled, ...]) -> Labelled:
    """The one file system with a label. Raises NoSuchNode when there is none, or are several."""
    found = [one for one in known if one.label == label]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchNode(f"no file system here has the label {clean(label)}; plug it in")
    places = ", ".join(one.device for one in found)
    raise NoSuchNode(f"several file systems have the label {clean(label)} ({places}): rename one")


def mounted_at(
    site: Path, name: str, one: Configured, known: tuple[Labelled, ...], now: tuple[Mount, ...]
) -> Mount | None:
    """Where a repository is mounted now, by us or by somebody else; None when nowhere."""
    ours = str(place_of(site, name))
    numbers = {found.number for found in known if one.label and found.label == one.label}
    for mount in reversed(now):
        if mount.point == ours or mount.device in numbers:
            return mount
        if not one.label and mount.source.rstrip("/") == one.place.rstrip("/"):
            return mount
    return None


def mount_argv(one: Configured, device: str, point: Path) -> list[str]:
    """The command that mounts a repository; ``device`` for those found by their label."""
    access = "rw" if one.kind == "cache" else "ro"
    words = [access, *SAFE, *([_PATIENCE[one.kind]] if one.kind in _PATIENCE else [])]
    if one.options:
        words.append(one.options)
    kind = {"nfs": ["-t", "nfs"], "smb": ["-t", "cifs"]}.get(one.kind, [])
    what = one.place if one.kind in _PATIENCE else device
    return ["mount", *kind, "-o", ",".join(words), "--", what, str(point)]


def mount(
    one: Configured, device: str, point: Path, *, stop: Stop = None, log: Log | None = None
) -> None:
    """Mount a repository at a folder that is made for it. Raises ToolFailed, ToolMissing."""
    if one.kind in _HELPERS:
        tool, package = _HELPERS[one.kind]
        try:
            programs.find(tool)
        except ToolMissing:
            raise ToolMissing(tool, package) from None
    point.mkdir(mode=0o755, exist_ok=True)
    try:
        commands.run(mount_argv(one, device, point), timeout=_SECONDS, stop=stop, log=log)
    except BaseException:
        point.rmdir()
        raise


def unmount(point: Path, *, log: Log | None = None) -> None:
    """Unmount what is mounted at a folder, and remove the folder if it is ours.

    Raises ToolFailed, as when a file there is open.
    """
    try:
        commands.run(["umount", "--", point], timeout=_SECONDS, log=log)
    except ToolFailed as error:
        raise ToolFailed(
            "umount", error.returncode, f"{error.detail}; close what is open there"
        ) from None
    if point.parent.name == "mounts" and not os.path.ismount(point):
        point.rmdir()
