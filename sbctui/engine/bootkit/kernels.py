"""Kernels whose modules can be had: of a package, and of a root's disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

from sbctui.engine import commands
from sbctui.engine.bootkit.arch import VERSION
from sbctui.engine.bootkit.archive import Archive, Package
from sbctui.engine.bootkit.modules import DEPENDENCIES, LISTS
from sbctui.engine.disks.debugfs import Image
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.text import clean

_MODULES = "/lib/modules"
_IMAGE = "linux-image-"


class OfPackage:
    """The kernel of a Debian package, unpacked into ``folder``."""

    def __init__(self, archive: Archive, name: str, folder: Path, log: commands.Log | None) -> None:
        """Raises NoPackage, ToolFailed, Cancelled."""
        self.package = _image(archive, name)
        self.about = f"the package {self.package.name}"
        self.folder = folder
        archive.unpack(self.package, folder)
        tops = [folder / "usr/lib/modules", folder / "lib/modules"]
        found = [path for top in tops if top.is_dir() for path in top.iterdir()]
        if len(found) != 1 or not VERSION.fullmatch(found[0].name):
            raise BadInput(f"{self.about} holds no kernel with modules")
        self._base = found[0]
        self.version = self._base.name
        if not (self._base / DEPENDENCIES).exists():
            merged = self._base.parents[2]
            commands.run(["depmod", "-b", merged, self.version], log=log)

    def lists(self) -> Mapping[str, bytes]:
        """See ``modules.Kernel``."""
        there = (self._base / name for name in (DEPENDENCIES, *LISTS))
        return {path.name: path.read_bytes() for path in there if path.exists()}

    def modules(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """See ``modules.Kernel``."""
        for path in paths:
            yield path, (self._base / path).read_bytes()


def _image(archive: Archive, name: str) -> Package:
    """The package with the files of a kernel; a metapackage leads to its newest."""
    (fields,) = archive.describe([f"{_IMAGE}{name}"])
    depends = [part.split()[0] for part in fields.get("Depends", "").split(",") if part.strip()]
    real = next((word for word in depends if word.startswith(_IMAGE)), f"{_IMAGE}{name}")
    (package,) = archive.fetch([real])
    return package


class OfRoot:
    """The kernel that an OS image has in its own /lib/modules, read without mounting it."""

    def __init__(
        self, disk: Path, name: str, version: str, scratch: Path, stop: Event | None
    ) -> None:
        """``version`` may be empty where there is just one. Raises BadInput, Refused."""
        self.about = f"the root {name}"
        self._image = Image(disk, scratch, stop or Event())
        self.version = _only(self._versions(), version, self.about)

    def _versions(self) -> list[str]:
        found = self._image.folders(_MODULES).get(_MODULES, {})
        return sorted(n for n, entry in found.items() if entry.is_folder and VERSION.fullmatch(n))

    def lists(self) -> Mapping[str, bytes]:
        """See ``modules.Kernel``. Raises Refused where depmod was never run."""
        found = dict(self._read((DEPENDENCIES, *LISTS)))
        if DEPENDENCIES not in found:
            raise Refused(
                f"{self.about} has no {_MODULES}/{self.version}/{DEPENDENCIES}; "
                f"run depmod {self.version} in it"
            )
        return found

    def modules(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """See ``modules.Kernel``. Raises BadInput for one that is listed and not there."""
        found = dict(self._read(paths))
        for path in paths:
            if path not in found:
                raise BadInput(f"{self.about} lists the module {clean(path)} and does not have it")
            yield path, found[path]

    def _read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        top = f"{_MODULES}/{self.version}/"
        found = self._image.dump_all([f"{top}{name}" for name in names])
        return ((path.removeprefix(top), data) for path, data in found.items())


def _only(there: Sequence[str], wanted: str, about: str) -> str:
    if wanted in there:
        return wanted
    listed = ", ".join(there)
    if not there:
        raise Refused(f"{about} has no kernel modules in {_MODULES}: install a kernel in it")
    if wanted:
        raise BadInput(f"{about} has no modules for the kernel {clean(wanted)}, but for {listed}")
    if len(there) > 1:
        raise BadInput(f"{about} has several kernels: say which with --kernel: {listed}")
    return there[0]
