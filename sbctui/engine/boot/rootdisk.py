"""Looks into a root's disk for what its kernel needs, without mounting it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from sbctui.engine.boot.contents import builtin_names
from sbctui.engine.bootkit.arch import VERSION
from sbctui.engine.disks.bootfiles import TREES
from sbctui.engine.disks.debugfs import Entry, Image
from sbctui.engine.disks.kind import filesystem_kind
from sbctui.engine.errors import SbcError

_MODULES = ("/usr/lib/modules", "/lib/modules")
_CLIENTS = ("/usr/sbin", "/sbin")


class RootDisk:
    """One raw disk; what can't be read is as if it were not there."""

    def __init__(self, disk: Path, stop: threading.Event) -> None:
        self._disk = disk
        self._stop = stop

    def filesystem(self) -> str:
        """What it holds now; empty for nothing that is known."""
        try:
            return filesystem_kind(self._disk)
        except OSError:
            return ""

    def readable(self) -> bool:
        """Whether files in it can be looked at: in ext2, ext3 and ext4 alone."""
        return self.filesystem().startswith("ext")

    def builtin(self, version: str) -> frozenset[str]:
        """Names of modules that the kernel has built in, by the list beside its modules."""
        for folder in _MODULES:
            data = self._file(f"{folder}/{version}", "modules.builtin")
            if data:
                return builtin_names(data.decode("utf-8", "replace"))
        return frozenset()

    def only_version(self) -> str:
        """The kernel that the root has modules for, where it is just one; or empty."""
        for names in self._folders(*_MODULES).values():
            found = [name for name, entry in names.items() if entry.is_folder and name[0] != "."]
            if len(found) == 1 and VERSION.fullmatch(found[0]):
                return found[0]
        return ""

    def has_client(self) -> bool:
        """Whether nbd-client is installed in the root."""
        return any("nbd-client" in names for names in self._folders(*_CLIENTS).values())

    def has_trees(self, version: str) -> str:
        """The folder of device trees beside the modules, where there is one; or empty."""
        path = f"/{TREES}{version}"
        return path if self._folders(path) else ""

    def _file(self, folder: str, name: str) -> bytes:
        entry = self._folders(folder).get(folder, {}).get(name)
        if entry is None or not entry.is_file:
            return b""
        with tempfile.TemporaryDirectory(prefix="sbctui-") as scratch:
            try:
                return self._image(Path(scratch)).dump(f"{folder}/{name}", "found")
            except (SbcError, OSError):
                return b""

    def _folders(self, *paths: str) -> Mapping[str, Mapping[str, Entry]]:
        try:
            if not self.readable():
                return {}
            return self._image(Path("/")).folders(*paths)
        except (SbcError, OSError):
            return {}

    def _image(self, folder: Path) -> Image:
        return Image(self._disk, folder, self._stop)
