"""The actions on disks, as the executor calls them: a staged node in, files and facts out."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from sbctui.engine import files
from sbctui.engine.context import Context
from sbctui.engine.disks import fuse
from sbctui.engine.disks.create import inspect_source
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.perform import clone_disk, make_disk, personalise_disk, resize_disk
from sbctui.engine.disks.usage import verify
from sbctui.engine.errors import Refused, SbcError
from sbctui.engine.events import Event, Note, Progress
from sbctui.engine.model.node import DiskSpec, NodeConfig, StoreKind
from sbctui.engine.model.requests import Source
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Node, Site, Stamp
from sbctui.engine.plan import CloneDisk, MakeDisk, PersonaliseDisk, ResizeDisk
from sbctui.engine.services.port import Control
from tests import rootfs
from tests.disks.place import MIB, allocated, mounted, mounted_image, needs_loop, seen, tool

LEAF = "dc-a6-32-00-00-01"
USUAL = ("hostname", "machine_id", "ssh_host_key")
_SHUTDOWN = 0x8004587D


class Room:
    """A site with one published root, and a context for one unit."""

    def __init__(self, path: Path) -> None:
        config = NodeConfig(
            kind="root", name="golden", disk=DiskSpec(size=64 * MIB), created=datetime.now(UTC)
        )
        node = Node(config, None, Stamp(0, 0, 0))
        self.site = Site(path, Settings(), nodes={"golden": node})
        self.events: list[Event] = []
        (path / "nodes").mkdir(parents=True, exist_ok=True)

    def unit(self, name: str, owner: tuple[int, int] | None = None) -> Context:
        """A fresh context with the node ``name`` staged."""
        ctx = Context(
            site=self.site,
            emit=self.events.append,
            stop=threading.Event(),
            control=cast(Control, None),
            reload=lambda: self.site,
            changed=lambda name: None,
            owner=owner,
        )
        (ctx.staged(name) / "boot").mkdir(parents=True)
        return ctx

    def make(self, source: Source | None) -> Path:
        """Make and publish the root; its disk."""
        ctx = self.unit("golden")
        make_disk(MakeDisk(name="golden", size=64 * MIB, source=source), ctx)
        ctx.staged("golden").rename(self.site.node_path("golden"))
        return self.site.disk_path("golden")

    def clone(self, name: str, store: StoreKind, *, live: bool = False) -> Context:
        ctx = self.unit(name)
        clone_disk(CloneDisk(name=name, source="golden", store=store, live=live), ctx)
        return ctx

    def warnings(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Note) and e.level == "warning"]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path / "site")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return inspect_source(rootfs.awkward_tar(tmp_path / "a.tar"))


@pytest.fixture
def shared(tmp_path: Path, source: Source) -> Iterator[Room]:
    """A room on btrfs with its root made."""
    with mounted("btrfs", 512 * MIB, tmp_path) as point:
        room = Room(point / "site")
        room.make(source)
        yield room


def test_a_root_is_made_and_what_was_found_is_told(room: Room, source: Source) -> None:
    ctx = room.unit("golden", owner=(65534, 65534))
    make_disk(MakeDisk(name="golden", size=64 * MIB, source=source), ctx)
    folder = ctx.staged("golden")
    disk = folder / "root.img"
    assert (disk.stat().st_mode & 0o7777, disk.stat().st_uid) == (0o640, 65534)
    assert ctx.found.filesystem == "ext4"
    assert ctx.found.promise == "clean"
    assert ctx.found.boot is not None
    assert ctx.found.boot.kernel == "vmlinuz-6.1.0-1-arm64"
    assert ctx.found.boot.initramfs == "initrd.img-6.1.0-1-arm64"
    for path in (folder / "boot").rglob("*"):
        assert path.stat().st_uid == 65534
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sorted(p.name for p in folder.iterdir()) == ["boot", "root.img"]
    done = [e for e in room.events if isinstance(e, Progress)]
    assert done[-1].done == done[-1].total > 0
    assert any(e.level == "command" and "mke2fs" in e.text for e in room.events
               if isinstance(e, Note))  # fmt: skip


def test_an_empty_root_has_nothing_to_boot(room: Room) -> None:
    ctx = room.unit("golden")
    make_disk(MakeDisk(name="golden", size=64 * MIB, source=None), ctx)
    assert ctx.found.filesystem == "ext4"
    assert ctx.found.boot is not None
    assert ctx.found.boot.kernel == ""


@pytest.mark.parametrize("store", ["overlay", "copy"])
def test_a_leaf_gets_its_disk_and_links_to_the_boot_files(
    room: Room, source: Source, store: StoreKind
) -> None:
    root = room.make(source)
    boot = root.parent / "boot"
    (boot / "boot.scr").write_text("rendered for the root")
    (boot / "pxelinux.cfg").mkdir()
    (boot / "pxelinux.cfg" / "01-x").write_text("rendered")
    before = seen(root)
    ctx = room.clone(LEAF, store)
    folder = ctx.staged(LEAF)
    disk = folder / ("root.qcow2" if store == "overlay" else "root.img")
    assert seen(disk, root) == before
    assert ctx.found.promise == "clean"
    assert ctx.found.filesystem == "ext4"
    assert ctx.found.base == (root if store == "overlay" else None)
    mine = {str(p.relative_to(folder / "boot")) for p in folder.rglob("boot/**/*") if p.is_file()}
    theirs = {str(p.relative_to(boot)) for p in boot.rglob("*") if p.is_file()}
    assert mine == theirs - {"boot.scr", "pxelinux.cfg/01-x"}
    for name in mine:
        assert (folder / "boot" / name).stat().st_ino == (boot / name).stat().st_ino


@pytest.mark.parametrize("store", ["overlay", "copy"])
def test_a_leaf_is_personalised_and_what_is_left_out_is_said(
    room: Room, source: Source, store: StoreKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store == "overlay" and (reason := fuse.unavailable()):
        pytest.skip(reason)
    room.make(source)
    ctx = room.clone(LEAF, store)
    personalise_disk(PersonaliseDisk(name=LEAF, hostname="pi-07", what=USUAL), ctx)
    assert ctx.found.personalised == USUAL
    assert ctx.found.host_key.startswith("ssh-ed25519 ")
    assert room.warnings() == []
    assert len(list(ctx.staged(LEAF).iterdir())) == 2
    monkeypatch.setattr(fuse, "unavailable", lambda: "no FUSE")
    monkeypatch.setattr("sbctui.engine.disks.personalise.superblock", lambda disk: None)
    ctx.found.personalised = None
    personalise_disk(PersonaliseDisk(name=LEAF, hostname="pi-07", what=USUAL), ctx)
    assert ctx.found.personalised == ()
    assert "pi-07: hostname, machine id, ssh host key not written" in room.warnings()[0]


def test_a_root_clone_on_an_overlay_site_is_a_raw_copy(room: Room, source: Source) -> None:
    root = room.make(source)
    ctx = room.clone("other", "overlay")
    disk = ctx.staged("other") / "root.img"
    assert seen(disk) == seen(root)
    assert ctx.found.base is None


@pytest.mark.parametrize("store", ["reflink", "overlay", "copy"])
def test_an_overlay_that_is_open_is_never_copied(
    room: Room, source: Source, store: StoreKind
) -> None:
    """Not even by reflink: what its cluster tables say and what is written would differ."""
    room.make(source)
    node = room.site.nodes["golden"]
    overlaid = node.config.model_copy(
        update={"disk": node.config.disk.model_copy(update={"format": "qcow2"})}
    )
    room.site = replace(room.site, nodes={"golden": replace(node, config=overlaid)})
    assert room.site.disk_path("golden").suffix == ".qcow2"
    with pytest.raises(Refused, match="open overlay would be torn"):
        room.clone("other", store, live=True)
    assert [p.name for p in (room.site.staging_path("other")).iterdir()] == ["boot"]


@pytest.mark.parametrize("store", ["overlay", "copy"])
def test_a_disk_that_somebody_writes_is_not_copied(
    room: Room, source: Source, store: StoreKind
) -> None:
    root = room.make(source)
    with root.open("r+b"), pytest.raises(Refused, match="being written"):
        room.clone("other", store)
    assert os.listdir(room.clone("another", store).staged("other")) == ["boot"]


@pytest.mark.loop
def test_a_live_clone_is_repaired_and_keeps_every_synced_file(shared: Room, tmp_path: Path) -> None:
    """Clones while a writer writes checksummed files: what was synced before is whole."""
    stop = threading.Event()
    synced: list[str] = []
    with mounted_image(shared.site.disk_path("golden"), tmp_path / "board") as board:

        def write() -> None:
            for number in range(100_000):
                if stop.is_set():
                    return
                data = os.urandom(20_000 + number % 7 * 5000)
                path = board / f"{number:06}-{hashlib.sha256(data).hexdigest()}"
                with open(path, "wb") as file:
                    file.write(data)
                    os.fsync(file.fileno())
                fd = os.open(board, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
                synced.append(path.name)
                if number >= 40:
                    (board / synced[number - 40]).unlink()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            repaired = 0
            for number in range(6):
                before = list(synced)
                ctx = shared.clone(f"clone-{number}", "reflink", live=True)
                after = set(synced)
                assert ctx.found.promise == "crash-consistent"
                disk = ctx.staged(f"clone-{number}") / "root.img"
                assert verify(disk, "raw") == ""
                with mounted_image(disk, tmp_path / "look", "ro") as point:
                    names = {p.name for p in point.iterdir() if p.name[:6].isdigit()}
                    kept = [name for name in before[-20:] if name in names]
                    for name in kept:
                        digest = hashlib.sha256((point / name).read_bytes()).hexdigest()
                        assert name.endswith(digest)
                    assert len(after) - len(before) > 20 or len(kept) == len(before[-20:])
                    repaired += len(kept)
            assert repaired > 20
        finally:
            stop.set()
            writer.join()


@pytest.mark.loop
def test_a_root_that_lost_power_is_repaired_in_the_copy_and_that_is_promised(
    shared: Room, tmp_path: Path
) -> None:
    disk = shared.site.disk_path("golden")
    with mounted_image(disk, tmp_path / "m") as point:
        (point / "new").write_text("synced")
        os.sync()
        fd = os.open(point, os.O_RDONLY)
        fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", 1))
        os.close(fd)
    found = superblock(disk)
    assert found is not None
    assert found.dirty
    before = seen(disk)
    ctx = shared.clone("other", "reflink")
    assert ctx.found.promise == "crash-consistent"
    assert verify(ctx.staged("other") / "root.img", "raw") == ""
    assert seen(disk) == before


@pytest.mark.loop
def test_reflinked_leaves_take_nothing_of_their_own(shared: Room) -> None:
    free = os.statvfs(shared.site.path).f_bfree
    for number in range(20):
        ctx = shared.clone(f"{LEAF[:-2]}{number:02x}", "reflink")
        assert ctx.found.promise == "clean"
    assert (free - os.statvfs(shared.site.path).f_bfree) * 4096 < 2 * MIB


def test_resizing_asks_for_the_lease_first(room: Room, source: Source) -> None:
    disk = room.make(source)
    ctx = room.unit("unused")
    with open(disk, "rb"), pytest.raises(Refused, match="open by another program"):
        resize_disk(ResizeDisk(name="golden", size=128 * MIB), ctx)
    assert disk.stat().st_size == 64 * MIB
    resize_disk(ResizeDisk(name="golden", size=128 * MIB), ctx)
    assert disk.stat().st_size == 128 * MIB
    assert verify(disk, "raw") == ""


def test_a_disk_that_only_grew_is_said(room: Room) -> None:
    disk = room.make(None)
    disk.write_bytes(bytes(MIB))
    resize_disk(ResizeDisk(name="golden", size=2 * MIB), room.unit("unused"))
    assert "no ext4" in room.warnings()[0]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("verb", ["make", "overlay", "copy"])
def test_a_fault_at_any_step_leaves_the_staged_folder_as_it_was(
    room: Room, source: Source, verb: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verb != "make":
        room.make(source)
    name = "golden" if verb == "make" else LEAF

    def act(ctx: Context) -> None:
        if verb == "make":
            make_disk(MakeDisk(name=name, size=64 * MIB, source=source), ctx)
        else:
            store = cast(StoreKind, verb)
            clone_disk(CloneDisk(name=name, source="golden", store=store), ctx)

    steps: list[str] = []
    for _ in range(2):  # the second time as every further leaf: the overlay's template is known
        steps.clear()
        monkeypatch.setattr(files, "failpoint", steps.append)
        ctx = room.unit(name, owner=(0, 0))
        act(ctx)
        assert "disk.owner" in steps
        files.remove_tree(ctx.staged(name))
    for wanted in [s for s in dict.fromkeys(steps) if s != "rmtree"]:

        def fail(step: str, wanted: str = wanted) -> None:
            if step == wanted:
                raise OSError(number, os.strerror(number))

        ctx = room.unit(name, owner=(0, 0))
        monkeypatch.setattr(files, "failpoint", fail)
        with pytest.raises((SbcError, OSError)):
            act(ctx)
        monkeypatch.setattr(files, "failpoint", None)
        left = [str(p.relative_to(ctx.staged(name))) for p in ctx.staged(name).rglob("*")]
        assert left == ["boot"], wanted
        assert ctx.found.boot is None
        files.remove_tree(ctx.staged(name))


@pytest.mark.loop
def test_no_leaf_ever_inflates(shared: Room) -> None:
    needs_loop()
    root = allocated(shared.site.disk_path("golden"))
    ctx = shared.clone(LEAF, "reflink")
    personalise_disk(PersonaliseDisk(name=LEAF, hostname="pi-07", what=USUAL), ctx)
    assert allocated(ctx.staged(LEAF) / "root.img") <= root + 64 * 1024
    assert "pi-07" in tool(
        "debugfs", "-R", "cat /etc/hostname", ctx.staged(LEAF) / "root.img"
    ).stdout  # fmt: skip
