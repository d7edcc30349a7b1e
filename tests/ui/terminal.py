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
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from rich.cells import get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<args>[0-?]*)(?P<inter>[ -/]*)(?P<verb>[@-~])"
    r"|\x1b[\]PX^_](?P<command>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b(?P<escape>[()*+][0-9A-Za-z]|[=>78cDEM])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)|(?P<control>[\n\r\x08\t\x07\x0e\x0f])"
)
_BEGUN = re.compile(r"\x1b(\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[()*+])?$")
_INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

Cell = tuple[str, str]
"""A character and its look; the second column of a wide character is empty."""


class Screen:
    """The cells of a terminal that understands what Textual, tmux and htop send.

    ``unknown`` is whatever it does not understand or no honest program sends: a test that
    looks at it finds escapes that came through from outside. ``commands`` are the operating
    system and device commands (clipboard, title), never acted on; the shape of the mouse
    pointer, which Textual sends, is not among them.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.unknown: list[str] = []
        self.commands: list[str] = []
        self.bells = 0
        self.shown = True
        self._rest = ""
        self._reset()

    def _reset(self) -> None:
        self.cells: list[list[Cell]] = [self._blank() for _ in range(self.height)]
        self.x = self.y = 0
        self.look = ""
        self._last = " "
        self._saved = (0, 0, "")
        self._region = (0, self.height)

    def _blank(self) -> list[Cell]:
        return [(" ", "")] * self.width

    @property
    def text(self) -> str:
        """The visible text."""
        return "\n".join("".join(c for c, _ in row).rstrip() for row in self.cells)

    def feed(self, data: str) -> None:
        """Take what a program has written."""
        data, self._rest = self._rest + data, ""
        at = 0
        while at < len(data):
            found = _TOKEN.match(data, at)
            if found is not None:
                at = found.end()
                self._take(found)
            elif _BEGUN.match(data, at):
                self._rest = data[at:]
                return
            else:
                self.unknown.append(repr(data[at : at + 12]))
                at += 1

    def _take(self, found: re.Match[str]) -> None:
        if found["text"]:
            self._put(found["text"])
        elif found["control"]:
            self._control(found["control"])
        elif found["verb"]:
            self._sequence(found["args"], found["inter"], found["verb"])
        elif found["escape"]:
            self._escape(found["escape"])
        elif not found["command"].startswith("22;"):
            self.commands.append(found["command"])

    def _put(self, text: str) -> None:
        self.unknown += map(repr, _INVISIBLE.findall(text))
        for char in text:
            width = get_character_cell_size(char)
            if not width:
                continue
            if self.x + width <= self.width and self.y < self.height:
                self.cells[self.y][self.x] = (char, self.look)
                for more in range(1, width):
                    self.cells[self.y][self.x + more] = ("", self.look)
            self.x += width
            self._last = char

    def _control(self, char: str) -> None:
        if char == "\r":
            self.x = 0
        elif char == "\n":
            self._down()
        elif char == "\x08":
            self.x = max(0, self.x - 1)
        elif char == "\t":
            self.x = min(self.width - 1, self.x // 8 * 8 + 8)
        self.bells += char == "\x07"

    def _down(self) -> None:
        if self.y + 1 == self._region[1]:
            self._scroll(1)
        else:
            self.y = min(self.height - 1, self.y + 1)

    def _scroll(self, lines: int, top: int | None = None) -> None:
        first, last = self._region
        first = first if top is None else top
        for _ in range(abs(lines)):
            if lines > 0:
                self.cells.insert(last, self._blank())
                del self.cells[first]
            else:
                self.cells.insert(first, self._blank())
                del self.cells[last]

    def _escape(self, what: str) -> None:
        if what == "7":
            self._saved = (self.x, self.y, self.look)
        elif what == "8":
            self.x, self.y, self.look = self._saved
        elif what == "c":
            self._reset()
        elif what in "DE":
            self.x = 0 if what == "E" else self.x
            self._down()
        elif what == "M":
            if self.y == self._region[0]:
                self._scroll(-1)
            else:
                self.y = max(0, self.y - 1)

    def _sequence(self, args: str, inter: str, verb: str) -> None:
        if inter or verb in "ncqtup" or (verb in "hl" and args.startswith("?")):
            self.shown = {"?25h": True, "?25l": False}.get(args + verb, self.shown)
            if args + verb in ("?1049h", "?1049l"):
                self.cells = [self._blank() for _ in range(self.height)]
            return
        act = _ACTS.get(verb)
        if act is None or args[:1] in tuple("<=>?"):
            self.unknown.append(repr(args + verb))
            return
        if verb == "m":
            self.look = _look(self.look, args)
            return
        act(self, [int(n or 0) for n in args.split(";")] if args else [])

    def _move(self, x: int, y: int) -> None:
        self.x = max(0, min(x, self.width - 1))
        self.y = max(0, min(y, self.height - 1))

    def _erase(self, how: int, whole: bool) -> None:
        row, column = self.cells[self.y], min(self.x, self.width)
        if how == 0:
            row[column:] = self._blank()[column:]
        elif how == 1:
            row[: column + 1] = self._blank()[: column + 1]
        else:
            row[:] = self._blank()
        if whole:
            below = range(self.y + 1, self.height) if how == 0 else range(self.y)
            for y in below if how < 2 else range(self.height):
                self.cells[y] = self._blank()

    def _shift(self, count: int) -> None:
        """Delete (positive) or insert (negative) characters at the cursor."""
        row, x = self.cells[self.y], self.x
        if count > 0:
            row[x:] = (row[x + count :] + self._blank())[: self.width - x]
        else:
            row[x:] = (self._blank()[:-count] + row[x:])[: self.width - x]

    def _margins(self, numbers: list[int]) -> None:
        top, bottom = [*numbers, 0, 0][:2]
        self._region = (max(0, top - 1), bottom or self.height)
        self._move(0, 0)

    def _overwrite(self, text: str) -> None:
        x = self.x
        self._put(text)
        self.x = x


def _one(numbers: list[int]) -> int:
    return max(1, numbers[0] if numbers else 1)


_ACTS: dict[str, Callable[[Screen, list[int]], None]] = {
    "A": lambda s, n: s._move(s.x, s.y - _one(n)),
    "B": lambda s, n: s._move(s.x, s.y + _one(n)),
    "C": lambda s, n: s._move(s.x + _one(n), s.y),
    "D": lambda s, n: s._move(s.x - _one(n), s.y),
    "G": lambda s, n: s._move(_one(n) - 1, s.y),
    "d": lambda s, n: s._move(s.x, _one(n) - 1),
    "H": lambda s, n: s._move(_one(n[1:]) - 1, _one(n) - 1),
    "f": lambda s, n: s._move(_one(n[1:]) - 1, _one(n) - 1),
    "J": lambda s, n: s._erase(n[0] if n else 0, whole=True),
    "K": lambda s, n: s._erase(n[0] if n else 0, whole=False),
    "L": lambda s, n: s._scroll(-_one(n), s.y),
    "M": lambda s, n: s._scroll(_one(n), s.y),
    "S": lambda s, n: s._scroll(_one(n)),
    "T": lambda s, n: s._scroll(-_one(n)),
    "P": lambda s, n: s._shift(_one(n)),
    "@": lambda s, n: s._shift(-_one(n)),
    "X": lambda s, n: s._overwrite(" " * _one(n)),
    "b": lambda s, n: s._put(s._last * _one(n)),
    "r": lambda s, n: s._margins(n),
    "m": lambda s, n: None,
    "h": lambda s, n: None,
    "l": lambda s, n: None,
    "s": lambda s, n: s._escape("7"),
}


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
    """A program on a pseudo-terminal that is its controlling one; counts what it sends."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], size: tuple[int, int], cwd: Path
    ) -> None:
        self.screen = Screen(*size)
        self.sent = 0
        self.raw = b""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._master, slave = pty.openpty()
        self._tell_size(*size)
        self.process = subprocess.Popen(
            ["setsid", "-c", *argv], stdin=slave, stdout=slave, stderr=slave, env=dict(env),
            cwd=cwd, close_fds=True,
        )  # fmt: skip
        os.close(slave)
        self._open = True

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tell_size(self, width: int, height: int) -> None:
        packed = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, packed)

    def resize(self, width: int, height: int) -> None:
        """Another size; what a terminal shows then is anybody's guess, so: nothing."""
        self.screen = Screen(width, height)
        self._tell_size(width, height)

    def read(self, seconds: float) -> int:
        """Take what comes for this long; the number of bytes."""
        before, end = self.sent, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._some(left):
            pass
        return self.sent - before

    def _some(self, seconds: float) -> bool:
        """Take what comes next within this time; False when nothing came or ever will."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            data = b""
        self.sent += len(data)
        self.raw += data
        self.screen.feed(self._decode(data))
        return bool(data)

    def until(self, *words: str, within: float = 30.0) -> None:
        """Read until all these are on the screen."""
        for word in words:
            self.wait(lambda word=word: word in self.screen.text, f"never saw {word!r}", within)

    def until_gone(self, word: str, within: float = 30.0) -> None:
        """Read until this is on the screen no more."""
        self.wait(lambda: word not in self.screen.text, f"{word!r} is still there", within)

    def wait(self, true: Callable[[], bool], what: str, within: float = 30.0) -> float:
        """Read until something is so; the seconds it took. Fails with the screen."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() < began + within, f"{what}\n{self.screen.text}"
            assert self._some(0.05) or self.process.poll() is None or true(), (
                f"the program ended: {what}\n{self.screen.text}"
            )
        return time.monotonic() - began

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def paste(self, text: str) -> None:
        """Paste, as a terminal with bracketed paste does."""
        self.send("\x1b[200~" + text.replace("\n", "\r") + "\x1b[201~")

    def quiet(self, seconds: float = 1.0, within: float = 30.0) -> None:
        """Read until nothing has come for this long."""
        end = time.monotonic() + within
        while self.read(seconds):
            assert time.monotonic() < end, f"it never falls silent\n{self.screen.text}"

    def ended(self, within: float = 20.0) -> int:
        """Read until the program ends by itself; its exit code."""
        end = time.monotonic() + within
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end\n{self.screen.text}"
            self.read(0.05)
        return self.process.wait()

    def hang_up(self) -> None:
        """Take the terminal away, as a line that drops."""
        if self._open:
            self._open = False
            os.close(self._master)

    def close(self) -> int:
        """End the program if it has not ended by itself; its exit code."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, number)
                    os.killpg(self.process.pid, signal.SIGCONT)
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)
        code = self.process.wait()
        self.hang_up()
        return code


UNWANTED = {"NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "COLUMNS", "LINES", "LC_ALL", "TMUX"}
ENV = {k: v for k, v in os.environ.items() if k not in UNWANTED}


def open_pty(site: Path, size: tuple[int, int] = (80, 24), *more: str, **env: str) -> Pty:
    """The real program on a pseudo-terminal; what it would save at home goes beside the site."""
    argv = [sys.executable, "-m", "sbctui", "--site", str(site), *more]
    home = {f"XDG_{k}_HOME": str(site.parent / "home" / k.lower()) for k in ("STATE", "CONFIG")}
    given = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **home, **env}
    return Pty(argv, {**ENV, **given}, size, site.parent)
