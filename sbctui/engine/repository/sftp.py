"""A repository on another server, read through ssh's sftp subsystem.

A plain sshd is enough, also one that gives a user nothing but sftp in a folder of its own; no
program of ours runs there and no shell reads a path. Reads are sent ahead, so a range costs no
round trip of its own. Messages by draft-ietf-secsh-filexfer-02 (version 3), which OpenSSH has.
"""

from __future__ import annotations

import stat
import struct
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sbctui.engine.errors import NoSuchNode, SbcError, ToolFailed
from sbctui.engine.model.text import clean
from sbctui.engine.repository.source import Ranges, gone
from sbctui.engine.repository.tree import MOST, Entry, ours, sane
from sbctui.engine.streams import Talk

_INIT, _VERSION = 1, 2
_OPEN, _CLOSE, _READ, _OPENDIR, _READDIR, _READLINK = 3, 4, 5, 11, 12, 19
_STATUS, _HANDLE, _DATA, _NAME = 101, 102, 103, 104
_EXTENDED, _EXTENDED_REPLY = 200, 201
_EOF, _NO_SUCH_FILE = 1, 2
_HAS_SIZE, _HAS_IDS, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 1, 2, 4, 8, 0x80000000
_PIECE = 32 * 1024
"""Bytes of one read, which every server answers whole."""
_AHEAD = 128
"""Reads under way at once: 4 MiB."""
_DEEPEST = 64
_LONGEST = 1024**2
"""Bytes of the longest message taken."""


@dataclass(slots=True)
class _Parser:
    data: bytes
    at: int = 0

    def number(self) -> int:
        return int(self.numbers(">I")[0])

    def text(self) -> bytes:
        length = self.number()
        found = self.data[self.at : self.at + length]
        if len(found) != length:
            raise SbcError("the other server's answer is cut short")
        self.at += length
        return found

    def attributes(self) -> dict[str, int]:
        flags, found = self.number(), {}
        if flags & _HAS_SIZE:
            found["size"] = int(self.numbers(">Q")[0])
        if flags & _HAS_IDS:
            found["uid"], found["gid"] = self.number(), self.number()
        if flags & _HAS_MODE:
            found["mode"] = self.number()
        if flags & _HAS_TIMES:
            self.number()
            found["mtime"] = self.number()
        if flags & _HAS_MORE:
            for _ in range(self.number()):
                self.text()
                self.text()
        return found

    def numbers(self, form: str) -> tuple[int, ...]:
        try:
            found = struct.unpack_from(form, self.data, self.at)
        except struct.error:
            raise SbcError("the other server's answer is cut short") from None
        self.at += struct.calcsize(form)
        return found


class _Status(Exception):
    def __init__(self, number: int, code: int, message: str) -> None:
        super().__init__(message)
        self.number = number
        self.code = code


