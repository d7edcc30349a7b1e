"""The TFTP tree as HTTP serves it: to each board its own folder, and nothing else.

The rule is that of dnsmasq's ``tftp-unique-root=mac``: the kernel's neighbour table (arp(7)) says
which MAC has the address that asks, and ``derived/tftp/<MAC with dashes>`` is its folder. dnsmasq
serves what lies beside those folders to everybody; here an unknown board gets nothing.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sbctui.engine.boot.loaders import LOADERS
from sbctui.engine.model.addresses import undashed

_NEIGHBOURS = Path("/proc/net/arp")
_COMPLETE = 0x2
"""ATF_COM of linux/if_arp.h: the entry has a MAC."""
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_DEPTH = 10
"""Folders below a board's own; a boot folder is copied to fewer."""


def board_at(address: IPv4Address, neighbours: Path = _NEIGHBOURS) -> str:
    """The MAC with dashes that has an address on this machine's networks; empty when unknown."""
    wanted = str(address)
    for line in neighbours.read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and fields[0] == wanted and int(fields[2], 16) & _COMPLETE:
            mac = fields[3].replace(":", "-")
            return mac if undashed(mac) is not None else ""
    return ""


def parts_of(target: str) -> tuple[str, ...]:
    """The names of a request's path. Raises FileNotFoundError for one that no boot file has."""
    path = unquote(urlsplit(target).path, errors="strict")
    names = tuple(name for name in path.split("/") if name)
    odd = any(name.startswith(".") or "\0" in name for name in names)
    if odd or not 0 < len(names) <= _DEPTH:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), target)
    return names


@contextmanager
def opened(root: Path, board: str, names: Sequence[str]) -> Iterator[tuple[int, int]]:
    """A board's file and its size in bytes. ``root`` is ``derived/tftp``.

    Raises FileNotFoundError, also for what is no regular file, and OSError.
    """
    if names[0] == board:
        names = names[1:]  # a Raspberry Pi may put its MAC before every name
    held: list[int] = []
    try:
        held.append(os.open(root / board, _FOLDER & ~os.O_NOFOLLOW))
        for name in names[:-1]:
            held.append(os.open(name, _FOLDER, dir_fd=held[-1]))
        held.append(_file(held[-1], names))
        facts = os.fstat(held[-1])
        if not stat.S_ISREG(facts.st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield held[-1], facts.st_size
    finally:
        for fd in held:
            os.close(fd)


def _file(folder: int, names: Sequence[str]) -> int:
    """Only links to the boot programs of the distribution are followed."""
    name = names[-1] if names else ""
    follow = LOADERS.get(name) if len(names) == 1 else None
    if follow is not None and _leads(folder, name) == follow:
        return os.open(follow, _READ & ~os.O_NOFOLLOW)
    return os.open(name, _READ, dir_fd=folder)


def _leads(folder: int, name: str) -> str:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return ""


def is_missing(error: OSError) -> bool:
    """Whether an error of ``opened`` says that there is no such file."""
    return isinstance(error, FileNotFoundError) or error.errno in _NOT_THERE
