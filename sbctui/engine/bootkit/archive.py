"""Packages of any architecture, by apt, without touching the machine they are fetched on.

apt gets folders of its own, so an ordinary user can do this, for an architecture that the machine
doesn't have. Sources, keys and proxies are the machine's; apt checks every signature.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from threading import Event

from sbctui.engine import commands
from sbctui.engine.errors import BadInput, ToolFailed
from sbctui.engine.files import remove_tree
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean

_CONFIGURATION = """\
#clear APT::Update;
#clear DPkg;
APT::Architecture "{arch}";
#clear APT::Architectures;
APT::Architectures {{ "{arch}"; }};
Dir::State "{own}";
Dir::State::status "{own}/status";
Dir::Cache "{own}";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Acquire::Languages "none";
Acquire::Retries "3";
"""
_SOURCES = 'Dir::Etc::sourcelist "{file}";\nDir::Etc::sourceparts "-";\n'
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_OFFERED = re.compile(r"'[^']*' (?P<file>\S+) [0-9]+ SHA256:(?P<hash>[0-9a-f]{64})")
_FRESH = 3600.0
"""Seconds for which lists of packages are as good as new."""
_UNREAD = re.compile(r"[EW]: (?:Failed to fetch|Some index|The repository|.*not found)|E: ")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


class NoPackage(BadInput):
    """The sources have no package of that name."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is here: ``file`` is the .deb, ``sha256`` its hash as apt verified it."""

    name: str
    version: str
    arch: str
    sha256: str
    file: Path


