"""Chunks: cut at the frames of a seekable file, else by the MiB, and what stays stays the same."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.archive.seektable import read_frames
from sbctui.engine.errors import BadInput, Cancelled
from sbctui.engine.repository import chunks
from sbctui.engine.repository.chunks import compute, known, parse, write
from sbctui.engine.repository.fetch import to_fetch
from tests.repository.places import MIB, disk, put, seekable


def made(path: Path) -> chunks.Chunks:
    return compute(path, threading.Event(), lambda done, total: None)


def lie(size: int, *rows: tuple[int, int]) -> str:
    listed = [[*row, "b" * 64] for row in rows]
    return json.dumps({"size": size, "sha256": "a" * 64, "chunks": listed})


@pytest.mark.parametrize("checksums", [False, True])
def test_the_frames_of_a_seekable_file_are_found(tmp_path: Path, checksums: bool) -> None:
    data = disk(3) + b"end"
    path = put(tmp_path, "a.zst", seekable(data, checksums=checksums))
    with path.open("rb") as file:
        frames = read_frames(file.fileno())
        assert frames is not None
        assert [one.unpacked for one in frames] == [MIB, MIB, MIB, 3]
        unpacked = b""
        for one in frames:
            file.seek(one.offset)
            unpacked += zstandard.ZstdDecompressor().decompress(file.read(one.size))
    assert unpacked == data


def test_a_seekable_file_is_an_ordinary_one(tmp_path: Path) -> None:
    packed = seekable(disk(2))
    reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    assert reader.read() == disk(2)


@pytest.mark.parametrize(
    "data", [b"", b"x" * 16, seekable(b"abc")[1:], seekable(b"abc") + b"x", seekable(b"abc")[:-1]]
)
def test_what_is_not_quite_one_has_no_frames(tmp_path: Path, data: bytes) -> None:
    with put(tmp_path, "a", data).open("rb") as file:
        assert read_frames(file.fileno()) is None


@given(st.binary(max_size=64), st.integers(0, 40))
def test_a_table_that_lies_is_no_table_or_fits_the_file(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    data = bytearray(seekable(b"abcdef" * 99))
    data[-at - len(noise) : len(data) - at] = noise
    path = put(tmp_path_factory.getbasetemp(), "noise", bytes(data))
    with path.open("rb") as file:
        frames = read_frames(file.fileno())
        assert frames is None or sum(one.size for one in frames) <= len(data)
        spans = list(chunks.cuts(file.fileno()))
    assert sum(size for _, size in spans) == len(data)


def test_what_stays_on_the_disk_stays_the_same_though_it_moves(tmp_path: Path) -> None:
    before = made(put(tmp_path, "a", seekable(disk(100), head=b"{}")))
    after = made(put(tmp_path, "b", seekable(disk(100, changed=(7,)), head=b"{longer}" * 999)))
    assert before.chunks[2].offset != after.chunks[2].offset
    assert to_fetch(after, before) <= after.size // 50


def test_a_file_without_a_table_is_cut_by_the_mib(tmp_path: Path) -> None:
    found = made(put(tmp_path, "a.img.xz", disk(2) + b"rest"))
    assert [(one.offset, one.size) for one in found.chunks] == [(0, MIB), (MIB, MIB), (2 * MIB, 4)]
    assert made(put(tmp_path, "empty", b"")).chunks == ()


def test_the_side_file_is_read_back_and_only_while_it_is_of_this_version(tmp_path: Path) -> None:
    path = put(tmp_path, "a", disk(2))
    assert known(path) is None
    write(path, made(path))
    assert known(path) == made(path)
    os.utime(path, ns=(0, chunks.beside(path).stat().st_mtime_ns + 1))
    assert known(path) is None
    os.utime(path, (0, 0))
    path.write_bytes(disk(1))
    os.utime(path, (0, 0))
    assert known(path) is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"size":1,"sha256":"","chunks":[]}', "[" * 99999, lie(5, (0, 4)),
     lie(5, (1, 4)), lie(0, (0, 0)), lie(-5, (0, -5)), lie(9 * MIB, (0, 9 * MIB))],
)  # fmt: skip
def test_chunks_from_elsewhere_that_lie_are_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text.encode(), "a")


def test_hashing_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        compute(put(tmp_path, "a", b"x"), stop, lambda done, total: None)