class SftpSource:
    """One connection. ``root`` is the repository's folder on the other server."""

    def __init__(self, name: str, root: str, talk: Talk) -> None:
        """Greets. Raises SbcError when nothing answers."""
        self.name = name
        self._root = root.rstrip("/")
        self._talk = talk
        self._last = 0
        try:
            talk.write(struct.pack(">IBI", 5, _INIT, 3))
        except BrokenPipeError:
            raise self._broken() from None
        if self._message()[0] != _VERSION:
            raise SbcError(f"{name}: the other server speaks no sftp")

    def entries(self, tops: Iterable[str]) -> tuple[Entry, ...]:
        """All that is in these folders."""
        found: list[Entry] = []
        for top in tops:
            self._collect(top, found)
        return tuple(found)

    def _collect(self, folder: str, found: list[Entry]) -> None:
        for name, about in sorted(self._listed(folder)):
            path = f"{folder}/{name}"
            if ours(path) or "/" in name or not sane(path) or path.count("/") > _DEEPEST:
                continue
            entry = self._entry(path, dict(about))
            if entry is not None:
                found.append(entry)
                if entry.kind == "folder":
                    self._collect(path, found)

    def _entry(self, path: str, about: dict[str, int]) -> Entry | None:
        mode = about.get("mode", 0)
        rest = (about.get("mtime", 0), stat.S_IMODE(mode), about.get("uid", 0), about.get("gid", 0))
        if stat.S_ISREG(mode):
            return Entry(path, "file", about.get("size", 0), *rest)
        if stat.S_ISDIR(mode):
            return Entry(path, "folder", 0, *rest)
        if stat.S_ISLNK(mode):
            answer = self._ask(_READLINK, self._path(path))
            answer.number()
            return Entry(path, "link", 0, *rest, answer.text().decode("utf-8", "surrogateescape"))
        return None

    def _listed(self, folder: str) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
        try:
            handle = self._ask(_OPENDIR, self._path(folder)).text()
        except _Status as status:
            if status.code == _NO_SUCH_FILE:
                return []
            raise self.failed(folder, status) from None
        found = []
        try:
            while True:
                answer = self._ask(_READDIR, _string(handle))
                for _ in range(answer.number()):
                    name = answer.text().decode("utf-8", "surrogateescape")
                    answer.text()
                    about = answer.attributes()
                    if name not in (".", ".."):
                        found.append((name, tuple(about.items())))
                if len(found) > MOST:
                    raise SbcError(f"{self.name}: {clean(folder)} has more than {MOST} entries")
        except _Status as status:
            if status.code != _EOF:
                raise self.failed(folder, status) from None
        self._close(handle)
        return found

    def space(self) -> tuple[int, int] | None:
        """Total and free bytes there (statvfs@openssh.com); None where it does not tell."""
        try:
            answer = self._ask(_EXTENDED, _string(b"statvfs@openssh.com") + self._path(""))
        except _Status:
            return None
        block, size, blocks, _, free = answer.numbers(">QQQQQ")
        return (size or block) * blocks, (size or block) * free

    def read(self, path: str, most: int) -> bytes | None:
        """A small file whole."""
        parts: list[bytes] = []
        step = 16 * _PIECE
        wanted = [(at, min(step, most - at)) for at in range(0, most, step)]
        try:
            for data in self.ranges(path, wanted):
                parts.append(data)
                if len(data) < step:
                    break
        except NoSuchNode:
            return None
        return b"".join(parts)

    def ranges(self, path: str, wanted: Ranges) -> Iterator[bytes]:
        """The bytes of each range in turn."""
        try:
            handle = self._ask(_OPEN, self._path(path) + struct.pack(">II", 1, 0)).text()
        except _Status as status:
            if status.code == _NO_SUCH_FILE:
                raise gone(self.name, path) from None
            raise self.failed(path, status) from None
        reading = _Reading(self, handle, wanted, path)
        yield from reading.run()
        self._close(handle)

    def _close(self, handle: bytes) -> None:
        try:
            self._ask(_CLOSE, _string(handle))
        except _Status:
            return

    def _path(self, path: str) -> bytes:
        whole = f"{self._root}/{path}" if path else self._root or "/"
        return _string(whole.encode("utf-8", "surrogateescape"))

    def _ask(self, kind: int, body: bytes) -> _Parser:
        """One request and its answer; those to earlier ones that nobody reads are passed over.

        Raises _Status, SbcError.
        """
        number = self.send(kind, body)
        while True:
            try:
                got, answer = self.receive()
            except _Status as status:
                if status.number == number:
                    raise
                continue
            if got == number:
                return answer

    def send(self, kind: int, body: bytes) -> int:
        """Send a request; its number."""
        self._last = (self._last + 1) & 0xFFFFFFFF
        packet = struct.pack(">IBI", len(body) + 5, kind, self._last) + body
        try:
            self._talk.write(packet)
        except BrokenPipeError:
            raise self._broken() from None
        return self._last

    def receive(self) -> tuple[int, _Parser]:
        """The number and the body of the next answer. Raises _Status, SbcError."""
        kind, body = self._message()
        answer = _Parser(body)
        number = answer.number()
        if kind == _STATUS:
            code = answer.number()
            if code:
                raise _Status(number, code, answer.text().decode(errors="replace"))
        return number, answer

    def _message(self) -> tuple[int, bytes]:
        head = self._talk.read(5)
        if len(head) < 5:
            raise self._broken()
        length, kind = struct.unpack(">IB", head)
        if not 1 <= length <= _LONGEST:
            raise SbcError(f"{self.name}: the other server speaks no sftp")
        body = self._talk.read(length - 1)
        if len(body) < length - 1:
            raise self._broken()
        return kind, body

    def _broken(self) -> SbcError:
        code = self._talk.ended()
        said = self._talk.complaint
        if "Host key verification failed" in said:
            said += "; connect to it by hand once, or name known_hosts for this repository"
        return ToolFailed(f"ssh to {self.name}", code, said or "the connection ended")

    def failed(self, path: str, status: _Status) -> SbcError:
        """What is said of a path that the other server refuses."""
        return SbcError(f"{self.name}: {clean(path)} can't be read there: {clean(str(status))}")


class _Reading:
    """Ranges of one open file, asked for ahead of what is given out."""

    def __init__(self, source: SftpSource, handle: bytes, wanted: Ranges, path: str) -> None:
        self._source = source
        self._handle = _string(handle)
        self._todo = deque(_pieces(wanted))
        self._left = Counter(index for index, _, _ in self._todo)
        self._under_way: dict[int, tuple[int, int, int]] = {}
        self._parts: dict[int, bytearray] = {}
        self._lengths = [length for _, length in wanted]
        self._wanted = wanted
        self._path = path

    def run(self) -> Iterator[bytes]:
        """What was asked for, in its order."""
        for index in range(len(self._wanted)):
            while self._left[index]:
                self._ask_ahead()
                self._take()
            yield bytes(self._parts.pop(index, b"")[: self._lengths[index]])

    def _ask_ahead(self) -> None:
        while self._todo and len(self._under_way) < _AHEAD:
            piece = self._todo.popleft()
            body = self._handle + struct.pack(">QI", piece[1], piece[2])
            self._under_way[self._source.send(_READ, body)] = piece

    def _take(self) -> None:
        try:
            number, answer = self._source.receive()
            data = answer.text()
        except _Status as status:
            if status.code != _EOF:
                raise self._source.failed(self._path, status) from None
            number, data = status.number, b""
        piece = self._under_way.pop(number, None)
        if piece is None:
            return
        index, offset, length = piece
        start = offset - self._wanted[index][0]
        whole = self._parts.setdefault(index, bytearray(self._lengths[index]))
        data = data[:length]
        whole[start : start + len(data)] = data
        if 0 < len(data) < length:
            self._todo.appendleft((index, offset + len(data), length - len(data)))
            return
        if not data:
            self._lengths[index] = min(self._lengths[index], start)
        self._left[index] -= 1


def _pieces(wanted: Ranges) -> Iterator[tuple[int, int, int]]:
    for index, (offset, length) in enumerate(wanted):
        for start in range(offset, offset + length, _PIECE):
            yield index, start, min(_PIECE, offset + length - start)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
