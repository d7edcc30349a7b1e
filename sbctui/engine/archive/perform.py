"""How each action on archives is done, and undone.

A function that raises has left no file behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sbctui.engine import commands
from sbctui.engine.archive.ahead import ahead
from sbctui.engine.archive.bootfound import boot_found
from sbctui.engine.archive.differing import differing, disk_sum
from sbctui.engine.archive.fetch import fetched
from sbctui.engine.archive.format import DIFFERENCE, DISK, bad
from sbctui.engine.archive.guess import told_by, told_initramfs
from sbctui.engine.archive.land import overlay
from sbctui.engine.archive.manifest import Base
from sbctui.engine.archive.partfile import part_of, publish, written
from sbctui.engine.archive.ranges import Ranges, filled
from sbctui.engine.archive.reading import Reading
from sbctui.engine.archive.taking import take
from sbctui.engine.archive.writer import Content
from sbctui.engine.archive.writer import write_archive as write
from sbctui.engine.boot.imagefiles import is_ours
from sbctui.engine.boot.pi import CMDLINE, CONFIG, KEPT
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.disks.bootfiles import boot_files
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import read_lease
from sbctui.engine.disks.qcow2 import node_spec
from sbctui.engine.disks.stores import store_for
from sbctui.engine.disks.target import new_disk
from sbctui.engine.disks.tools import check
from sbctui.engine.disks.watch import watched
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.files import fsync_file, hit, make_dir, remove_tree
from sbctui.engine.model.node import DISK_FILES, DiskSpec, NodeConfig, StoreKind
from sbctui.engine.model.site import BOOT, Site
from sbctui.engine.model.text import clean
from sbctui.engine.plan import (
    FlattenDisk,
    PublishArchive,
    TakeArchive,
    UnstageNode,
    WriteArchive,
)

_LOOK = 16
"""Looking for zeros is about so many times as fast as all that follows."""


def unstage(action: UnstageNode, ctx: Context) -> Undo:
    """Delete the copy that was worked on."""
    remove_tree(ctx.staged(action.name))
    ctx.changed(action.name)
    return nothing


def flatten_disk(action: FlattenDisk, ctx: Context) -> Undo:
    """A raw copy of what an overlay shows; nothing in its header is followed."""
    source = ctx.site.disk_path(action.source)
    base = ctx.site.nodes[action.source].config.disk.base
    if base is None or base not in ctx.site.nodes:
        raise Refused(f"the root that {action.source} stands on is not here; see: sbctui audit")
    below = ctx.site.disk_path(base)
    disk = ctx.staged(action.name) / DISK_FILES["raw"]
    argv = ["qemu-img", "convert", "-n", "--target-is-zero", "-q", "-O", "raw"]
    total = sum(path.stat().st_blocks * 512 for path in (source, below))
    with read_lease(below), new_disk(disk, ctx.stop) as fd:
        os.ftruncate(fd, ctx.site.nodes[action.source].config.disk.size)
        hit("disk.flatten")
        report = ctx.progress(f"reading the overlay of {action.source}")
        with watched(lambda: os.fstat(fd).st_blocks * 512, total, report):
            done = commands.run(
                [*argv, node_spec(source, below), disk],
                ok=range(256),
                stop=ctx.stop,
                log=ctx.log,
            )
        check(done, "reading an overlay")
    return nothing


def write_archive(action: WriteArchive, ctx: Context) -> Undo:
    """The archive's part, or all of it into a stream."""
    _make_folders(ctx.site, action.target, ctx)
    disk = _disk_of(action, ctx)
    boot = ctx.site.node_path(action.name) / BOOT
    lease = nullcontext() if action.staged else read_lease(disk)
    report = ctx.progress(f"exporting {action.name}")
    with lease, _opened(disk) as fd, written(action.target, ctx.owner, ctx.holds) as put:
        ranges, base = _chosen(action, fd, ctx, report)
        content = Content(
            config=_exported(action, ctx, os.fstat(fd).st_size),
            boot=_boot_of(boot, ctx),
            disk=fd,
            ranges=ranges,
            base=base,
        )
        looked = os.fstat(fd).st_blocks * 512 // _LOOK
        manifest = write(
            content,
            put,
            action.packing,
            made=datetime.fromtimestamp(ctx.site.facts.now, UTC),
            stop=ctx.stop,
            report=lambda done, total: report(looked + done, looked + total),
        )
    ctx.found.data["data"] = str(manifest.disk.data)
    if action.target == "-":
        return nothing
    ctx.found.data["bytes"] = str(part_of(action.target).stat().st_size)
    return lambda: part_of(action.target).unlink(missing_ok=True)


def publish_archive(action: PublishArchive, ctx: Context) -> Undo:
    """The rename that makes it whole."""
    publish(action.target, replace=action.replace)
    return nothing


def take_archive(action: TakeArchive, ctx: Context) -> Undo:
    """Disk, boot files and what the archive says of them, into the staged node."""
    folder = ctx.staged(action.name)
    try:
        found = _taken(action, folder, ctx)
        disk = folder / DISK
        if found.disk is not None and found.disk.name == DIFFERENCE:
            _lay_over(action, found, folder, ctx)
        _settle_boot(folder / BOOT)
        told = told_initramfs(found.config)
        boot = folder / BOOT
        ctx.found.boot = boot_found(boot, action.name, told, ctx.site.path, ctx.owner, ctx.warn)
        facts = superblock(disk)
    except BaseException:
        for name in (DISK, DIFFERENCE):
            (folder / name).unlink(missing_ok=True)
        for entry in (folder / BOOT).iterdir():
            remove_tree(entry)
        raise
    ctx.found.filesystem = facts.kind if facts is not None else ""
    ctx.found.promise = found.manifest.disk.promise if found.manifest else ""
    ctx.found.told, guessed = told_by(found.config, disk.stat().st_size)
    for sentence in guessed:
        ctx.warn(f"{action.name}: {sentence}")
    if guessed:
        kernel = ctx.found.boot.kernel or "none"
        what = f"{facts.kind if facts else 'no file system that is known'}, kernel {kernel}"
        ctx.found.data["guessed"] = "; ".join((*guessed, what))
    return nothing


