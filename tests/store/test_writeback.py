"""A large file is on the disk nearly as soon as it is written, and leaves memory to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sbctui.engine.files import Writeback
from tests.disks.place import MIB, mounted, tool

SIZE, PIECE = 96 * MIB, MIB


@pytest.mark.parametrize("keep", [True, False])
def test_memory_is_kept_only_for_what_is_read_again(tmp_path: Path, *, keep: bool) -> None:
    with mounted("ext4", 2 * SIZE, tmp_path) as point:
        file = point / "large"
        fd = os.open(file, os.O_WRONLY | os.O_CREAT)
        try:
            behind, data = Writeback(fd, keep=keep), os.urandom(PIECE)
            for end in range(PIECE, SIZE + 1, PIECE):
                os.write(fd, data)
                behind.wrote(end, PIECE)
        finally:
            os.close(fd)
        held = int(tool("fincore", "-b", "-n", "-r", "-o", "RES", file).stdout)
    assert (held > SIZE // 2) is keep
