"""Boot files for a thousand leaves beside writing the same bytes, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. A root has what Raspberry Pi OS has in its boot
partition and a kernel for U-Boot, so every kind of boot file is made. Both sides end with the
same files under the same promise, and take turns; each one's fastest run counts.

- New: kernel, firmware and device trees linked to the root's, the rest rendered; config flushed.
- Again: the templates have changed, so all is rendered again and replaced by rename.

The place is an ext4 loop mount, in memory where there is room for it, so that the machine's own
disk does not decide. Last comes what a thousand leaves take of the disk beside their root.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.context import Context
from sbctui.engine.disks.bootfiles import link_boot
from sbctui.engine.engine import init_site
from sbctui.engine.events import silent
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import BootSpec, DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.perform import write_node
from sbctui.engine.plan import WriteNode
from sbctui.engine.reconcile import apply_boot, derive_all
from sbctui.engine.services.control import SiteControl
from sbctui.engine.store import Store
from tests.disks.place import mounted

LEAVES, OVERLAYS, RUNS, LIMIT = 1000, 20, 3, 1.5
MADE = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = IPv4Address("10.77.0.1")
NETWORK = {
    "subnet": "10.77.0.0/16",
    "pool": {"first": "10.77.0.1", "last": "10.77.250.250"},
    "server": "10.77.255.1",
}
BOOT = BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", arch="arm64")
MIB, GIB = 1024**2, 1024**3
SHARED = {
    "vmlinuz-6.1": 8 * MIB,
    "initrd.img-6.1": 24 * MIB,
    "kernel8.img": 8 * MIB,
    "initramfs8": 12 * MIB,
    "start4.elf": 2 * MIB,
    "fixup4.dat": 5000,
    "bcm2711-rpi-4-b.dtb": 55000,
    **{f"overlays/overlay{number}.dtbo": 1500 for number in range(OVERLAYS)},
}
LIBC = ctypes.CDLL(None)
NEVER = threading.Event()
DONE = ("hostname", "machine_id", "ssh_host_key")


def fill(boot: Path) -> None:
    """The root's boot folder."""
    (boot / "overlays").mkdir(parents=True)
    for name, size in SHARED.items():
        (boot / name).write_bytes(bytes(8) * (size // 8))
    (boot / "config.txt.image").write_text("dtparam=audio=on\narm_64bit=1\nauto_initramfs=1\n" * 10)
    (boot / "cmdline.txt.image").write_text("console=tty1 root=PARTUUID=4c3fe312-02 rootwait\n")


def leaf(number: int) -> NodeConfig:
    mac = f"dc:a6:32:00:{number >> 8:02x}:{number & 255:02x}"
    return NodeConfig(
        kind="leaf",
        name=dashed(mac),
        mac=mac,
        ip=FIRST + number,
        ip_rule="next",
        alias=f"pi-{number}",
        parent="pios",
        created=MADE,
        disk=DiskSpec(size=1 << 30, filesystem="ext4"),
        boot=BOOT,
        personalised=DONE,
    )


LEAF = [leaf(number) for number in range(LEAVES)]


def place(folder: Path) -> tuple[Path, Site]:
    """A site with the root alone."""
    init_site(folder, Settings.model_validate({"network": NETWORK}))
    fill(folder / "nodes/pios/boot")
    root = NodeConfig(
        kind="root",
        name="pios",
        created=MADE,
        disk=DiskSpec(size=1 << 30, filesystem="ext4"),
        boot=BOOT,
        children={one.mac: one.name for one in LEAF if one.mac},
    )
    (folder / "nodes/pios/config.json").write_bytes(root.to_json())
    with open(folder / "nodes/pios/root.img", "wb") as disk:
        disk.truncate(1 << 30)
    return folder, Store(folder).load()


def new(path: Path, site: Site) -> None:
    """Ours: what the unit of a leaf does for its boot folder, for all of them."""
    source = path / "nodes/pios/boot"
    control = SiteControl(path)
    for config in LEAF:
        staged = site.staging_path(config.name)
        (staged / "boot").mkdir(parents=True)
        link_boot(source, staged / "boot", owner=None, stop=NEVER)
        context = Context(site, silent, NEVER, control, lambda: site, lambda name: None)
        write_node(WriteNode(name=config.name, config=config), context)


def written(folder: Path) -> dict[str, bytes | None]:
    """What there is of one leaf: bytes of what is its own, None for what is the root's."""
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            own = path.stat().st_nlink < LEAVES
            found[str(path.relative_to(folder))] = path.read_bytes() if own else None
    return found


def typed_new(path: Path, files: list[dict[str, bytes | None]]) -> None:
    """Theirs: the same folders, links, and bytes, of which the config is flushed."""
    source = path / "nodes/pios"
    for config, wanted in zip(LEAF, files, strict=True):
        folder = path / "nodes" / f".typed-{config.name}"
        made = {folder}
        folder.mkdir()
        for name, data in wanted.items():
            target = folder / name
            if target.parent not in made:
                target.parent.mkdir()
                made.add(target.parent)
            if data is None:
                os.link(source / name, target)
                continue
            with open(target, "wb") as file:
                file.write(data)
                file.flush()
                if name == "config.json":
                    os.fsync(file.fileno())


def publish(path: Path) -> None:
    for config in LEAF:
        (path / "nodes" / f".new-{config.name}").rename(path / "nodes" / config.name)
        with open(path / "nodes" / config.name / "root.img", "wb") as disk:
            disk.truncate(1 << 30)


def retold(path: Path, text: str) -> Site:
    """The site, whose templates are other ones."""
    (path / "templates").mkdir(exist_ok=True)
    (path / "templates/boot.cmd").write_text(f"echo {text} {{{{arguments}}}}\n")
    (path / "templates/extlinux.conf").write_text(f"# {text}\nappend {{{{arguments}}}}\n")
    (path / "templates/boot.ipxe").write_text(f"# {text}\nkernel x {{{{arguments}}}}\n")
    (path / "templates/config.txt").write_text(f"{{{{default}}}}# {text}\n")
    (path / "templates/cmdline.txt").write_text(f"{{{{default}}}} {text}\n")
    return Store(path).load()


def again(site: Site) -> None:
    """Ours: derive everything, and make the boot files so."""
    apply_boot(site, derive_all(site), ())


def typed_again(path: Path, files: list[dict[str, bytes]]) -> None:
    """Theirs: the same bytes, each by a temporary file and a rename."""
    for config, wanted in zip(LEAF, files, strict=True):
        folder = path / "nodes" / config.name / "boot"
        for name, data in wanted.items():
            temp = folder / f"{name}.tmp"
            with open(temp, "wb") as file:
                file.write(data)
            temp.rename(folder / name)


def timed(act: Callable[[], None], path: Path) -> float:
    """Seconds until all of it is on the disk."""
    fd = os.open(path, os.O_RDONLY)
    LIBC.syncfs(fd)
    began = time.monotonic()
    act()
    LIBC.syncfs(fd)
    os.close(fd)
    return time.monotonic() - began


def taken(folder: Path) -> int:
    """Bytes on disk, what is linked once."""
    seen: dict[int, int] = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        seen[facts.st_ino] = facts.st_blocks * 512
    return sum(seen.values())


def news(folder: Path) -> tuple[float, float]:
    ours, theirs = [], []
    for number in range(RUNS):
        path, site = place(folder / f"new-{number}")
        ours.append(timed(lambda path=path, site=site: new(path, site), path))  # type: ignore[misc]
        files = [written(site.staging_path(config.name)) for config in LEAF]
        theirs.append(timed(lambda path=path, files=files: typed_new(path, files), path))  # type: ignore[misc]
        shutil.rmtree(path)
    return min(ours), min(theirs)


def agains(folder: Path) -> tuple[float, float, int, int]:
    path, site = place(folder / "again")
    before = taken(path / "nodes")
    new(path, site)
    publish(path)
    again(retold(path, "first"))
    ours, theirs = [], []
    for number in range(RUNS):
        site = retold(path, f"run{number}")
        ours.append(timed(lambda site=site: again(site), path))  # type: ignore[misc]
        files = [
            {name: data for name, data in written(path / "nodes" / one.name / "boot").items()
             if data is not None and not name.endswith(".image")}
            for one in LEAF
        ]  # fmt: skip
        theirs.append(timed(lambda files=files: typed_again(path, files), path))  # type: ignore[misc]
    return min(ours), min(theirs), before, taken(path / "nodes")


def line(what: str, ours: float, theirs: float) -> bool:
    held = ours <= LIMIT * theirs
    print(f"{what:44} {ours:9.3f} {theirs:9.3f} {ours / theirs:7.2f}  × {LIMIT:g} "
          f"{'holds' if held else 'BROKEN'}", flush=True)  # fmt: skip
    return held


def main() -> int:
    """The table; 1 when a limit is broken."""
    print(f"{'boot files of 1,000 leaves':44} {'ours s':>9} {'theirs s':>9} {'ratio':>7}  limit")
    if os.geteuid() != 0:
        print("boot_files: needs root for a loop mount; run: sudo ./run bench boot_files",
              file=sys.stderr)  # fmt: skip
        return 1
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > GIB
    with (
        tempfile.TemporaryDirectory(dir=memory if roomy else None) as name,
        mounted("ext4", GIB, Path(name)) as folder,
    ):
        held = line("new / the same links and bytes", *news(folder))
        ours, theirs, before, after = agains(folder)
        held &= line("again / the same bytes, by rename", ours, theirs)
        share = after - before
        print(
            f"on disk: the root {before / MIB:.1f} MiB, {LEAVES} leaves {share / MIB:.1f} MiB more"
        )
        held &= share < LEAVES * 128 * 1024
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
