"""The real program on a terminal that goes away without a signal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from sbctui.engine.model.settings import Settings
from sbctui.engine.siteinit import init_site


@pytest.mark.timeout(60)
def test_a_terminal_that_is_gone_ends_the_console(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    init_site(tmp_path / "site", Settings())
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "sbctui", "--site", str(tmp_path / "site")]
    # Not the leader of a session: no signal tells it that the other end is gone.
    with subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave) as program:
        os.close(slave)
        painted = b""
        while b"\x1b[?1049h" not in painted:
            assert select.select([master], [], [], 20)[0], painted
            painted += os.read(master, 65536)
        os.close(master)
        assert program.wait(20) != 0
