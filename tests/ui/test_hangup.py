"""The real program on a terminal that goes away without a signal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from sbctui.engine.model.settings import Settings
from sbctui.engine.siteinit import init_site


@pytest.mark.parametrize("inherited", [signal.SIG_DFL, signal.SIG_IGN])
@pytest.mark.timeout(60)
def test_a_terminal_that_is_gone_ends_the_console(
    tmp_path: Path, inherited: signal.Handlers
) -> None:
    tmp_path.chmod(0o755)
    init_site(tmp_path / "site", Settings())
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "sbctui", "--site", str(tmp_path / "site")]
    # Not the leader of a session: no signal tells it that the other end is gone.
    begin = partial(signal.signal, signal.SIGHUP, inherited)
    with subprocess.Popen(
        argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=begin
    ) as program:
        os.close(slave)
        painted = b""
        while b"\x1b[?1049h" not in painted:
            assert select.select([master], [], [], 20)[0], painted
            painted += os.read(master, 65536)
        os.close(master)
        try:
            assert program.wait(20) != 0
        finally:
            program.kill()
