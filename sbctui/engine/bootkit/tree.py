"""The files of the initramfs: our own scripts, and the programs they need out of packages."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from sbctui.engine.bootkit import cpio
from sbctui.engine.bootkit.arch import Architecture
from sbctui.engine.bootkit.elf import needs
from sbctui.engine.errors import BadInput

PACKAGES = ("busybox-static", "perl-base", "e2fsprogs")
"""What is taken from the distribution; the libraries that these need come along."""

_SHELL = "busybox"
_PROGRAMS = ("perl", "e2fsck")
_PERL = "perl-base/strict.pm"
_SCRIPTS = {"init": "init", "lease": "lib/sbctui/lease", "nbdlink": "bin/nbdlink"}
"""Our own files and where they stand."""
_BINARIES = ("bin", "usr/bin", "sbin", "usr/sbin")


def programs(unpacked: Path, arch: Architecture) -> dict[str, cpio.Entry]:
    """Every file but the modules. Raises BadInput when a package lacks what it should have."""
    entries = {
        "bin/sh": cpio.link(_SHELL),
        "sbin": cpio.link("bin"),
        "usr/bin": cpio.link("../bin"),
        "dev/console": cpio.character_device(5, 1),
        f"bin/{_SHELL}": cpio.file(_find(unpacked, _SHELL), executable=True),
    }
    for name, place in _SCRIPTS.items():
        text = (resources.files(__package__) / "data" / name).read_bytes()
        entries[place] = cpio.file(text, executable=True)
    for name in _PROGRAMS:
        data = _find(unpacked, name)
        entries[f"bin/{name}"] = cpio.file(data, executable=True)
        entries |= _beside(unpacked, arch, data)
    for place in (f"usr/lib/{arch.triplet}/{_PERL}", f"lib/{arch.triplet}/{_PERL}"):
        if (unpacked / place).is_file():
            entries[place] = cpio.file((unpacked / place).read_bytes())
    return entries


def _beside(unpacked: Path, arch: Architecture, data: bytes) -> Iterator[tuple[str, cpio.Entry]]:
    """The loader, at its own path, and the libraries, where the loader looks."""
    found = needs(data)
    loader = found.loader.lstrip("/")
    waiting = [*found.libraries, Path(loader).name]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        content = _library(unpacked, arch, name)
        place = loader if name == Path(loader).name else f"lib/{name}"
        yield place, cpio.file(content, executable=True)
        waiting += needs(content).libraries


def _library(unpacked: Path, arch: Architecture, name: str) -> bytes:
    for top in ("lib", "usr/lib"):
        for folder in (f"{top}/{arch.triplet}", top, f"{top}64"):
            path = unpacked / folder / name
            if path.is_file():
                return path.read_bytes()
    raise BadInput(f"the packages for {arch.name} lack the library {name}")


def _find(unpacked: Path, program: str) -> bytes:
    for folder in _BINARIES:
        path = unpacked / folder / program
        if path.is_file() and not path.is_symlink():
            return path.read_bytes()
    raise BadInput(f"the packages lack the program {program}")
