"""What the disk tools complain about, as our errors."""

from __future__ import annotations

from sbctui.engine.commands import Done
from sbctui.engine.errors import NoSpace, ToolFailed
from sbctui.engine.model.text import clean

_FULL = ("No space left on device", "Disk quota exceeded")


def check(done: Done, doing: str) -> None:
    """Raise unless a program run with every exit code allowed ended with 0.

    Raises NoSpace when the complaint is a full disk, else ToolFailed.
    """
    if done.returncode == 0:
        return
    check_room(done, doing)
    raise ToolFailed(done.command.split()[0], done.returncode, complaint(done))


def check_room(done: Done, doing: str) -> None:
    """Raise NoSpace when a program complained about a full disk, whatever its exit code."""
    if any(text in done.stderr or text in done.stdout for text in _FULL):
        raise NoSpace(f"{doing}: the disk is full; make room, then run it again")


def complaint(done: Done) -> str:
    """The first line a program wrote to its error output, made safe to show."""
    for line in (*done.stderr.splitlines(), *done.stdout.splitlines()):
        text = line.strip()
        if text and not text.startswith(("mke2fs ", "resize2fs ", "e2fsck ", "debugfs ")):
            return clean(text)
    return ""
