"""A lab of sites: one that sends, and boards that each have a site of their own to receive into."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from sbctui.engine.model.settings import Settings
from sbctui.engine.siteinit import init_site
from tests.lab import Lab, Space

IMAGE = "lab/debian.tar.zst"
ADDRESS = f"repo:{IMAGE}"
MIB = 1024**2


@dataclass
class Machine:
    """A site on a machine of its own."""

    space: Space
    site: Path
    address: IPv4Address
    interface: str

    @property
    def image(self) -> Path:
        return self.site / "repo" / "images" / IMAGE

    def argv(self, words: Sequence[str | os.PathLike[str]]) -> list[str]:
        transfers = words[1] in ("seed", "send", "receive")
        named = ["--interface", self.interface] if transfers else []
        program = [sys.executable, "-m", "sbctui", "--site", str(self.site)]
        return [*program, *map(os.fspath, words), *named, "-y", "--json"]

    def start(self, *words: str | os.PathLike[str]) -> subprocess.Popen[bytes]:
        """A verb that goes on for a while."""
        pipe = subprocess.PIPE
        return self.space.start(self.argv(words), stdout=pipe, stderr=pipe)

    def run(self, *words: str | os.PathLike[str]) -> tuple[int, dict[str, Any]]:
        """A verb to its end: exit code and document."""
        return ended(self.start(*words))

    def names(self) -> set[str]:
        """What lies beside the image, and itself."""
        return set(os.listdir(self.image.parent)) if self.image.parent.exists() else set()

    def idle(self) -> bool:
        """Whether no program and no socket is left."""
        return not self.programs() and not self.sockets()

    def programs(self) -> list[str]:
        pids = subprocess.run(
            ["ip", "netns", "pids", self.space.name], capture_output=True, text=True, check=True
        ).stdout.split()
        return [_command(pid) for pid in pids]

    def received(self) -> int:
        """Bytes that came over its interface so far."""
        listed = self.space.run(["ip", "-s", "-j", "link", "show", self.interface]).stdout
        bytes_: int = json.loads(listed)[0]["stats64"]["rx"]["bytes"]
        return bytes_

    def sockets(self) -> list[str]:
        listed = self.space.run(["ss", "-Hnlutp"]).stdout.decode()
        return listed.splitlines()


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def ended(process: subprocess.Popen[bytes], seconds: float = 90) -> tuple[int, dict[str, Any]]:
    """The exit code and document of a verb."""
    out, err = process.communicate(timeout=seconds)
    try:
        return process.returncode, json.loads(out)
    except ValueError:
        raise AssertionError(f"no document: {out.decode()!r}, said {err.decode()!r}") from None


@contextmanager
def machines(folder: Path, receivers: int) -> Iterator[list[Machine]]:
    """The machine that sends, and the others."""
    with Lab() as lab:
        found = [Machine(lab.server, folder / "server", lab.address, lab.interface)]
        for number in range(1, receivers + 1):
            board = lab.board(f"dc:a6:32:00:07:{number:02x}")
            address = lab.address + number
            board.use(address)
            found.append(Machine(board, folder / f"board{number}", address, "eth0"))
        for machine in found:
            init_site(machine.site, Settings())
        yield found


def sparse_disk(folder: Path, *, data: int, apparent: int) -> Path:
    """A disk of ``apparent`` bytes with ``data`` bytes in it, in pieces with holes between."""
    disk = folder / "root.img"
    pieces = data // MIB
    with open(disk, "wb") as file:
        file.truncate(apparent)
        for number in range(pieces):
            file.seek(number * (apparent // pieces) // 4096 * 4096)
            file.write(os.urandom(MIB))
    return disk


def archive(disk: Path, target: Path) -> None:
    """The disk as an ordinary compressed tar that keeps its holes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    tar = ["tar", "-S", "-C", str(disk.parent), "-cf", "-", disk.name]
    with subprocess.Popen(tar, stdout=subprocess.PIPE) as packing:
        subprocess.run(["zstd", "-q", "-1", "-o", target], stdin=packing.stdout, check=True)
    assert packing.returncode == 0
