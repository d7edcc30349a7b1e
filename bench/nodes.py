"""Making a thousand leaves beside the bare file-system calls, and one more beside the first.

Prints one table; exits 1 when a limit is broken.

- 1,000 leaves of one root, with config, boot files and what the daemons read, everything of a
  node flushed that does not follow from its config, personalising off, planning included: at
  most 3 times a script of mkdir, FICLONE or write, link, write, fsync and rename that leaves the
  same files, flushed likewise, on a file system of the same kind, in turn. btrfs (reflink) and
  ext4 (overlay), loop mounts in memory.
- One more leaf in a running engine, its disk served by a running storage daemon and gate, on a
  site of 1,000: at most 1.5 times the same on a site of 1. They take turns, the median counts.
  On xfs (raw disks) and ext4 (overlays).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.requests import CreateLeaves, CreateRoot, LeafSpec, Request
from sbctui.engine.model.settings import Settings
from sbctui.engine.services.control import SiteControl, start_services
from tests.disks.place import mounted

MIB = 1024**2
COUNT = 1000
ONE_MORE = 31
ROUNDS = 4
BULK_LIMIT, ONE_LIMIT = 3.0, 1.5
_FICLONE = 0x40049409
OFF = {"hostname": False, "machine_id": False, "ssh_host_key": False}


def settings(port: int) -> Settings:
    network = {
        "subnet": "127.0.0.0/8",
        "pool": {"first": "127.7.0.1", "last": "127.7.250.250"},
        "server": "127.0.0.1",
        "nbd_port": port,
    }
    return Settings.model_validate({"network": network, "personalise": OFF})


def mac(number: int) -> str:
    return f"dc:a6:32:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def do(engine: Engine, request: Request) -> float:
    """Plan and run; the seconds it took."""
    began = time.perf_counter()
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return time.perf_counter() - began


def make_site(path: Path, port: int) -> Engine:
    """A site with one root that has a kernel, filled from a directory."""
    init_site(path, settings(port))
    engine = Engine(path)
    source = path.parent / f"{path.name}-source"
    (source / "boot").mkdir(parents=True)
    (source / "etc").mkdir()
    head = struct.pack("<IIQQQQQQ4sI", 0, 0, 0, MIB, 0, 0, 0, 0, b"ARM\x64", 0)
    (source / "boot" / "vmlinuz-6.1").write_bytes(head + os.urandom(MIB))
    (source / "boot" / "initrd.img-6.1").write_bytes(os.urandom(MIB))
    do(engine, CreateRoot(name="base", size=64 * MIB, source=engine.source(source)))
    return engine


def leaves(first: int, count: int) -> CreateLeaves:
    specs = tuple(LeafSpec(mac=mac(first + n)) for n in range(count))
    return CreateLeaves(root="base", leaves=specs)


def written(path: str, data: bytes, *, flush: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.write(fd, data)
    if flush:
        os.fsync(fd)
    os.close(fd)


def flush_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


@dataclass(frozen=True)
class Model:
    """One leaf as the engine made it: what to write, what to link, and an empty overlay."""

    name: str
    folders: list[str]
    files: dict[Path, bytes]
    links: dict[Path, Path]
    disk: str
    overlay: bytes
    host: bytes
    export: bytes


def model(site: Path, name: str) -> Model:
    """``links`` lead to a file of the root (absolute, below its folder) or of the leaf itself."""
    folder = site / "nodes" / name
    files: dict[Path, bytes] = {}
    links: dict[Path, Path] = {}
    seen: dict[int, Path] = {}
    disk = next(path for path in folder.iterdir() if path.name.startswith("root."))
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_dir() or path == disk:
            continue
        twin = site / "nodes" / "base" / inside
        if twin.exists() and twin.samefile(path):
            links[inside] = Path("/") / inside
        elif path.stat().st_ino in seen:
            links[inside] = seen[path.stat().st_ino]
        else:
            seen[path.stat().st_ino] = inside
            files[inside] = path.read_bytes()
    places = {parent for path in (*files, *links) for parent in path.parents}
    return Model(
        name,
        sorted(str(place) if place.name else "" for place in places),
        files,
        links,
        disk.name,
        b"" if disk.suffix == ".img" else disk.read_bytes(),
        (site / "derived" / "dnsmasq" / "hosts.d" / name).read_bytes(),
        (site / "derived" / "exports" / f"{name}.json").read_bytes(),
    )


def bare(root: Path, target: Path, models: list[Model]) -> float:
    """The same files made by nothing but system calls; the seconds they took."""
    place = {key: str(target / key) for key in ("nodes", "hosts", "tftp", "exports")}
    for folder in place.values():
        os.makedirs(folder)
    config = (root / "config.json").read_bytes()
    began = time.perf_counter()
    written(f"{target}/children", config, flush=True)
    for one in models:
        staging = f"{place['nodes']}/.new-{one.name}"
        for folder in one.folders:
            os.mkdir(os.path.join(staging, folder))
        copy_disk(f"{root}/root.img", one.overlay, f"{staging}/{one.disk}")
        for path, data in one.files.items():
            written(f"{staging}/{path}", data, flush=path.name == "config.json")
        for path, twin in one.links.items():
            above = root if twin.is_absolute() else staging
            os.link(f"{above}/{str(twin).lstrip('/')}", f"{staging}/{path}")
        for folder in (f"{staging}/boot", staging):
            flush_folder(folder)
        os.rename(staging, f"{place['nodes']}/{one.name}")
        flush_folder(place["nodes"])
    for one in models:
        derived(place, one)
    return time.perf_counter() - began


def copy_disk(source: str, overlay: bytes, target: str) -> None:
    """An empty overlay from memory, or FICLONE of the root's disk."""
    if overlay:
        written(target, overlay, flush=True)
        return
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with open(source, "rb") as disk:
        fcntl.ioctl(fd, _FICLONE, disk.fileno())
    os.fsync(fd)
    os.close(fd)


