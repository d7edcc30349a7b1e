"""Looking into and writing to an ext file system without mounting it.

debugfs ends with 0 whatever happened, so everything it prints is accounted for here. Its
scripts are lines of words: only names that we made, or that match a strict pattern, go in.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.tools import check_room
from sbctui.engine.errors import ToolFailed
from sbctui.engine.files import hit
from sbctui.engine.model.text import clean

_ENTRY = re.compile(r"/([0-9]+)/([0-7]{6})/([0-9]+)/([0-9]+)/([^/]+)/([0-9]*)/")
_EXPECTED = re.compile(r"debugfs: .*|Allocated inode: [0-9]+|")
_ACL = re.compile(r"^File ACL: ([0-9]+)", re.MULTILINE)
_NO_FOLDER = re.compile(
    r"^(?:-p|/.*): "
    r"(?:File not found by ext2_lookup|Ext2 inode is not a directory).*$",
    re.MULTILINE,
)
_FAST_LINK = re.compile(r'^Fast link dest: "(.*)"$', re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9_/.,+~-]+")
_FORMAT = 0o170000
_REGULAR, _LINK, _FOLDER = 0o100000, 0o120000, 0o040000


def quoted(path: str) -> str:
    """A path or name as a word of a script (libss, parse.c). Raises ValueError for what is none."""
    if clean(path) != path or not path:
        raise ValueError(f"{clean(path)} can't stand in a script")
    return path if _PLAIN.fullmatch(path) else '"' + path.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder of the image; ``size`` in bytes."""

    mode: int
    size: int
    uid: int = 0
    gid: int = 0

    @property
    def is_folder(self) -> bool:
        """A directory, not a link to one."""
        return self.mode & _FORMAT == _FOLDER

    @property
    def is_file(self) -> bool:
        """A regular file."""
        return self.mode & _FORMAT == _REGULAR

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return self.mode & _FORMAT == _LINK

    @property
    def is_replaceable(self) -> bool:
        """A regular file or a symbolic link."""
        return self.mode & _FORMAT in (_REGULAR, _LINK)


@dataclass(frozen=True, slots=True)
class Image:
    """A file system, the folder debugfs runs in, and how to stop it."""

    disk: Path
    folder: Path
    stop: threading.Event
    log: commands.Log | None = None

    def folders(self, *paths: str) -> Mapping[str, Mapping[str, Entry]]:
        """Path → its entries by name, for those paths that are folders. Raises ToolFailed."""
        named = {quoted(path): path for path in paths}
        done = self._run([f"ls -p {word}" for word in named])
        found: dict[str, dict[str, Entry]] = {}
        current: dict[str, Entry] = {}
        for line in done.stdout.splitlines():
            if line.startswith("debugfs: ls -p "):
                path = named.get(line.removeprefix("debugfs: ls -p "), "")
                current = found.setdefault(path, {}) if path else {}
            elif match := _ENTRY.fullmatch(line):
                owner = int(match[3]), int(match[4])
                current[match[5]] = Entry(int(match[2], 8), int(match[6] or 0), *owner)
        complaint = _complaint(_NO_FOLDER.sub("", done.stderr))
        if complaint or not found:
            raise ToolFailed("debugfs", done.returncode, complaint)
        return {path: entries for path, entries in found.items() if entries}

    def dump(self, path: str, name: str) -> bytes:
        """A small file's content (by way of ``name`` in the folder). Raises ToolFailed."""
        done = self._run([f"dump {path} {name}"])
        target = self.folder / name
        if not target.exists():
            raise ToolFailed("debugfs", done.returncode, _complaint(done.stderr))
        return target.read_bytes()

    def dump_all(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The content of those paths that are there; each a plain path without blanks.

        They pass through files in the folder. Raises ToolFailed, Cancelled, ValueError.
        """
        if odd := next((path for path in paths if not _PLAIN.fullmatch(path)), None):
            raise ValueError(f"{clean(odd)} is no plain path")
        self._run([f"dump {path} dump-{number}" for number, path in enumerate(paths)])
        found = {}
        for number, path in enumerate(paths):
            target = self.folder / f"dump-{number}"
            if target.exists():
                found[path] = target.read_bytes()
                target.unlink()
        return found

    def fetch(self, wanted: Mapping[str, str]) -> None:
        """Copy files of the image, by path, to new files of these names in the folder.

        Raises ToolFailed, Cancelled.
        """
        done = self._run([f"dump {quoted(path)} {name}" for path, name in wanted.items()])
        if any(not (self.folder / name).exists() for name in wanted.values()):
            raise ToolFailed("debugfs", done.returncode, _complaint(done.stderr))

    def target(self, path: str) -> str:
        """Where a symbolic link leads. Raises ToolFailed."""
        done = self._run([f"stat {quoted(path)}"])
        if match := _FAST_LINK.search(done.stdout):
            return match[1]
        return self.dump(quoted(path), f"target-{secrets.token_hex(4)}").decode("utf-8", "replace")

    def has_attribute_block(self, paths: Sequence[str]) -> bool:
        """Whether one of the files keeps attributes in a block of its own, which rm forgets."""
        done = self._run([f"stat {quoted(path)}" for path in paths])
        return any(number != "0" for number in _ACL.findall(done.stdout))

    def write(self, script: Sequence[str]) -> None:
        """Run commands that change the image. Raises ToolFailed unless all worked, NoSpace."""
        hit("disk.debugfs")
        done = self._run(script, "-w")
        check_room(done, "writing into the disk")
        echoed = sum(line.startswith("debugfs: ") for line in done.stdout.splitlines())
        strange = [line for line in done.stdout.splitlines() if not _EXPECTED.fullmatch(line)]
        if complaint := _complaint(done.stderr) or "".join(strange[:1]):
            raise ToolFailed("debugfs", done.returncode, clean(complaint))
        if echoed != len(script):
            raise ToolFailed("debugfs", done.returncode, "it ended before the last command")

    def _run(self, script: Sequence[str], *options: str) -> commands.Done:
        lines = "".join(f"{line}\n" for line in script).encode()
        argv = ["debugfs", *options, "-f", "-", str(self.disk)]
        log = self.log if options else None
        return commands.run(
            argv, ok=range(256), stdin=lines, cwd=self.folder, stop=self.stop, log=log
        )


def _complaint(stderr: str) -> str:
    lines = (line.strip() for line in stderr.splitlines())
    return next((clean(line) for line in lines if line and not line.startswith("debugfs 1.")), "")