class Archive:
    """The packages of one Debian architecture, kept in ``cache`` by hash."""

    def __init__(
        self,
        cache: Path,
        arch: str,
        *,
        sources: Path | None = None,
        offline: bool = False,
        stop: Event | None = None,
        log: commands.Log | None = None,
    ) -> None:
        """``sources`` is a sources.list to use instead of the machine's own."""
        self._own = cache / arch
        self._pool = cache / "pool"
        self._offline = offline
        self._stop = stop
        self._log = log
        self._arch = arch
        for folder in (self._own / "lists/partial", self._own / "archives/partial", self._pool):
            folder.mkdir(parents=True, exist_ok=True)
        (self._own / "status").touch()
        text = _CONFIGURATION.format(arch=arch, own=self._own)
        if sources is not None:
            text += _SOURCES.format(file=sources)
        self._configuration = self._own / "apt.conf"
        self._read = self._own / "read"
        if not self._configuration.exists() or self._configuration.read_text() != text:
            self._configuration.write_text(text)
            self._read.unlink(missing_ok=True)

    def refresh(self) -> str:
        """Read the lists of packages anew, at most once in an hour.

        Empty, or why the older ones have to do. Raises ToolFailed when there are no older ones,
        ToolMissing, Cancelled.
        """
        if self._offline:
            if not self._has_lists():
                raise BadInput(
                    f"no list of packages for {self._arch} is here yet; build once with a network"
                )
            return ""
        if self._age() < _FRESH:
            return ""
        done = self._run(["apt-get", "update"], ok=(0, 100))
        wrong = [line for line in done.stderr.splitlines() if _UNREAD.match(line)]
        if not wrong:
            self._read.touch()
            return ""
        if not self._has_lists():
            raise ToolFailed("apt-get update", done.returncode, clean(wrong[0]))
        return f"the lists of packages could not be read anew ({clean(wrong[0])})"

    def _age(self) -> float:
        """Seconds since the lists were read from these sources."""
        with suppress(OSError):
            return time.time() - self._read.stat().st_mtime
        return math.inf

    def _has_lists(self) -> bool:
        return any(self._own.glob("lists/*_Packages*"))

    def describe(self, names: Iterable[str]) -> list[Mapping[str, str]]:
        """The newest package of each name, field by field. Raises NoPackage, ToolFailed."""
        asked = sorted(set(names))
        for name in asked:
            if not _NAME.fullmatch(name):
                raise NoPackage(f"{shown(name)} can't be the name of a package")
        argv = ["apt-cache", "show", "--no-all-versions", *asked]
        done = self._run(argv, ok=(0, 100), quiet=True)
        found = {one["Package"]: one for one in _stanzas(done.stdout)}
        for name in asked:
            if name not in found:
                raise NoPackage(
                    f"there is no package {name} for {self._arch} in the sources; "
                    "apt-cache search tells what there is"
                )
        return [found[name] for name in asked]

    def with_libraries(self, names: Iterable[str]) -> list[str]:
        """The names and those of the library packages that they depend on, sorted."""
        found: set[str] = set()
        wanted = set(names)
        while wanted:
            found |= wanted
            wanted = {lib for one in self.describe(wanted) for lib in _libraries(one)} - found
        return sorted(found)

    def fetch(self, names: Sequence[str]) -> tuple[Package, ...]:
        """The newest packages of these names, downloaded where they are not here yet.

        Raises NoPackage; ToolFailed for what can't be had or isn't what the lists say; Cancelled.
        """
        self.describe(names)
        done = self._run(["apt-get", "download", "--print-uris", *names], quiet=True)
        offered = {m["file"]: m["hash"] for m in _OFFERED.finditer(done.stdout)}
        if len(offered) != len(set(names)):
            raise ToolFailed("apt-get", 0, "the sources name no SHA-256 for some packages")
        missing = [name for name, own in offered.items() if _hash(self._at(own)) != own]
        if missing:
            self._download([name.partition("_")[0] for name in missing], offered)
        return tuple(self._package(file, own) for file, own in sorted(offered.items()))

    def _at(self, sha256: str) -> Path:
        return self._pool / f"{sha256}.deb"

    def _package(self, file: str, sha256: str) -> Package:
        name, version, rest = file.split("_", 2)
        arch = rest.removesuffix(".deb")
        return Package(name, version.replace("%3a", ":"), arch, sha256, self._at(sha256))

    def _download(self, names: Sequence[str], offered: Mapping[str, str]) -> None:
        if self._offline:
            raise BadInput(f"{', '.join(names)} must be fetched; build once with a network")
        into = self._own / f".new-{secrets.token_hex(4)}"
        into.mkdir()
        try:
            self._run(["apt-get", "download", *names], cwd=into)
            for path in into.iterdir():
                own = _hash(path)
                if own != offered.get(path.name):
                    raise ToolFailed("apt-get", 0, f"{clean(path.name)} is not what was promised")
                path.chmod(0o644)
                path.replace(self._at(own))
        finally:
            remove_tree(into)

    def keep_only(self, hashes: Iterable[str]) -> None:
        """Let every kept package go but those with these hashes."""
        kept = {f"{one}.deb" for one in hashes}
        for path in self._pool.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def unpack(self, package: Package, into: Path) -> None:
        """All files of a package below ``into``; owners are the caller's. Raises ToolFailed."""
        argv = ["dpkg-deb", "-x", str(package.file), str(into)]
        commands.run(argv, stop=self._stop, log=self._log)

    def _run(
        self,
        argv: Sequence[str],
        *,
        ok: Sequence[int] = (0,),
        quiet: bool = False,
        cwd: Path | None = None,
    ) -> commands.Done:
        tool, *rest = argv
        proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
        return commands.run(
            [tool, "-q", "-c", str(self._configuration), *rest],
            ok=ok,
            stop=self._stop,
            log=None if quiet else self._log,
            env=proxies,
            cwd=cwd,
        )


def _hash(path: Path) -> str:
    """A file's SHA-256; empty when there is none."""
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _stanzas(text: str) -> Iterator[Mapping[str, str]]:
    """The control fields of each package, those of several lines left out."""
    for stanza in text.split("\n\n"):
        lines = (line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
        fields = {key: value for key, value in lines if not key.startswith(" ")}
        if "Package" in fields:
            yield fields


def _libraries(fields: Mapping[str, str]) -> Iterator[str]:
    for part in f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}".split(","):
        first = part.partition("|")[0].split()
        if first and first[0].startswith("lib"):
            yield first[0].partition(":")[0]
