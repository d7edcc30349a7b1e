"""dnsmasq's log, followed line by line through rotation and truncation."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.model.text import clean

_MOST = 4 << 20
_DAY = 86400.0
_COMPLAINTS = (
    re.compile(r".+ at line \d+ of (?P<path>/.+)"),
    re.compile(r"cannot read (?P<path>/.+): [^:]+"),
)
_LINE = re.compile(r"(?P<at>.{15}) dnsmasq(?P<part>|-dhcp|-tftp)\[(?P<pid>\d+)\]: (?P<text>.*)")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: when as dnsmasq writes it (local time, no year), its process, its words."""

    at: str
    part: str
    pid: int
    text: str


def split(line: str) -> LogLine | None:
    """A line's parts; None for a line that is not dnsmasq's."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    return LogLine(match["at"], match["part"], int(match["pid"]), match["text"])


class Clock:
    """dnsmasq's ``Nov 21 06:50:32``, local and without a year, as epoch seconds."""

    def __init__(self) -> None:
        self._text = ""
        self._epoch = 0.0

    def epoch(self, text: str) -> float:
        """The latest such moment that is not in the future; now when it can't be read."""
        if text != self._text:
            self._text, self._epoch = text, _epoch(text)
        return self._epoch


def _epoch(text: str) -> float:
    now = time.time()
    year = time.localtime(now).tm_year
    for candidate in (year, year - 1):
        with suppress(ValueError, OverflowError):
            parts = time.strptime(f"{candidate} {text}", "%Y %b %d %H:%M:%S")
            at = time.mktime((*parts[:8], -1))
            if at <= now + _DAY:
                return min(at, now)
    return now


class Tail:
    """New lines of a log since the last look; the first look begins ``back`` bytes before its end.

    A log that was set aside (renamed) is read to its end before the new one; one that was
    truncated is read from its beginning. Of more than 4 MiB at once only the end is read.
    With ``mark``, as ``mark()`` gave it to somebody before, it goes on from there.
    """

    def __init__(self, path: Path, back: int = 0, mark: tuple[int, int] | None = None) -> None:
        self._path = path
        self._file = -1
        self._offset = 0
        self._rest = b""
        self._skip = False
        if mark is not None and self._resumed(*mark):
            return
        if self._open():
            size = os.fstat(self._file).st_size
            self._offset = max(0, size - back)
            self._skip = self._offset > 0 and back > 0

    def mark(self) -> tuple[int, int]:
        """Which file (inode) is read, and the byte behind the last whole line; (0, 0): none."""
        if self._file < 0:
            return (0, 0)
        return os.fstat(self._file).st_ino, self._offset - len(self._rest)

    def _resumed(self, inode: int, offset: int) -> bool:
        """Go on where another left off: in the file that is there, or the one set aside."""
        for path in (self._path, self._path.with_name(f"{self._path.name}.1")):
            if not self._open(path):
                continue
            facts = os.fstat(self._file)
            if facts.st_ino == inode:
                self._offset = offset if offset <= facts.st_size else 0
                return True
            self._let_go()
        return False

    def lines(self) -> list[str]:
        """Complete lines that are new; none when the log is not there."""
        data = self._new()
        if self._replaced():
            self._let_go()
            if self._open():
                data += self._new()
        *complete, self._rest = (self._rest + data).split(b"\n")
        if self._skip and complete:
            self._skip = False
            del complete[0]
        return [line.decode(errors="replace") for line in complete]

    def close(self) -> None:
        """Let go of the file."""
        self._let_go()

    def _new(self) -> bytes:
        if self._file < 0:
            return b""
        size = os.fstat(self._file).st_size
        if size < self._offset:
            self._offset, self._rest = 0, b""
        if size - self._offset > _MOST:
            self._offset, self._rest, self._skip = size - _MOST, b"", True
        data = os.pread(self._file, size - self._offset, self._offset)
        self._offset += len(data)
        return data

    def _replaced(self) -> bool:
        try:
            there = os.stat(self._path)
        except OSError:
            return False
        if self._file < 0:
            return True
        mine = os.fstat(self._file)
        return (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino)

    def _open(self, path: Path | None = None) -> bool:
        with suppress(OSError):
            self._file = os.open(path or self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._offset = 0
        return self._file >= 0

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Verdicts:
    """What dnsmasq said, since this was made, about files in its folder of hosts.

    ``read`` holds the names of files it has read, ``refused`` its complaint about a name.
    """

    def __init__(self, log: Path, folder: Path) -> None:
        self._tail = Tail(log)
        self._folder = f"{folder}/"
        self.read: set[str] = set()
        self.refused: dict[str, str] = {}
        self.pid = 0

    def look(self) -> set[str]:
        """Take in what is new; ``read``."""
        for line in self._tail.lines():
            found = split(line)
            if found is None:
                continue
            if found.text.startswith(f"read {self._folder}"):
                name = found.text.removeprefix(f"read {self._folder}")
                self.read.add(name)
                self.refused.pop(name, None)
                self.pid = found.pid
            else:
                self._complaint(found.text)
        return self.read

    def close(self) -> None:
        """Let go of the log."""
        self._tail.close()

    def _complaint(self, text: str) -> None:
        for form in _COMPLAINTS:
            said = form.fullmatch(text)
            if said is not None and said["path"].startswith(self._folder):
                self.refused[said["path"].removeprefix(self._folder)] = clean(text)
