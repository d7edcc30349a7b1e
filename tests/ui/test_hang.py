"""A file system that answers no more: a real one, in user space, whose server is stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import CreateLeaves
from tests.lab import needs, until
from tests.ui.conftest import do, specs
from tests.ui.terminal import Pty, open_pty

HANG = 7.0
"""Seconds in which nothing on the file system answers."""
ECHO = 1.0
"""Seconds until a key is on the screen; the median, for a machine that does other things."""
FROZEN = 5.0
"""Seconds that nothing may last which does not wait for the file system."""


class Mount:
    """``real`` seen through a file system server that can be stopped."""

    def __init__(self, real: Path, seen: Path) -> None:
        self.seen = seen
        self._server = subprocess.Popen(["bindfs", "-f", "--no-allow-other", real, seen])
        until(seen.is_mount, 10, "bindfs shows nothing")

    def hang(self) -> None:
        """From now on every call waits."""
        os.kill(self._server.pid, signal.SIGSTOP)

    def answer(self) -> None:
        """Every call is answered again."""
        os.kill(self._server.pid, signal.SIGCONT)

    def close(self) -> None:
        """Take it away, whatever waits for it."""
        self.answer()
        subprocess.run(["fusermount3", "-u", "-z", self.seen], check=False)
        self._server.terminate()
        self._server.wait(10)


@pytest.fixture
def mounted(small_site: Path) -> Iterator[Mount]:
    """The small site on a file system that can be made to hang."""
    needs("bindfs", "fusermount3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse can't be used here")
    do(small_site, CreateLeaves(root="golden", leaves=specs(40, 100)))
    real = small_site.rename(small_site.with_name("real"))
    small_site.mkdir()
    mount = Mount(real, small_site)
    try:
        yield mount
    finally:
        mount.close()
        shutil.rmtree(real, ignore_errors=True)


def echoes(tui: Pty, keys: str) -> list[float]:
    """Seconds from each key, which moves the cursor, until the top line says where it is."""
    spent = []
    for key in keys:
        before, began = where(tui), time.monotonic()
        tui.send(key)
        tui.wait(lambda before=before: where(tui) != before, f"no echo of {key!r}", 5)
        spent.append(time.monotonic() - began)
    return spent


def where(tui: Pty) -> str:
    """The top line: where the cursor is."""
    return tui.screen.text.partition("\n")[0]


def late(text: str) -> int:
    """The seconds of the longest silence that the screen speaks of."""
    return max((int(n) for n in re.findall(r"no answer for (\d+) s", text)), default=0)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_a_file_system_that_hangs_freezes_nothing_but_its_own_panes(
    mounted: Mount, size: tuple[int, int]
) -> None:
    with open_pty(mounted.seen, size) as tui:
        tui.until("43 leaves", "services stopped")
        tui.quiet()
        mounted.hang()
        began = time.monotonic()
        tui.wait(lambda: late(tui.screen.text) > 0, "nobody says that there is no answer", 9)
        spent = echoes(tui, "jkjkjkjkjk2jkjkjk1j")
        for key, seen in (("?", tui.until), ("\x1b", tui.until_gone)):
            tui.send(key)
            began_key = time.monotonic()
            seen("This screen")
            spent.append(time.monotonic() - began_key)
        tui.send("/pi-0")
        tui.until("/pi-0_")
        tui.send("\x1b")
        tui.wait(lambda: late(tui.screen.text) >= 5, "the seconds stand still", 12)
        assert sorted(spent)[len(spent) // 2] < ECHO, spent
        assert max(spent) < FROZEN, spent
        tui.read(max(0.0, HANG - (time.monotonic() - began)))
        mounted.answer()
        tui.until_gone("no answer for")
        tui.until("43 leaves")
        do(mounted.seen, CreateLeaves(root="golden", leaves=specs(1, 200)))
        tui.until("44 leaves")
        tui.send("q")
        assert tui.ended() == 0


def test_what_is_asked_for_while_it_hangs_waits_and_can_be_left(mounted: Mount) -> None:
    """A plan needs the site: nothing is frozen by waiting for it, and nothing is lost."""
    with open_pty(mounted.seen) as tui:
        tui.until("43 leaves")
        mounted.hang()
        tui.send("b")
        tui.until("Bulk leaves")
        tui.paste("b8:27:eb:00:00:01\n")
        tui.until("1 ok")
        tui.send("\r")
        tui.read(0.5)
        mounted.answer()
        tui.until("The plan", "create 1 leaf")
        tui.send("\x1b")
        tui.until("Bulk leaves")
        tui.send("\x1b")
        tui.until("1 Tree")
        tui.send("q")
        assert tui.ended() == 0
    assert len(Engine(mounted.seen).site().leaves) == 43


def test_leaving_does_not_wait_for_it(mounted: Mount) -> None:
    with open_pty(mounted.seen) as tui:
        tui.until("43 leaves")
        mounted.hang()
        tui.until("no answer for")
        began = time.monotonic()
        tui.send("q")
        assert tui.ended() == 0
        assert time.monotonic() - began < FROZEN


def test_a_start_on_a_file_system_that_hangs_says_so_and_can_be_left(mounted: Mount) -> None:
    mounted.hang()
    with open_pty(mounted.seen) as tui:
        tui.until("reading", "no answer for")
        tui.send("q")
        began = time.monotonic()
        assert tui.ended() == 0
        assert time.monotonic() - began < FROZEN
