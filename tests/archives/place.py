"""A small site, and a look at everything around it."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import Report

MIB = 1024**2
SIZE = 8 * MIB
OFF = {"hostname": False, "machine_id": False, "ssh_host_key": False}
NETWORK = {
    "interface": "lab0",
    "subnet": "10.77.0.0/24",
    "pool": {"first": "10.77.0.50", "last": "10.77.0.250"},
    "server": "10.77.0.1",
}


def make_site(path: Path, kind: str = "auto") -> Engine:
    settings = {"network": NETWORK, "personalise": OFF, "disk_kind": kind}
    init_site(path, Settings.model_validate(settings))
    return Engine(path)


def do(engine: Engine, request: ask.Request) -> Report:
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return report


def make_root(engine: Engine, name: str, size: int = SIZE) -> Path:
    """A root with a kernel, an initramfs and some data on its disk; its folder."""
    do(engine, ask.CreateRoot(name=name, size=size, notes=f"the notes of {name}"))
    folder = engine.path / "nodes" / name
    kernel = struct.pack("<IIQQQQQQ4sI", 0, 0, 0, 4096, 0, 0, 0, 0, b"ARM\x64", 0)
    (folder / "boot" / "vmlinuz-6.1").write_bytes(kernel.ljust(4096, b"\0"))
    (folder / "boot" / "initrd.img-6.1").write_bytes(b"initrd" * 100)
    (folder / "boot" / "dtbs" / "vendor").mkdir(parents=True)
    (folder / "boot" / "dtbs" / "vendor" / "board.dtb").write_bytes(b"tree" * 600)
    with open(folder / "root.img", "r+b") as file:
        file.seek(3 * MIB + 4096)
        file.write(hashlib.shake_128(name.encode()).digest(2 * MIB))
    return folder


def export(engine: Engine, name: str, file: Path, **more: object) -> Report:
    request = ask.ExportRoot.model_validate(
        {"name": name, "target": engine.target(str(file)), **more}
    )
    return do(engine, request)


def import_of(engine: Engine, file: Path | str, name: str, **more: object) -> ask.ImportRoot:
    return ask.ImportRoot.model_validate(
        {"name": name, "archive": engine.archive(str(file)), **more}
    )


def everything(path: Path, *but: Path) -> dict[str, tuple[object, ...]]:
    """All files below a folder with what could have changed of them, but for the jobs' own."""
    return dict(_entries(path, but))


def _entries(path: Path, but: tuple[Path, ...]) -> Iterator[tuple[str, tuple[object, ...]]]:
    for top, folders, names in os.walk(path):
        folders[:] = [name for name in folders if Path(top, name) not in but]
        for name in (*folders, *names):
            entry = Path(top, name)
            if entry in but:
                continue
            facts = entry.lstat()
            plain = entry.is_file() and not entry.is_symlink()
            data = entry.read_bytes() if plain and facts.st_size < MIB else b""
            when = (facts.st_mtime_ns, facts.st_ctime_ns) if plain else ()
            yield str(entry), (facts.st_mode, facts.st_ino, facts.st_size, when, data)


def holes(path: Path) -> int:
    """Allocated bytes."""
    return path.stat().st_blocks * 512
