"""A tiny OS for emulated boards, out of the distribution's packages."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sbctui.engine import bootkit
from sbctui.engine.bootkit.archive import Archive
from sbctui.engine.bootkit.build import Surroundings, Wanted, build
from sbctui.engine.bootkit.kernels import OfPackage
from sbctui.engine.bootkit.kits import CACHE, FOLDER
from sbctui.engine.bootkit.modules import choose
from tests.rootfs import cache

KERNEL = "cloud-arm64"
"""The smallest kernel of Debian's that knows the emulated arm64 board."""
KERNELS = {"arm64": KERNEL, "amd64": "cloud-amd64"}

_INIT = r"""#!/bin/sh
# What runs on the board: it says who it is, then does what comes in over its serial line.
PATH=/bin
say() { echo "MARK $*" >/dev/console; }
address() { ip -4 -o addr show scope global | sed 's/.*inet \([0-9.]*\).*/\1/'; }
# Every line reaches the disk before the next one; a line is said only when it has.
write() {
    n=0
    while [ ! -e /run/stop ]; do
        n=$((n + 1))
        echo "$(hostname) line $n" | dd of=/data/log oflag=append conv=notrunc,fsync 2>/dev/null ||
            { say "write error at $n"; exit; }
        echo "$n" >/run/written
        case $n in *0) say "written $n" ;; esac
        usleep 100000
    done
    say "wrote $n"
    touch /run/stopped
}
say "up $(hostname) $(address) $(cat /etc/hostname)"
echo "$(hostname) was here" >/data/was-here
sync
write &
while read -r word; do
    case $word in
        lines) say "lines $(cat /run/written)" ;;
        off)
            touch /run/stop
            while [ ! -e /run/stopped ]; do usleep 100000; done
            sync
            mount -o remount,ro / && say "clean"
            poweroff -f
            ;;
    esac
done
"""


@dataclass(frozen=True)
class Image:
    """``tar`` is a root file system with kernel ``version`` in /boot, and no initramfs there.

    ``packages`` is what ``bootkit`` builds one of without a network.
    """

    tar: Path
    version: str
    packages: Path


def image(arch: str = "arm64") -> Image:
    """The root file system of the emulated boards; made once from the package mirror."""
    folder = cache() / ("boards" if arch == "arm64" else f"boards-{arch}")
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = sorted(folder.glob(f"{_recipe()}-*.tar"))
        if not found:
            found = [_make(folder, arch)]
        version = found[0].name.removesuffix(".tar").partition("-")[2]
        return Image(found[0], version, folder / FOLDER / CACHE)


def _recipe() -> str:
    """Changes whenever what is made here would: by our own files, not by newer packages."""
    own = [Path(__file__), *sorted(Path(bootkit.__path__[0]).rglob("*"))]
    files = [path for path in own if path.is_file() and path.suffix != ".pyc"]
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _make(folder: Path, arch: str) -> Path:
    manifest = build(folder, Wanted(arch, KERNELS[arch]), Surroundings(print))
    packages = Archive(folder / FOLDER / CACHE, arch, offline=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        root, unpacked = Path(scratch) / "root", Path(scratch) / "unpacked"
        for package in packages.fetch(["busybox-static"]):
            packages.unpack(package, unpacked)
        kernel = OfPackage(packages, KERNELS[arch], unpacked, None)
        _furnish(root, unpacked)
        version = manifest.kernel
        modules = root / "lib/modules" / version
        source = unpacked / "lib/modules" / version
        for path in (*choose((source / "modules.dep").read_text()), "modules.dep",
                     "modules.order", "modules.builtin", "modules.builtin.modinfo"):  # fmt: skip
            (modules / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / path, modules / path)
        shutil.copy2(kernel.folder / f"boot/vmlinuz-{version}", root / "boot")
        part = folder / "part"
        with tarfile.open(part, "w") as tar:
            tar.add(root, ".", filter=_of_root)
        for old in folder.glob("*.tar"):
            old.unlink()
        return part.rename(folder / f"{_recipe()}-{version}.tar")


def _of_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    return info


def _furnish(root: Path, unpacked: Path) -> None:
    for name in ("bin", "boot", "data", "dev", "etc", "proc", "run", "sbin", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy2(unpacked / "bin/busybox", root / "bin/busybox")
    for name in ("sh", "ip", "sed", "hostname", "cat", "usleep", "touch", "sync", "dd",
                 "mount", "poweroff"):  # fmt: skip
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/hostname").write_text("image\n")
    (root / "sbin/init").write_text(_INIT)
    (root / "sbin/init").chmod(0o755)


def made_of(kind: str, tar: Path, disk: Path, scratch: Path) -> None:
    """The same root in another file system, by hand: btrfs or xfs."""
    root = scratch / "by-hand"
    root.mkdir(exist_ok=True)
    subprocess.run(["tar", "-x", "-C", root, "-f", tar], check=True)
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate(_SMALLEST)
    if kind == "btrfs":
        how = ["--rootdir", str(root)]
    else:
        proto = scratch / "proto"
        proto.write_text("\n".join(["/none", "0 0", "d--755 0 0", *_proto(root), "$", ""]))
        how = ["-p", str(proto)]
    path = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run([f"mkfs.{kind}", "-q", *how, disk], check=True, env=path, capture_output=True)


_SMALLEST = 320 << 20
"""Bytes; mkfs.xfs makes none below 300 MiB."""


def _proto(folder: Path) -> Iterator[str]:
    """What is in a folder, in the language of mkfs.xfs(8)'s prototype files."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            yield f"{path.name} l--777 0 0 {path.readlink()}"
        elif path.is_dir():
            yield from (f"{path.name} d--755 0 0", *_proto(path), "$")
        else:
            yield f"{path.name} ---{path.stat().st_mode & 0o777:o} 0 0 {path}"


def read_file(disk: Path, path: str, folder: Path) -> bytes:
    """A file on a leaf's raw disk, read without mounting it."""
    target = folder / "read"
    target.unlink(missing_ok=True)
    subprocess.run(
        ["debugfs", "-R", f"dump {path} {target}", disk],
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
    )
    return target.read_bytes()
