"""An archive into the staging folder of a new node, as a raw disk with its boot files.

A function that raises has left no file behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sbctui.engine import streams
from sbctui.engine.archive.ahead import ahead
from sbctui.engine.archive.bootfound import boot_found
from sbctui.engine.archive.differing import disk_sum
from sbctui.engine.archive.fetch import fetched
from sbctui.engine.archive.format import DIFFERENCE, DISK, bad
from sbctui.engine.archive.guess import told_by, told_initramfs
from sbctui.engine.archive.land import overlay
from sbctui.engine.archive.reading import Reading
from sbctui.engine.archive.taking import take
from sbctui.engine.boot.imagefiles import is_ours
from sbctui.engine.boot.pi import CMDLINE, CONFIG, KEPT
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.disks.stores import store_for
from sbctui.engine.errors import Refused
from sbctui.engine.files import fsync_file, hit, remove_tree
from sbctui.engine.model.node import DISK_FILES, StoreKind
from sbctui.engine.model.site import BOOT
from sbctui.engine.plan import TakeArchive, TakeLeaf


def take_archive(action: TakeArchive, ctx: Context) -> Undo:
    """Disk, boot files and what the archive says of them, into the staged node."""
    folder = ctx.staged(action.name)
    with or_nothing(folder):
        found = taken(action, ctx)
        disk = folder / DISK
        if is_difference(found):
            lay_over(found, action.base, folder, ctx)
        settle_boot(found, action.name, ctx)
        facts = superblock(disk)
    ctx.found.filesystem = facts.kind if facts is not None else ""
    ctx.found.promise = found.manifest.disk.promise if found.manifest else ""
    ctx.found.told, guessed = told_by(found.config, disk.stat().st_size)
    tell_guessed(action.name, guessed, ctx)
    return nothing


@contextmanager
def or_nothing(folder: Path) -> Iterator[None]:
    """What is put into a staged node, or nothing of it."""
    try:
        yield
    except BaseException:
        for name in (DISK, DIFFERENCE, DISK_FILES["qcow2"]):
            (folder / name).unlink(missing_ok=True)
        for entry in (folder / BOOT).iterdir():
            remove_tree(entry)
        raise


def taken(action: TakeArchive | TakeLeaf, ctx: Context) -> Reading:
    """The archive's members as they are in it."""
    with (
        fetched(action.place, stop=ctx.stop, log=ctx.log) as read,
        ahead(read, ctx.stop) as stream,
    ):
        return take(
            stream,
            ctx.staged(action.name),
            unverified=action.unverified,
            owner=ctx.owner,
            stop=ctx.stop,
            report=ctx.progress(f"importing {action.name}"),
        )


def is_difference(found: Reading) -> bool:
    """Whether the disk is what differs from another one."""
    return found.disk is not None and found.disk.name == DIFFERENCE


def lay_over(found: Reading, base: str, folder: Path, ctx: Context) -> None:
    """The difference over a copy of its base, which must be the very disk it was told from."""
    name = _base_of(found, base, ctx)
    disk = folder / DISK
    kind: StoreKind = "reflink" if ctx.site.facts.store == "reflink" else "copy"
    source = ctx.site.disk_path(name)
    with read_lease(source):
        report = ctx.progress(f"copying {name}")
        store_for(kind).clone(source, disk, stop=ctx.stop, report=report)
    with opened(disk, os.O_RDWR) as fd:
        require_base(found, name, fd, ctx)
        assert found.disk is not None
        os.ftruncate(fd, found.disk.entry.real)
        put_difference(found, folder, fd, ctx)
    fsync_file(disk)
    (folder / DIFFERENCE).unlink()


def _base_of(found: Reading, named: str, ctx: Context) -> str:
    assert found.manifest is not None
    assert found.manifest.disk.base is not None
    name = named or found.manifest.disk.base.root
    if name not in ctx.site.nodes or not ctx.site.nodes[name].is_root:
        raise Refused(
            f"this is what differs from the root {name!r}, which is not here; import that first, "
            "or name it with --base"
        )
    return name


def require_base(found: Reading, name: str, fd: int, ctx: Context) -> None:
    """Raises Refused when an open disk is not the one that a difference was told from."""
    assert found.manifest is not None
    base = found.manifest.disk.base
    assert base is not None
    if base.size != os.fstat(fd).st_size or base.sha256 != disk_sum(fd, ctx.stop, _unheard):
        raise Refused(
            f"the disk of {name} is not the one that this differs from: it was changed since, or "
            "is another; name the right root"
        )


def put_difference(found: Reading, folder: Path, fd: int, ctx: Context) -> None:
    """The staged difference into an open disk of its size."""
    assert found.disk is not None
    ranges = found.disk.entry.ranges
    if ranges is None:
        raise bad(DIFFERENCE, "has no map of what differs")
    hit("archive.lay-over")
    with opened(folder / DIFFERENCE) as over:
        for _ in overlay(over, fd, ranges):
            streams.go_on(ctx.stop, "laying a difference over its base")


def settle_boot(found: Reading, name: str, ctx: Context) -> None:
    """The staged boot files, and which of them are loaded.

    An image's own texts for a Raspberry Pi stay, ours are left out: they are rendered anew.
    """
    boot = ctx.staged(name) / BOOT
    if (boot / f"{CONFIG}{KEPT}").exists() or is_ours(boot):
        for text in (CONFIG, CMDLINE):
            (boot / text).unlink(missing_ok=True)
    told = told_initramfs(found.config)
    ctx.found.boot = boot_found(boot, name, told, ctx.site.path, ctx.owner, ctx.warn)


def tell_guessed(name: str, guessed: tuple[str, ...], ctx: Context) -> None:
    """What had to be guessed, and what came of it."""
    for sentence in guessed:
        ctx.warn(f"{name}: {sentence}")
    if guessed:
        kernel = (ctx.found.boot and ctx.found.boot.kernel) or "none"
        what = f"{ctx.found.filesystem or 'no file system that is known'}, kernel {kernel}"
        ctx.found.data["guessed"] = "; ".join((*guessed, what))


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """A file's descriptor for a while; no link is followed."""
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def _unheard(count: int) -> None:
    """Nobody is told."""
