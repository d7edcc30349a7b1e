"""Building an initramfs: packages and modules in, one file and its manifest out."""

from __future__ import annotations

import gzip
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

from sbctui.engine import commands
from sbctui.engine.bootkit import cpio
from sbctui.engine.bootkit.arch import ARCHITECTURES
from sbctui.engine.bootkit.archive import Archive, Package
from sbctui.engine.bootkit.kernels import OfPackage, OfRoot
from sbctui.engine.bootkit.kits import CACHE, FOLDER, INITRD, MANIFEST, Manifest, Part, kits
from sbctui.engine.bootkit.modules import gather
from sbctui.engine.bootkit.tree import PACKAGES, programs
from sbctui.engine.disks.kind import filesystem_kind
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import (
    Owner,
    flocked,
    fsync_dir,
    hit,
    make_dir,
    remove_tree,
    rename_noreplace,
    swap,
    write_new,
)

_STAGING = ".new-"
_LEVEL = 9
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which initramfs. ``kernel``: with ``root`` a version in its /lib/modules, empty for its

    only one; else a version or flavour of Debian's packages, as 6.1.0-32-arm64 or arm64.
    ``disk`` is the root's.
    """

    arch: str
    kernel: str = ""
    root: str = ""
    disk: Path | None = None
    sources: Path | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Who is told, who can stop it, and whom new files are given to."""

    warn: Warn
    stop: Event | None = None
    log: commands.Log | None = None
    owner: Owner = None


def build(site: Path, wanted: Wanted, around: Surroundings) -> Manifest:
    """Build it and put it into the site, whole or not at all; what is the same stays.

    Raises BadInput, Refused, ToolFailed, ToolMissing, Cancelled, OSError.
    """
    top = site / FOLDER
    for folder in (top, top / wanted.arch, top / CACHE):
        if not folder.is_dir():
            make_dir(folder, owner=around.owner)
    with flocked(top / CACHE), _scratch(top / wanted.arch) as scratch:
        archive = Archive(
            top / CACHE,
            wanted.arch,
            sources=wanted.sources,
            offline=wanted.offline,
            stop=around.stop,
            log=around.log,
        )
        if behind := archive.refresh():
            around.warn(f"{behind}; those of an earlier build are used")
        data, manifest = _make(archive, wanted, scratch, around)
        _publish(top / wanted.arch, data, manifest, around.owner)
        used = {p.sha256 for kit in kits(site) if kit.manifest for p in kit.manifest.packages}
        archive.keep_only(used)
        _give(top / CACHE, around.owner)
    return manifest


def drop_unfinished(site: Path) -> None:
    """Delete what killed builds left; nothing while somebody builds. Raises OSError."""
    top = site / FOLDER
    with suppress(BlockingIOError, FileNotFoundError), flocked(top / CACHE, blocking=False):
        for pattern in (f"*/{_STAGING}*", f"{CACHE}/*/{_STAGING}*"):
            for old in top.glob(pattern):
                hit("recovery.drop-staging")
                remove_tree(old)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder to work in. Who holds the lock may remove those of builds that were killed."""
    for old in folder.glob(f"{_STAGING}*"):
        remove_tree(old)
    scratch = folder / f"{_STAGING}{secrets.token_hex(4)}"
    make_dir(scratch, mode=0o700)
    try:
        yield scratch
    finally:
        remove_tree(scratch)


def _make(
    archive: Archive, wanted: Wanted, scratch: Path, around: Surroundings
) -> tuple[bytes, Manifest]:
    packages = list(archive.fetch(archive.with_libraries(PACKAGES)))
    unpacked = scratch / "programs"
    for package in packages:
        archive.unpack(package, unpacked)
    kernel = _kernel(archive, wanted, scratch, around)
    if isinstance(kernel, OfPackage):
        packages.append(kernel.package)
    modules = gather(kernel, scratch, around.stop, around.log)
    epoch = _epoch()
    entries = {**programs(unpacked, ARCHITECTURES[wanted.arch]), **modules.entries}
    data = gzip.compress(cpio.archive(entries, epoch), _LEVEL, mtime=0)
    return data, Manifest(
        arch=wanted.arch,
        kernel=kernel.version,
        of=kernel.about,
        epoch=epoch,
        size=len(data),
        sha256=sha256(data).hexdigest(),
        packages=tuple(_part(package) for package in packages),
        modules=modules.names,
    )


def _kernel(
    archive: Archive, wanted: Wanted, scratch: Path, around: Surroundings
) -> OfPackage | OfRoot:
    if wanted.disk is None:
        name = wanted.kernel or ARCHITECTURES[wanted.arch].kernel
        return OfPackage(archive, name, scratch / "kernel", around.log)
    kind = filesystem_kind(wanted.disk)
    if kind and not kind.startswith("ext"):
        raise Refused(
            f"the root {wanted.root} holds {kind}, in which modules can't be looked at; build it "
            "of the kernel's package: sbctui bootkit build "
            f"--arch {wanted.arch} --kernel {wanted.kernel or 'VERSION'}"
        )
    return OfRoot(wanted.disk, wanted.root, wanted.kernel, scratch, around.stop)


def _epoch() -> int:
    """SOURCE_DATE_EPOCH (reproducible-builds.org), else 0."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not (text.isascii() and text.isdigit() and int(text) < 1 << 32):
        raise BadInput(f"SOURCE_DATE_EPOCH must be seconds since 1970, not {text!r}")
    return int(text)


def _part(package: Package) -> Part:
    return Part(
        name=package.name, version=package.version, arch=package.arch, sha256=package.sha256
    )


def _publish(folder: Path, data: bytes, manifest: Manifest, owner: Owner) -> None:
    """Let the new folder take the old one's place in one step, unless nothing changed."""
    target = folder / manifest.kernel
    files = {INITRD: (data, 0o644), MANIFEST: (manifest.to_json(), 0o640)}
    if all(_reads(target / name, content) for name, (content, _) in files.items()):
        return
    new = folder / f"{_STAGING}{secrets.token_hex(4)}"
    make_dir(new, owner=owner)
    try:
        for name, (content, mode) in files.items():
            write_new(new / name, content, mode=mode, owner=owner)
        fsync_dir(new)
        if target.exists():
            swap(new, target)
        else:
            rename_noreplace(new, target)
    finally:
        remove_tree(new)


def _reads(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _give(folder: Path, owner: Owner) -> None:
    """Files that apt wrote as root are the site's owner's, who may build the next one."""
    if owner is None:
        return
    for path, folders, names in os.walk(folder):
        for name in (".", *folders, *names):
            os.chown(Path(path, name), *owner, follow_symlinks=False)