def derived(place: dict[str, str], one: Model) -> None:
    """What the daemons read: by rename, not flushed, as it can be derived again."""
    for folder, name, data in (
        ("hosts", one.name, one.host),
        ("exports", f"{one.name}.json", one.export),
    ):
        temp = f"{place[folder]}/.{name}.tmp"
        with open(temp, "wb") as file:
            file.write(data)
        os.rename(temp, f"{place[folder]}/{name}")
    temp = f"{place['tftp']}/.{one.name}.tmp"
    os.symlink(f"../../nodes/{one.name}/boot", temp)
    os.rename(temp, f"{place['tftp']}/{one.name}")


def bulk(kind: str, folder: Path) -> tuple[float, float]:
    """Seconds of 1,000 leaves, ours and bare, each on a new file system: the fastest of each."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        with mounted(kind, 3 << 30, folder) as point:
            engine = make_site(point / "site", 10809)
            os.sync()
            ours.append(do(engine, leaves(0, COUNT)))
            models = [model(engine.path, dashed(mac(n))) for n in range(COUNT)]
        with mounted(kind, 3 << 30, folder) as point:
            root = make_site(point / "site", 10809).path / "nodes" / "base"
            os.sync()
            theirs.append(bare(root, point / "bare", models))
    return min(ours), min(theirs)


def _in_use(path: Path) -> bool:
    """Whether some other process still has a file below ``path`` open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if os.readlink(link).startswith(f"{path}/"):
                return True
    return False


@contextmanager
def served(path: Path, port: int, count: int) -> Iterator[Engine]:
    """A site of ``count`` leaves with its services running."""
    engine = make_site(path, port)
    do(engine, leaves(0, count))
    start_services(path)
    try:
        yield engine
    finally:
        SiteControl(path).end()
        deadline = time.monotonic() + 30
        while _in_use(path) and time.monotonic() < deadline:
            time.sleep(0.05)


def one_more(kind: str, folder: Path) -> tuple[float, float]:
    """Median seconds of one leaf more on a served site of 1,000, and on one of 1."""
    took: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        point = stack.enter_context(mounted(kind, 3 << 30, folder))
        engines = [
            stack.enter_context(served(point / f"of-{count}", port, count))
            for count, port in ((COUNT, 10871), (1, 10872))
        ]
        for turn in range(ONE_MORE):
            for engine, seconds in zip(engines, took, strict=True):
                seconds.append(do(engine, leaves(COUNT + turn, 1)))
    large, small = (statistics.median(one) for one in took)
    return large, small


def main() -> int:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 << 30
    broken = False
    print(f"{'nodes':46} {'ours s':>8} {'theirs s':>8} {'ratio':>6}  limit")
    with tempfile.TemporaryDirectory(dir=memory if roomy else None) as name:
        folder = Path(name)
        folder.chmod(0o755)
        for kind in ("btrfs", "ext4"):
            mine, theirs = bulk(kind, folder)
            what = f"1,000 leaves on {kind}, {COUNT / mine:,.0f} a second / bare calls"
            print(f"{what:46} {mine:8.2f} {theirs:8.2f} {mine / theirs:6.2f}  × {BULK_LIMIT}")
            broken |= mine > BULK_LIMIT * theirs
        for kind in ("xfs", "ext4"):
            large, small = one_more(kind, folder)
            what = f"one leaf more on {kind}, served, of 1,000 / of 1"
            print(f"{what:46} {large:8.4f} {small:8.4f} {large / small:6.2f}  × {ONE_LIMIT}")
            broken |= large > ONE_LIMIT * small
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
