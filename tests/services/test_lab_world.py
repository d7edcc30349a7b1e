"""The private world itself: separate, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.lab import REPO, Lab

pytestmark = pytest.mark.lab


def prefix(lab: Lab) -> str:
    return lab.server.name.removesuffix("-server")


def traces(name: str) -> list[str]:
    spaces = [p.name for p in Path("/run/netns").glob(f"{name}*")]
    return spaces + [p.name for p in Path(tempfile.gettempdir()).glob(f"{name}*")]


def test_boards_reach_the_server_and_nothing_else() -> None:
    with Lab() as lab:
        one, two = lab.board("dc:a6:32:00:00:01"), lab.board("dc:a6:32:00:00:02")
        assert lab.board("dc:a6:32:00:00:01") is one
        one.use("10.77.0.60")
        assert one.run(["busybox", "ping", "-c1", "-W2", "10.77.0.1"]).returncode == 0
        assert two.run(["busybox", "ping", "-c1", "-W1", "10.77.0.1"]).returncode != 0
        assert b"dc:a6:32:00:00:01" in one.run(["ip", "link", "show", "eth0"]).stdout
        outside = os.stat("/proc/self/ns/net").st_ino
        with lab.server.inside():
            assert os.stat("/proc/thread-self/ns/net").st_ino != outside
        assert os.stat("/proc/thread-self/ns/net").st_ino == outside
        assert one.dhcp(tries=1) is None


def test_nothing_is_left_of_a_lab_even_when_the_test_fails() -> None:
    labs: list[Lab] = []

    def fail_inside() -> None:
        with Lab() as lab:
            labs.append(lab)
            lab.board("dc:a6:32:00:00:01").start(["sleep", "1000"])
            lab.server.start(["sh", "-c", "trap '' TERM HUP INT; setsid sleep 1000 & wait"])
            assert len(traces(prefix(lab))) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert traces(prefix(labs[0])) == []
    labs[0].close()


def test_what_was_still_on_its_way_into_a_lab_ends_with_it() -> None:
    with Lab() as lab:
        late = lab.server.start(["sleep", "1000"])
        late.send_signal(signal.SIGSTOP)
    assert late.returncode == -signal.SIGKILL


def test_the_next_lab_sweeps_up_after_a_killed_process() -> None:
    script = "from tests.lab import Lab; import os; lab = Lab(); lab.board('dc:a6:32:00:00:01')"
    script += "; lab.server.start(['sleep', '1000']); print(lab.server.name, flush=True)"
    script += "; os.kill(os.getpid(), 9)"
    died = subprocess.run(
        [sys.executable, "-c", script], cwd=REPO, capture_output=True, text=True, check=False
    )
    name = died.stdout.strip().removesuffix("-server")
    assert len(traces(name)) == 3, died.stderr
    with Lab():
        assert traces(name) == []
