"""An initramfs' archive: cpio in the "newc" format, the same bytes for the same entries.

Format: Documentation/driver-api/early-userspace/buffer-format.rst of the Linux kernel. Owner and
group are always 0, inode numbers count up, every time is the one given.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_MAGIC = b"070701"
_END = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one path: ``mode`` with its type; ``data`` is a file's or a link's target.

    ``device`` is a device node's major and minor number.
    """

    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(data: bytes, *, executable: bool = False) -> Entry:
    """A regular file that everybody may read."""
    return Entry(stat.S_IFREG | (0o755 if executable else 0o644), data)


def link(target: str) -> Entry:
    """A symbolic link."""
    return Entry(stat.S_IFLNK | 0o777, target.encode())


def folder() -> Entry:
    """A directory."""
    return Entry(stat.S_IFDIR | 0o755)


def character_device(major: int, minor: int) -> Entry:
    """A device node that root alone may use."""
    return Entry(stat.S_IFCHR | 0o600, device=(major, minor))


def archive(entries: Mapping[str, Entry], time: int) -> bytes:
    """The archive of relative paths; folders above them are added. ``time`` in epoch seconds."""
    whole = dict(entries)
    for path in entries:
        for above in PurePosixPath(path).parents:
            if above.name:
                whole.setdefault(str(above), folder())
    parts = [
        _member(path, whole[path], number, time) for number, path in enumerate(sorted(whole), 1)
    ]
    return b"".join((*parts, _member(_END, Entry(0), 0, 0)))


def _member(path: str, entry: Entry, number: int, time: int) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, time, len(entry.data), 0, 0, *entry.device,
              len(name), 0)  # fmt: skip
    head = _MAGIC + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
