"""Whether an initramfs can put a root on NBD: client, script, modules, and for which kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.boot.contents import Contents, read_contents
from sbctui.engine.boot.detect import kernel_version
from sbctui.engine.boot.rootdisk import RootDisk
from sbctui.engine.bootkit.arch import image_version, of_boot
from sbctui.engine.errors import BadInput
from sbctui.engine.model.node import BootSpec

_MOST_KNOWN = 64
_known: dict[tuple[Path, int, int, int], Contents] = {}
"""What was read of files that are still the same: by path, inode, time and size."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is not there, or not as it must be.

    ``part`` is what it is about, ``file`` where that should be (relative to ``boot/``, or a path
    inside the initramfs). ``stops``: a board will not come up; else it may.
    """

    part: str
    file: str
    why: str
    remedy: str
    stops: bool = True


@dataclass(frozen=True, slots=True)
class System:
    """A kernel and an initramfs that some firmware loads together."""

    kernel: str
    initramfs: str


@dataclass(frozen=True, slots=True)
class Place:
    """A boot folder; ``root`` is the root to change, ``filesystem`` that of its disk."""

    folder: Path
    root: str
    boot: BootSpec
    filesystem: str


def initramfs_lacks(
    place: Place, root: RootDisk, system: System, *, stop: commands.Stop
) -> Iterator[Lack]:
    """What an initramfs that is there lacks. Raises ToolMissing, Cancelled, OSError."""
    try:
        contents = _contents(place.folder / system.initramfs, stop)
    except BadInput as error:
        why = f"{system.initramfs} can't be used as an initramfs"
        yield Lack("initramfs", system.initramfs, why, f"{error}")
        return
    remedy = remedy_for(place, root)
    if not contents.client:
        why = f"{system.initramfs} has no nbd-client, which connects the root"
        yield Lack("NBD", "usr/sbin/nbd-client", why, remedy)
    if not contents.script:
        why = f"nothing in {system.initramfs} looks for a root on NBD"
        yield Lack("NBD", "scripts/local-top/nbd", why, remedy)
    yield from _modules(place, root, system, contents, remedy)


def _modules(
    place: Place, root: RootDisk, system: System, contents: Contents, remedy: str
) -> Iterator[Lack]:
    version = kernel_version(system.kernel) or _only(contents)
    others = sorted(contents.modules.keys() - {version})
    if others and version not in contents.modules:
        yield Lack(
            "modules",
            f"lib/modules/{version}",
            f"{system.initramfs} is for the kernel {others[-1]}, not for {system.kernel}",
            remedy,
        )
        return
    builtin = frozenset[str]()
    if version and version not in contents.builtin:
        builtin = root.builtin(version)
    for module, part in (("nbd", "NBD"), (place.filesystem, "file system")):
        lacking = contents.lacks(version, module, builtin) if module else ()
        for name in lacking:
            more = "" if name == module else f", which {module} needs"
            yield Lack(
                part,
                f"lib/modules/{version or 'VERSION'}/…/{name}.ko",
                f"{system.initramfs} has no module {name}{more}, and the kernel has it not built "
                "in as far as can be seen",
                remedy,
            )


def _only(contents: Contents) -> str:
    """The one kernel that an initramfs is for, where the kernel's file does not name its own."""
    versions = contents.modules.keys() | contents.builtin.keys()
    return next(iter(versions)) if len(versions) == 1 else ""


def remedy_for(place: Place, root: RootDisk) -> str:
    """How the root gets an initramfs that can: the site's own, or its image's, made anew."""
    if root.filesystem() and not root.readable() and of_boot(place.boot.arch):
        kernel = kernel_version(place.boot.kernel) or "VERSION"
        return (
            "build the site's own of the kernel's package: sbctui bootkit build "
            f"--arch {of_boot(place.boot.arch)} --kernel {kernel}; "
            f"then: sbctui boot use {place.root} --initramfs bootkit"
        )
    first = "" if root.has_client() else "apt-get install nbd-client, "
    own = (
        f"in the root: {first}MODULES=most in /etc/initramfs-tools/initramfs.conf, "
        "update-initramfs -u; then import it again"
    )
    if image_version(place.boot.initramfs):
        arch = of_boot(place.boot.arch)
        return (
            f"build the site's own again: sbctui bootkit build --arch {arch} --root {place.root}; "
            f"then: sbctui boot use {place.root} --initramfs bootkit"
        )
    if not of_boot(place.boot.arch):
        return own
    return f"take the site's own: sbctui boot use {place.root} --initramfs bootkit; or {own}"


def _contents(path: Path, stop: commands.Stop) -> Contents:
    facts = path.stat()
    key = (path, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    if key not in _known:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = read_contents(path, stop=stop)
    return _known[key]
