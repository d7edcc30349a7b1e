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
from sbctui.engine.errors import Refused, ToolFailed
from sbctui.engine.files import hit
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import Xattrs, plain

_ENTRY = re.compile(r"/([0-9]+)/([0-7]{6})/([0-9]+)/([0-9]+)/([^/]+)/([0-9]*)/")
_EXPECTED = re.compile(r"debugfs: .*|Allocated inode: [0-9]+|")
_ACL = re.compile(r"^File ACL: ([0-9]+)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^  (\S+) \(\d+\)(?: = .*)?$")
_LONGEST_PATH = 4095
_MOST_NAMES = 500_000
"""In one tree: more are no folder but a damaged file system."""
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
        return self._listed(paths)[0]

    def tree(self, top: str) -> Mapping[str, Mapping[str, Entry]]:
        """A folder and all folders below it, a folder before what is in it, and their entries.

        Without ``.`` and ``..``. Raises ToolFailed, Cancelled, and Refused for odd names.
        """
        found: dict[str, Mapping[str, Entry]] = {}
        level, names = [top], 0
        while level:
            listed, strange = self._listed(level)
            odd = strange or next((n for inside in listed.values() for n in inside if _odd(n)), "")
            if odd:
                raise Refused(
                    f"{top} on the disk holds a name with odd characters ({clean(odd)[:60]}); "
                    "rename that first"
                )
            inner = []
            for folder, entries in listed.items():
                own = {name: one for name, one in entries.items() if name not in (".", "..")}
                found[folder], names = own, names + len(own)
                inner += [f"{folder}/{name}" for name, one in own.items() if one.is_folder]
            level = inner
            if names > _MOST_NAMES or any(len(path) > _LONGEST_PATH for path in level):
                raise Refused(f"{top} on the disk is deeper or fuller than a folder can be")
        return found

    def _listed(self, paths: Sequence[str]) -> tuple[dict[str, dict[str, Entry]], str]:
        """Path → entries by name; and the first line that is none, as of a name in two lines."""
        named = {quoted(path): path for path in paths}
        done = self._run([f"ls -p {word}" for word in named])
        found: dict[str, dict[str, Entry]] = {}
        strange = ""
        current: dict[str, Entry] = {}
        for line in done.stdout.splitlines():
            if line.startswith("debugfs: ls -p "):
                path = named.get(line.removeprefix("debugfs: ls -p "), "")
                current = found.setdefault(path, {}) if path else {}
            elif match := _ENTRY.fullmatch(line):
                owner = int(match[3]), int(match[4])
                current[match[5]] = Entry(int(match[2], 8), int(match[6] or 0), *owner)
            elif line:
                strange = strange or line
        complaint = _complaint(_NO_FOLDER.sub("", done.stderr))
        if complaint or not found:
            raise ToolFailed("debugfs", done.returncode, complaint)
        return {path: entries for path, entries in found.items() if entries}, strange

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

    def xattrs(self, paths: Sequence[str]) -> Mapping[str, Xattrs]:
        """The extended attributes of those of these files and folders that have some.

        One whose name would have to be quoted is passed over. Raises ToolFailed, Cancelled.
        """
        named = {quoted(path): path for path in paths}
        done = self._run([f"ea_list {word}" for word in named])
        wanted: list[tuple[str, str]] = []
        current = ""
        for line in done.stdout.splitlines():
            if line.startswith("debugfs: ea_list "):
                current = named.get(line.removeprefix("debugfs: ea_list "), "")
            elif (match := _ATTRIBUTE.fullmatch(line)) and current and plain(match[1]):
                wanted.append((current, match[1]))
        values = self._values(wanted) if wanted else []
        found: dict[str, Xattrs] = {}
        for (path, name), value in zip(wanted, values, strict=True):
            found[path] = (*found.get(path, ()), (name, value))
        return {path: tuple(sorted(xattrs)) for path, xattrs in found.items()}

    def _values(self, wanted: Sequence[tuple[str, str]]) -> list[bytes]:
        """The values of attributes by path and name, by way of files in the folder."""
        done = self._run(
            [f"ea_get -f value-{n} {quoted(path)} {name}" for n, (path, name) in enumerate(wanted)]
        )
        if complaint := _complaint(done.stderr):
            raise ToolFailed("debugfs", done.returncode, complaint)
        files = [self.folder / f"value-{number}" for number in range(len(wanted))]
        values = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return values

    def target(self, path: str) -> str:
        """Where a symbolic link leads. Raises ToolFailed."""
        return self.targets([path])[path]

    def targets(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Path → where that symbolic link leads. Raises ToolFailed, Cancelled."""
        done = self._run([f"stat {quoted(path)}" for path in paths])
        told = done.stdout.split("debugfs: stat ")[1:]
        short = {
            path: match[1]
            for path, text in zip(paths, told, strict=False)
            if (match := _FAST_LINK.search(text))
        }
        return {path: short[path] if path in short else self._long(path) for path in paths}

    def _long(self, path: str) -> str:
        """Where a link leads that has a block of its own for it."""
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


def _odd(name: str) -> bool:
    """Whether a name can't stand in a script as it is: U+FFFD is what was no UTF-8."""
    return clean(name) != name or "\ufffd" in name


def _complaint(stderr: str) -> str:
    lines = (line.strip() for line in stderr.splitlines())
    return next((clean(line) for line in lines if line and not line.startswith("debugfs 1.")), "")
