"""The folder of host files: read and changed so that dnsmasq never meets half a file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine.files import Owner, flocked, hit


class HostsFolder:
    """Files by name. Nothing is flushed: all of this can be derived again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep every other writer out meanwhile; the folder is made if it is missing."""
        self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        with flocked(self.path):
            yield

    def names(self) -> set[str]:
        """Files that dnsmasq reads. Temp files of an earlier life are removed."""
        names = set(os.listdir(self.path))
        for temp in [name for name in names if name.startswith(".")]:
            (self.path / temp).unlink(missing_ok=True)
        return {name for name in names if not name.startswith(".")}

    def read(self, name: str) -> bytes | None:
        """What a file holds; None when it is not there."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def store(self, files: Mapping[str, bytes]) -> None:
        """Write files by rename, from temp names that dnsmasq skips."""
        owner = self._owner()
        for name, data in files.items():
            self._write(self.path / name, data, owner)

    def unlink(self, names: Collection[str]) -> None:
        """Delete files; missing ones are fine."""
        for name in names:
            hit("hosts.unlink")
            (self.path / name).unlink(missing_ok=True)

    def _write(self, path: Path, data: bytes, owner: Owner) -> None:
        temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        hit("hosts.write")
        try:
            fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            with open(fd, "wb") as file:
                file.write(data)
                os.fchmod(fd, 0o640)
                if owner is not None:
                    os.fchown(fd, *owner)
            hit("hosts.rename")
            temp.replace(path)
        except BaseException:
            temp.unlink(missing_ok=True)
            raise

    def _owner(self) -> Owner:
        """Whose the files are when root writes for somebody else."""
        facts = self.path.stat()
        return (facts.st_uid, facts.st_gid) if os.geteuid() == 0 and facts.st_uid else None
