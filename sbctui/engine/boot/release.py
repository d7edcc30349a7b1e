"""Which version a kernel is, by its own bytes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from sbctui.engine.boot.detect import kernel_version

_BANNER = re.compile(rb"Linux version ([A-Za-z0-9][A-Za-z0-9_.+~-]{0,127}) ")
"""First words of linux_banner (the kernel's init/version.c)."""
_CHUNK = 64 * 1024
_OVERLAP = 256
_MOST = 256 * 1024**2
"""Bytes after which a kernel that unpacks to more is none."""
_X86_MAGIC, _X86_AT, _X86_VERSION, _X86_BASE = b"HdrS", 0x202, 0x20E, 0x200
"""The setup header (the kernel's Documentation/arch/x86/boot.rst)."""


def release(kernel: Path) -> str:
    """A kernel's version as ``uname -r`` says it: by its file's name, else by what is in it.

    Empty where neither tells, as of an arm kernel that unpacks itself. Raises OSError.
    """
    return kernel_version(kernel.name) or _told(kernel)


def _told(kernel: Path) -> str:
    with kernel.open("rb") as file:
        head = file.read(0x300)
        if head[_X86_AT : _X86_AT + 4] == _X86_MAGIC:
            file.seek(_X86_BASE + int.from_bytes(head[_X86_VERSION : _X86_VERSION + 2], "little"))
            words = file.read(_OVERLAP).split(b"\0")[0].split()
            return words[0].decode("ascii", "replace") if words else ""
    before = b""
    for chunk in _unpacked(kernel):
        found = _BANNER.search(before + chunk)
        if found:
            return found[1].decode()
        before = chunk[-_OVERLAP:]
    return ""


def _unpacked(kernel: Path) -> Iterator[bytes]:
    """A kernel's bytes, out of gzip where it is packed so; up to what can't be unpacked."""
    with kernel.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        unpack = zlib.decompressobj(wbits=31)
        total = 0
        while (data := file.read(_CHUNK)) and total < _MOST:
            try:
                data = unpack.decompress(data, _MOST) if packed else data
            except zlib.error:
                return
            total += len(data)
            yield data
