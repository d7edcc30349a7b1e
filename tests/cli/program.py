"""The program as a user runs it: a process of its own, or in this one where speed matters."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sbctui.cli.main import run

MAC = "dc:a6:32:01:02:{:02x}"


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line on stderr."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("sbctui: "), self.err
        return lines[0].removeprefix("sbctui: ")


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "SBCTUI_"))}
    return {**kept, "HOME": str(home), "PYTHONPATH": os.getcwd()}


class Program:
    """The command line on one site."""

    def __init__(self, site: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.site = site
        self._capture = capture

    def __call__(self, *words: str) -> Ran:
        """Run in this process: the same ``run`` that the program calls."""
        self._capture.readouterr()
        code = run(["--site", str(self.site), *words])
        out, err = self._capture.readouterr()
        return Ran(code, out, err)

    def ok(self, *words: str) -> Ran:
        """Run, and expect 0."""
        ran = self(*words)
        assert ran.code == 0, (words, ran)
        return ran

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sbctui", "--site", str(self.site), *words]

    def alone(self, *words: str, stdin: str | None = None, **env: str) -> Ran:
        """Run as a process of its own, away from any terminal."""
        done = subprocess.run(
            self.argv(*words),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            env=environment(self.site.parent) | env,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start as a process of its own, in a session of its own."""
        return subprocess.Popen(
            self.argv(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.site.parent),
            start_new_session=True,
        )


class Terminal:
    """The program on a terminal of its own; what it shows is read as it comes."""

    def __init__(self, argv: Sequence[str], home: Path, **env: str) -> None:
        self._fd, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.shown = ""
        self.process = subprocess.Popen(
            argv,
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment(home) | {"TERM": "xterm"} | env,
            start_new_session=True,
        )
        os.close(other)

    def expect(self, text: str, seconds: float = 20.0) -> None:
        """Wait until it shows ``text``."""
        self._until(lambda: text in self._read(), seconds, f"{text!r} is not shown")

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self, seconds: float = 30.0) -> int:
        """Wait for its end; its exit code."""
        self._until(lambda: (self._read(), self.process.poll())[1] is not None, seconds, "no end")
        self._read()
        os.close(self._fd)
        assert self.process.returncode is not None
        return self.process.returncode

    def _until(self, condition: Any, seconds: float, why: str) -> None:
        try:
            until(condition, seconds, lambda: f"{why}: {self.shown!r}")
        except AssertionError:
            self.process.kill()
            self.process.wait()
            raise

    def _read(self) -> str:
        while select.select([self._fd], [], [], 0.05)[0]:
            try:
                got = os.read(self._fd, 65536)
            except OSError:
                break
            if not got:
                break
            self.shown += got.decode(errors="replace").replace("\r\n", "\n")
        return self.shown


def until(condition: Any, seconds: float = 10.0, why: Any = None) -> None:
    """Wait for a condition, polling; fail with ``why()`` when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why() if why else "it did not come"
        time.sleep(0.01)


def tree(path: Path) -> dict[str, tuple[object, ...]]:
    """Everything below a folder that a change could show in: type, size, times, content."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(path):
        for name in (".", *folders, *files):
            entry = Path(folder) / name
            facts = entry.lstat()
            data = entry.read_bytes() if entry.is_file() and facts.st_size < 1 << 20 else b""
            found[str(entry.relative_to(path))] = (
                facts.st_mode,
                facts.st_ino,
                facts.st_size,
                facts.st_mtime_ns,
                facts.st_ctime_ns,
                data,
            )
    return found