def _taken(action: TakeArchive, folder: Path, ctx: Context) -> Reading:
    with (
        fetched(action.place, stop=ctx.stop, log=ctx.log) as read,
        ahead(read, ctx.stop) as stream,
    ):
        return take(
            stream,
            folder,
            unverified=action.unverified,
            owner=ctx.owner,
            stop=ctx.stop,
            report=ctx.progress(f"importing {action.name}"),
        )


def _lay_over(action: TakeArchive, found: Reading, folder: Path, ctx: Context) -> None:
    """The difference over a copy of its base, which must be the very disk it was told from."""
    assert found.manifest is not None
    assert found.disk is not None
    base = found.manifest.disk.base
    assert base is not None
    name = action.base or base.root
    if name not in ctx.site.nodes or not ctx.site.nodes[name].is_root:
        raise Refused(
            f"this is what differs from the root {name!r}, which is not here; import that first, "
            "or name it with --base"
        )
    disk = folder / DISK
    kind: StoreKind = "reflink" if ctx.site.facts.store == "reflink" else "copy"
    report = ctx.progress(f"copying {name}")
    source = ctx.site.disk_path(name)
    with read_lease(source):
        store_for(kind).clone(source, disk, stop=ctx.stop, report=report)
    with _opened(disk, os.O_RDWR) as fd, _opened(folder / DIFFERENCE) as over:
        if base.size != os.fstat(fd).st_size or base.sha256 != disk_sum(fd, ctx.stop, _unheard):
            raise Refused(
                f"the disk of {name} is not the one that this differs from: it was changed since; "
                "name the right root with --base"
            )
        os.ftruncate(fd, found.disk.entry.real)
        ranges = found.disk.entry.ranges
        if ranges is None:
            raise bad(DIFFERENCE, "has no map of what differs")
        hit("archive.lay-over")
        for _ in overlay(over, fd, ranges):
            commands.go_on(ctx.stop, "laying a difference over its base")
    fsync_file(disk)
    (folder / DIFFERENCE).unlink()


def _settle_boot(boot: Path) -> None:
    """An image's own texts for a Raspberry Pi stay, ours are left out: they are rendered anew."""
    if (boot / f"{CONFIG}{KEPT}").exists() or is_ours(boot):
        for name in (CONFIG, CMDLINE):
            (boot / name).unlink(missing_ok=True)


def _boot_of(boot: Path, ctx: Context) -> Iterator[tuple[Path, str]]:
    """Boot files and their names; links that somebody made stay, and that is said."""
    for file, name in boot_files(boot):
        if os.path.islink(file):
            ctx.warn(f"boot/{clean(name)} is a link, which is left out")
        else:
            yield Path(file), name


def _disk_of(action: WriteArchive, ctx: Context) -> Path:
    if action.staged:
        return ctx.staged(action.staged) / DISK_FILES["raw"]
    return ctx.site.disk_path(action.name)


def _exported(action: WriteArchive, ctx: Context, size: int) -> NodeConfig:
    """The node's config without what belongs to this site alone."""
    config = ctx.site.nodes[action.name].config
    own = {} if config.kind == "leaf" else {"mac": None}
    disk = DiskSpec(size=size, filesystem=config.disk.filesystem)
    promise = ctx.found.promise or config.promise
    return config.model_copy(
        update={
            **own,
            "ip": None,
            "ip_rule": None,
            "children": {},
            "disk": disk,
            "promise": promise,
        }
    )


def _chosen(
    action: WriteArchive, fd: int, ctx: Context, report: Callable[[int, int], None]
) -> tuple[Ranges, Base | None]:
    """What of the disk goes into the archive."""
    allocated = os.fstat(fd).st_blocks * 512
    looked = 0

    def far(count: int) -> None:
        nonlocal looked
        looked += count
        report(min(looked, allocated) // _LOOK, allocated // _LOOK + allocated)

    if not action.base:
        return filled(fd, ctx.stop, far), None
    path = ctx.site.disk_path(action.base)
    with read_lease(path), _opened(path) as below:
        size = os.fstat(below).st_size
        if size > os.fstat(fd).st_size:
            raise BadInput(f"the disk of {action.base} is larger than that of {action.name}")
        ranges = differing(fd, below, ctx.stop, far)
        known = disk_sum(below, ctx.stop, _unheard)
        return ranges, Base(root=action.base, size=size, sha256=known)


def _unheard(count: int) -> None:
    """Nobody is told."""


@contextmanager
def _opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield fd
    finally:
        os.close(fd)


def _make_folders(site: Site, target: str, ctx: Context) -> None:
    """Folders of the repository are made; others have to be there."""
    folder = Path(target).parent
    images = site.path / "repo" / "images"
    if images in (folder, *folder.parents):
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        for one in reversed(missing):
            make_dir(one, owner=ctx.owner)


ACTIONS: dict[str, Callable[[Any, Context], Undo]] = {
    "unstage": unstage,
    "flatten-disk": flatten_disk,
    "write-archive": write_archive,
    "publish-archive": publish_archive,
    "take-archive": take_archive,
}
"""What the executor calls, by the kind of action."""
