"""Headers of a tar as GNU tar and others read it: ustar, pax, and pax sparse files 1.0.

POSIX.1-2017 "pax Interchange Format"; the GNU tar manual, "PAX Format, Version 1.0".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sbctui.engine.archive.format import RECORD

_SMALL = 8 * 1024**3
"""Sizes from here on don't fit into a header's field."""
_NAME = 100
_SPARSE_NAME = "GNUSparseFile.0/{}"
_END = 20 * RECORD
"""A tar's length is a multiple of this (``tar --record-size``)."""
Ranges = Sequence[tuple[int, int]]


def member(name: str, size: int, *, mode: int, mtime: int) -> bytes:
    """The header blocks of a regular file of ``size`` bytes."""
    records = {}
    if len(name.encode()) > _NAME or not name.isascii():
        records["path"] = name
    return _headers(name, size, mode, mtime, records)


def folder(name: str, *, mtime: int) -> bytes:
    """The header of a folder."""
    records = {} if len(name) < _NAME and name.isascii() else {"path": f"{name}/"}
    return _headers(f"{name}/", 0, 0o755, mtime, records, b"5")


def sparse_member(name: str, stored: int, real: int, *, mode: int, mtime: int) -> bytes:
    """The header blocks of a sparse file: ``stored`` bytes of map and data stand for ``real``."""
    records = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(real),
    }
    return _headers(_SPARSE_NAME.format(name), stored, mode, mtime, records)


def sparse_map(ranges: Ranges, real: int) -> bytes:
    """What precedes a sparse file's data: its ranges as decimal lines, in whole blocks.

    A last, empty range says where the file ends, as GNU tar writes it.
    """
    lines = [str(len(ranges) + 1)]
    for start, end in ranges:
        lines += (str(start), str(end - start))
    lines += (str(real), "0")
    return padded("\n".join(lines).encode() + b"\n")


def padding(size: int) -> bytes:
    """Zeros that fill up to whole blocks."""
    return bytes(-size % RECORD)


def padded(data: bytes) -> bytes:
    """Data in whole blocks."""
    return data + padding(len(data))


def end(written: int) -> bytes:
    """The end of a tar of which so many bytes are written."""
    return bytes(2 * RECORD + -(written + 2 * RECORD) % _END)


def _headers(
    name: str, size: int, mode: int, mtime: int, records: Mapping[str, str], kind: bytes = b"0"
) -> bytes:
    if size >= _SMALL:
        records = {**records, "size": str(size)}
    own = _block(name, 0 if size >= _SMALL else size, mode, mtime, kind)
    if not records:
        return own
    data = b"".join(_record(key, value) for key, value in records.items())
    return _block(f"PaxHeaders/{name}", len(data), 0o644, mtime, b"x") + padded(data) + own


def _record(key: str, value: str) -> bytes:
    """``LENGTH KEY=VALUE\\n``, where LENGTH counts itself."""
    body = f" {key}={value}\n".encode()
    length = len(body) + len(str(len(body)))
    if len(str(length)) > len(str(len(body))):
        length += 1
    return str(length).encode() + body


def _block(name: str, size: int, mode: int, mtime: int, kind: bytes) -> bytes:
    short = name.encode("ascii", "replace")[:_NAME]
    head = b"".join(
        (
            short.ljust(_NAME, b"\0"),
            b"%07o\0" % mode,
            b"0000000\0" * 2,
            b"%011o\0" % size,
            b"%011o\0" % max(0, mtime),
            b" " * 8,
            kind,
            bytes(100),
            b"ustar\x0000",
            bytes(32 + 32),
            b"0000000\0" * 2,
            bytes(155),
        )
    ).ljust(RECORD, b"\0")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:]
