"""A terminal for tests: what the bytes a program sends look like, and how many they are."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.cells import get_character_cell_size

_CODE = re.compile(
    r"\x1b\[(?P<args>[\d;?>=<$]*)(?P<verb>[A-Za-z])|\x1b\[[\d?$]*p|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[()][A-Z0-9]|\x1b[=>78c]|(?P<text>[^\x1b\n\r\x08]+)|(?P<control>[\n\r\x08])"
)


class Screen:
    """Cells as (character, look); follows cursor moves, colours and text, no more."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells = [[(" ", "")] * width for _ in range(height)]
        self.x = self.y = 0
        self.look = ""
        self.unknown: list[str] = []
        self._rest = ""

    def feed(self, data: str) -> None:
        """Take what a program has written."""
        data, self._rest = self._rest + data, ""
        at = 0
        while at < len(data):
            found = _CODE.match(data, at)
            if found is None:
                self._rest = data[at:]
                return
            at = found.end()
            if found["text"]:
                self._put(found["text"])
            elif found["control"]:
                self.x = 0 if found["control"] == "\r" else self.x
            elif found["verb"]:
                self._act(found["verb"], found["args"])

    def _put(self, text: str) -> None:
        for char in text:
            width = get_character_cell_size(char)
            if not width:
                continue
            if self.x + width <= self.width and self.y < self.height:
                self.cells[self.y][self.x] = (char, self.look)
                for more in range(1, width):
                    self.cells[self.y][self.x + more] = ("", self.look)
            self.x += width

    def _act(self, verb: str, args: str) -> None:
        numbers = [int(n) for n in args.split(";") if n.isdigit()]
        if verb == "H":
            self.y, self.x = (n - 1 for n in (numbers or [1, 1]))
        elif verb == "C":
            self.x += (numbers or [1])[0]
        elif verb == "m":
            self.look = _look(self.look, args)
        elif verb == "J":
            self.cells = [[(" ", "")] * self.width for _ in range(self.height)]
        elif verb not in "hlupnq":
            self.unknown.append(args + verb)

    @property
    def text(self) -> str:
        """The visible text."""
        return "\n".join("".join(c for c, _ in row).rstrip() for row in self.cells)


def _look(before: str, args: str) -> str:
    """Normalised attributes, foreground and background after one SGR."""
    kept = set(before.split()) if before else set()
    codes = iter(args.split(";") if args else ["0"])
    for code in codes:
        number = int(code or 0)
        if number == 0:
            kept.clear()
        elif number in (38, 48):
            kind = next(codes)
            rest = [next(codes) for _ in range(3 if kind == "2" else 1)]
            kept = {k for k in kept if k[0] != "fb"[number == 48]}
            kept.add("fb"[number == 48] + ";".join([kind, *rest]))
        elif number in (39, 49) or 30 <= number % 60 <= 47:
            ground = "f" if number in range(30, 40) or number in range(90, 98) else "b"
            kept = {k for k in kept if k[0] != ground}
            if number not in (39, 49):
                kept.add(ground + code)
        else:
            kept.add("a" + code)
    return " ".join(sorted(kept))


class Pty:
    """A program on a pseudo-terminal; counts what it sends."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], size: tuple[int, int], cwd: Path
    ) -> None:
        self.screen = Screen(*size)
        self.sent = 0
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=dict(env), cwd=cwd,
            start_new_session=True, close_fds=True,
        )  # fmt: skip
        os.close(slave)
        self._master = master

    def read(self, seconds: float) -> int:
        """Take what comes for this long; the number of bytes."""
        before, end = self.sent, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._master], [], [], left)
            if ready:
                try:
                    data = os.read(self._master, 65536)
                except OSError:
                    break
                self.sent += len(data)
                self.screen.feed(self._decode(data))
        return self.sent - before

    def until(self, word: str, within: float = 30.0) -> None:
        """Read until a word is on the screen."""
        end = time.monotonic() + within
        while word not in self.screen.text:
            assert time.monotonic() < end, f"never saw {word!r}\n{self.screen.text}"
            self.read(0.05)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def quiet(self, seconds: float = 1.0, within: float = 20.0) -> None:
        """Read until nothing has come for this long."""
        end = time.monotonic() + within
        while self.read(seconds):
            assert time.monotonic() < end, "it never falls silent"

    def close(self) -> int:
        """End the program if it has not ended by itself; its exit code."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        os.close(self._master)
        return code
