"""Tars put together block by block, right ones and wrong ones."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Mapping

import zstandard

RECORD = 512
MIB = 1024**2


def field(number: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, number)


def block(
    name: bytes,
    size: bytes = field(0, 12),
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    tail: bytes = b"",
    wrong: bool = False,
) -> bytes:
    """A header with its checksum, or a ``wrong`` one; ``tail`` is what GNU has in the prefix."""
    head = (
        name.ljust(100, b"\0")
        + field(0o644, 8)
        + field(0, 8) * 2
        + size
        + field(0, 12)
        + b" " * 8
        + kind
        + link.ljust(100, b"\0")
        + magic
        + bytes(64)
        + field(0, 8) * 2
        + (tail or prefix.ljust(155, b"\0"))
    ).ljust(RECORD, b"\0")
    assert len(head) == RECORD, len(head)
    return head[:148] + b"%06o\0 " % (sum(head) + wrong) + head[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % RECORD)


def member(name: str | bytes, data: bytes = b"", kind: bytes = b"0", **more: bytes) -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    return block(raw, field(len(data), 12), kind, **more) + padded(data)  # type: ignore[arg-type]


def pax(records: Mapping[str, str | bytes], kind: bytes = b"x") -> bytes:
    """An extended header."""
    return raw_pax(b"".join(record(key, value) for key, value in records.items()), kind)


def raw_pax(data: bytes, kind: bytes = b"x") -> bytes:
    return block(b"PaxHeaders/x", field(len(data), 12), kind) + padded(data)


def record(key: str, value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    body = b" " + key.encode() + b"=" + raw + b"\n"
    length = len(body) + 1
    while len(b"%d" % length) + len(body) != length:
        length += 1
    return b"%d" % length + body


END = bytes(2 * RECORD)


def tar(*parts: bytes) -> bytes:
    return b"".join(parts) + END


def disk(content: bytes = b"disk" * 1024, name: str = "root.img") -> bytes:
    return member(name, content)


def sparse(
    lines: list[int] | bytes, data: bytes, real: int | str, name: str = "root.img", **more: str
) -> bytes:
    """A disk as a pax sparse member of version 1.0."""
    text = lines if isinstance(lines, bytes) else b"".join(b"%d\n" % line for line in lines)
    stored = padded(text) + data
    head = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(real),
    }
    return pax({**head, **more}) + member("GNUSparseFile.0/x", stored)


def config(name: str = "web", **more: object) -> bytes:
    found = {"schema": 1, "kind": "root", "name": name, "disk": {"size": 4096}, **more}
    return member("config.json", json.dumps(found).encode())


def zstd(data: bytes, **more: bool) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **more).compress(data)  # type: ignore[arg-type]


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def xz(data: bytes) -> bytes:
    return lzma.compress(data)


def by_library(*files: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar as Python's own library writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()
