"""A lab in a box, opened by the program itself, with a shell inside that runs what a test asks."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest

from tests.lab import REPO, needs, unable

END = "--end--"
ORDINARY = 64321
"""A user that owns nothing here."""
_AS = ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")


class Box:
    """An open lab."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.world = self.shell("readlink /proc/self/ns/pid")

    def shell(self, line: str, code: int = 0) -> str:
        """What a line prints in the lab. Fails when its exit code is another."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin
        assert stdout
        stdin.write(f"{line}\necho $? {END}\n")
        stdin.flush()
        lines: list[str] = []
        while not (got := stdout.readline()).endswith(f"{END}\n"):
            assert got, f"the lab ended: {lines}"
            lines.append(got)
        said = "".join(lines).rstrip("\n")
        assert int(got.split()[0]) == code, f"{line}: {said}"
        return said

    def ask(self, *words: str) -> Any:
        """The JSON answer of a verb in the lab."""
        return json.loads(self.shell(shlex.join(["sbctui", *words, "-o", "json"])))

    def boards(self) -> dict[str, dict[str, Any]]:
        """The simulated boards by the last digit of their MAC."""
        return {one["mac"][-1]: one for one in self.ask("lab", "boards")["boards"]}

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds:g} s: {what}: {self.boards()}")
            time.sleep(0.1)

    def becomes(self, board: str, stage: str) -> dict[str, Any]:
        """Wait for a board to come to a stage."""
        self.wait(lambda: self.boards()[board]["stage"] == stage, f"board {board} is {stage}")
        return self.boards()[board]


def argv(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sbctui", "lab", *words]


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "SBCTUI_"))}
    return {**kept, "HOME": str(home)}


def start(before: Sequence[str], words: Sequence[str], home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, *argv(*words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(home),
        cwd=REPO,
    )


@contextmanager
def opened(before: Sequence[str] = (), home: Path | None = None) -> Iterator[Box]:
    """A lab; ``before`` are words before its command."""
    needs("dnsmasq", "qemu-storage-daemon", "ip", "unshare", "mke2fs", "fakeroot")
    folder = home or Path(tempfile.mkdtemp(prefix="sbctui-home-"))
    process = start(before, ["exec", "-q", "sh"], folder)
    try:
        yield Box(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(30)
        assert process.stdout
        process.stdout.close()
        if home is None:
            rmtree(folder)


def as_somebody() -> Sequence[str]:
    """Words that make a command an ordinary user's."""
    if os.geteuid() != 0:
        return ()
    done = subprocess.run([*_AS, "unshare", "-Urnmp", "-f", "--mount-proc", "true"], check=False)
    if done.returncode:
        _without("an ordinary user can't have namespaces here")
    return _AS


def needs_worlds() -> None:
    if unable():
        _without(unable())


def _without(reason: str) -> None:
    if os.environ.get("SBCTUI_REQUIRE_LAB") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def living(world: str) -> dict[int, str]:
    """Processes in a process namespace, or with a word on their command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if world in line or os.readlink(entry / "ns" / "pid") == world:
                found[int(entry.name)] = line
        except OSError:
            continue
    return found


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
