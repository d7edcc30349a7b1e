"""The built initramfs of a site: where they are and what they are made of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sbctui.engine.errors import from_os

FOLDER = "bootkit"
"""In the site: ``<arch>/<kernel version>/{initrd.img,manifest.json}``."""
CACHE = ".packages"
"""In that folder: packages by hash, and apt's lists."""
INITRD = "initrd.img"
MANIFEST = "manifest.json"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Part(_Stored):
    """A package that went in, by the hash of its .deb."""

    name: str
    version: str
    arch: str
    sha256: str


class Manifest(_Stored):
    """What an initramfs is: for which kernel, ``of`` whom, and all that went in.

    ``epoch`` is the time of every file in it; ``size`` (bytes) and ``sha256`` are the whole's.
    """

    schema_: int = 1
    arch: str
    kernel: str
    of: str
    epoch: int
    size: int
    sha256: str
    packages: tuple[Part, ...]
    modules: tuple[str, ...]

    def to_json(self) -> bytes:
        """The file's bytes: stable order, newline at the end."""
        return self.model_dump_json(indent=2).encode() + b"\n"


class Kit(BaseModel):
    """One initramfs on disk. ``fault`` says what is wrong with it, empty when nothing is."""

    model_config = ConfigDict(frozen=True)

    arch: str
    kernel: str
    path: Path
    manifest: Manifest | None = None
    fault: str = ""


def initrd(site: Path, arch: str, kernel: str) -> Path:
    """Where the initramfs for a kernel is, built or not."""
    return site / FOLDER / arch / kernel / INITRD


def kit(site: Path, arch: str, kernel: str) -> Kit | None:
    """The one for a kernel that can be used: None when it was not built, or has a fault."""
    path = initrd(site, arch, kernel)
    found = _kit(path, arch, kernel, check=False) if path.parent.is_dir() else None
    return found if found is not None and not found.fault else None


def kits(site: Path, *, check: bool = False) -> tuple[Kit, ...]:
    """All that were built, by architecture and kernel. ``check`` reads each file's hash.

    Raises NotPermitted.
    """
    top = site / FOLDER
    found = []
    for arch in _folders(top):
        for kernel in _folders(top / arch):
            found.append(_kit(initrd(site, arch, kernel), arch, kernel, check=check))
    return tuple(found)


def _folders(path: Path) -> Iterator[str]:
    try:
        with os.scandir(path) as entries:
            names = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise from_os(error, "looking for built initramfs") from error
    yield from sorted(name for name in names if not name.startswith("."))


def _kit(path: Path, arch: str, kernel: str, *, check: bool) -> Kit:
    try:
        manifest = Manifest.model_validate_json((path.parent / MANIFEST).read_bytes())
        fault = _fault(path, manifest, check)
    except (OSError, ValidationError):
        return Kit(arch=arch, kernel=kernel, path=path, fault="its manifest can't be read")
    return Kit(arch=arch, kernel=kernel, path=path, manifest=manifest, fault=fault)


def _fault(path: Path, manifest: Manifest, check: bool) -> str:
    try:
        if path.stat().st_size != manifest.size:
            return "it is not as long as it was built"
        if check:
            with path.open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != manifest.sha256:
                    return "it is not as it was built"
    except OSError:
        return "it is gone"
    return ""
