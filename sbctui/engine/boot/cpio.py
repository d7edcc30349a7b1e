"""Reads an initramfs: one or more cpio archives, the last of them mostly compressed.

The layout is that of the kernel (Documentation/driver-api/early-userspace/buffer-format.rst):
archives of the form "newc", parted by zeros, plain or packed. Nothing is written anywhere.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from sbctui.engine import commands, streams
from sbctui.engine.errors import BadInput, ToolFailed
from sbctui.engine.model.text import clean

_MAGIC = (b"070701", b"070702")
_HEADER = 110
_NAME_AT = slice(94, 102)
_SIZE_AT = slice(54, 62)
_TRAILER = "TRAILER!!!"
_CHUNK = 1024**2
_MOST_BYTES, _MOST_FILES, _MOST_NAME = 4 * 1024**3, 1_000_000, 4096
"""What no initramfs has: a file that unpacks to more is no initramfs but an attack."""

PACKINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x5d\x00\x00", "xz"),
    (b"BZh", "bzip2"),
)
"""First bytes → the packing. The kernel writes lz4 in its older frame; the last but one is lzma."""


class _Readable(Protocol):
    """A program's output has ``failed`` and ``complaint`` beside that."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive; ``data`` only where it was asked for."""

    name: str
    size: int
    data: bytes | None


class _Stream:
    """Reads ahead a few bytes, and counts."""

    def __init__(self, source: _Readable, what: str) -> None:
        self._source = source
        self._ahead = b""
        self._what = what
        self.position = 0

    def peek(self, size: int) -> bytes:
        while len(self._ahead) < size:
            more = self._source.read(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        data = self.peek(size)
        if len(data) < size:
            raise self.ended()
        self._ahead = self._ahead[size:]
        self.position += size
        if self.position > _MOST_BYTES:
            raise BadInput(f"{self._what} unpacks to over {_MOST_BYTES >> 30} GiB; is it one?")
        return data

    def ended(self) -> BadInput:
        """What to say of an end that comes too early."""
        if getattr(self._source, "failed", False):
            complaint = getattr(self._source, "complaint", "")
            return BadInput(f"{self._what} is damaged ({complaint}); make it again")
        return BadInput(f"{self._what} is cut off; make it or copy it again")

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read(min(size, _CHUNK)))

    def skip_zeros(self) -> None:
        while (ahead := self.peek(4)) and not ahead.strip(b"\0"):
            self.read(len(ahead))
        while self.peek(1) == b"\0":
            self.read(1)


def members(
    path: Path, wanted: Callable[[str], bool], *, stop: commands.Stop = None
) -> Iterator[Member]:
    """Every file of an initramfs, with its content where ``wanted`` says so of its name.

    Raises BadInput for what is none, is damaged or cut off; ToolMissing, Cancelled, OSError.
    """
    what = clean(path.name)
    with open(path, "rb", buffering=0) as file:
        plain = _Stream(file, what)
        plain.skip_zeros()
        found = False
        for member in _archives(plain, wanted, what, stop):
            found = True
            yield member
        packing = _packing(plain.peek(6))
        if packing:
            file.seek(plain.position)
            with _unpacked(file, packing, what, stop) as source:
                yield from _archives(_Stream(source, what), wanted, what, stop, must=True)
        elif not found:
            raise BadInput(f"{what} is no initramfs: neither a cpio archive nor packed as one")


def _packing(head: bytes) -> str:
    return next((name for magic, name in PACKINGS if head.startswith(magic)), "")


@contextmanager
def _unpacked(file: IO[bytes], packing: str, what: str, stop: commands.Stop) -> Iterator[_Readable]:
    try:
        if packing in ("zstd", "lz4"):
            with streams.output([packing, "-dc"], stdin=file, stop=stop) as output:
                yield output
        elif packing == "gzip":
            with gzip.GzipFile(fileobj=file) as packed:
                yield packed
        else:
            with lzma.LZMAFile(file) if packing == "xz" else bz2.BZ2File(file) as stream:
                yield stream
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, ToolFailed) as error:
        raise BadInput(f"{what} is damaged ({packing}: {clean(str(error))}); make it again") from (
            error
        )


def _archives(
    stream: _Stream,
    wanted: Callable[[str], bool],
    what: str,
    stop: commands.Stop,
    *,
    must: bool = False,
) -> Iterator[Member]:
    """Archives up to the end, or to what is none; ``must``: there has to be one."""
    count = 0
    while stream.peek(6) in _MAGIC:
        for member in _archive(stream, wanted, what):
            streams.go_on(stop, f"reading {what}")
            count += 1
            if count > _MOST_FILES:
                raise BadInput(f"{what} holds over {_MOST_FILES} files; is it an initramfs?")
            yield member
        stream.skip_zeros()
    if must and not count and not stream.peek(1):
        raise stream.ended()
    if must and not count:
        raise BadInput(f"{what} is no initramfs: there is no cpio archive in it")


def _archive(stream: _Stream, wanted: Callable[[str], bool], what: str) -> Iterator[Member]:
    while True:
        head = stream.read(_HEADER)
        if head[:6] not in _MAGIC:
            raise BadInput(f"{what} is damaged: a file's header is none; make it again")
        try:
            length, size = int(head[_NAME_AT], 16), int(head[_SIZE_AT], 16)
        except ValueError:
            raise BadInput(f"{what} is damaged: a size is no number; make it again") from None
        if not 0 < length <= _MOST_NAME:
            raise BadInput(f"{what} is damaged: a name of {length} bytes; make it again")
        name = stream.read(length)[:-1].decode("utf-8", "replace")
        stream.skip(-(_HEADER + length) % 4)
        if name == _TRAILER:
            return
        plain = name.removeprefix("./").lstrip("/")
        keep = size <= _CHUNK * 4 and wanted(plain)
        data = stream.read(size) if keep else None
        if not keep:
            stream.skip(size)
        stream.skip(-size % 4)
        yield Member(plain, size, data)
