"""Files that may be compressed, read as one stream of what is inside."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine import commands, programs, streams
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown

MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
}
"""First bytes → the program that unpacks."""
_WINDOW = "--long=31"
"""Images are packed with long windows; zstd refuses those above 128 MiB unless told."""

Read = Callable[[int], bytes]
"""Bytes wanted → as many, or fewer only at the end."""


def packer(path: Path) -> str:
    """The program that unpacks a file; empty when it is not compressed. Raises ToolMissing."""
    with open(path, "rb") as file:
        start = file.read(6)
    found = next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")
    if found:
        programs.find(found)
    return found


def unpacked_size(path: Path) -> int:
    """Bytes a file holds unpacked; 0 where only unpacking would tell."""
    tool = packer(path)
    if not tool:
        return path.stat().st_size
    if tool == "xz":
        done = commands.run(["xz", "--robot", "--list", "--", path], ok=range(256))
        totals = [line for line in done.stdout.splitlines() if line.startswith("totals\t")]
        return int(totals[0].split("\t")[4]) if totals else 0
    if tool == "zstd":
        done = commands.run(["zstd", "--list", "-v", "--", path], ok=range(256))
        match = re.search(r"Decompressed Size:.*\(([0-9]+) B\)", done.stdout)
        return int(match[1]) if match else 0
    return 0


@contextmanager
def unpacked(
    path: Path,
    *,
    stop: threading.Event | None = None,
    log: commands.Log | None = None,
    far: Callable[[int, int], None] | None = None,
) -> Iterator[Read]:
    """The content of a file. ``far`` is told the bytes read of those in the file.

    Read to its end, a damaged or cut off file raises BadInput; left earlier, nothing is checked.
    Raises Cancelled from ``Read`` when ``stop`` is set.
    """
    tool = packer(path)
    with open(path, "rb", buffering=0) as file:
        total = os.fstat(file.fileno()).st_size

        def told(read: Read) -> Read:
            def counted(size: int) -> bytes:
                data = read(size)
                if far is not None:
                    far(os.lseek(file.fileno(), 0, os.SEEK_CUR), total)
                return data

            return counted

        if not tool:
            yield told(_reader(file.read, stop))
            return
        argv = [tool, "--decompress", "--stdout", *([_WINDOW] if tool == "zstd" else [])]
        with streams.output(argv, stdin=file, stop=stop, log=log) as stream:
            yield told(stream.read)
        if stream.failed:
            raise BadInput(
                f"{shown(path.name)} is damaged or cut off ({tool}: {stream.complaint}); "
                "get the file again"
            )


def _reader(read: Callable[[int], bytes | None], stop: threading.Event | None) -> Read:
    def whole(size: int) -> bytes:
        streams.go_on(stop, "reading")
        parts: list[bytes] = []
        while size and (data := read(size)):
            parts.append(data)
            size -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    return whole
