"""Export and import of a root beside what a person would type, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. The disk is 8 GiB large and holds 1.2 GiB of this
machine's own programs and data in 9,000 places, as a board leaves it. Both sides run as processes
of their own, end with the same promise (flushed to the disk), and take turns; each one's fastest
run counts. Memory is the most that the program had. The file system is a loop mount, in memory
where there is room, so that the machine's own disk does not decide, and all of it is there from the
beginning, so that no run pays for memory that another has then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.requests import CreateRoot
from sbctui.engine.model.settings import Settings
from tests.disks.place import mounted

MIB, GIB = 1024**2, 1024**3
APPARENT, DATA, EXTENTS = 8 * GIB, 1229 * MIB, 9000
ROOM = 8 * DATA
LEVEL, RUNS = 3, 6
LIMIT, HOLES, MEMORY = 1.1, 1.01, 150 * MIB
PROGRAM = [sys.executable, "-m", "sbctui"]


def content() -> Iterator[bytes]:
    """Real data: the files below /usr, from the beginning again when they are used up."""
    while True:
        for folder, folders, names in os.walk("/usr"):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        while data := file.read(MIB):
                            yield data


def worn(path: Path) -> None:
    """A disk as a board leaves it."""
    length = DATA // EXTENTS // 4096 * 4096
    source, held = content(), bytearray()
    with open(path, "r+b") as file:
        file.truncate(0)
        file.truncate(APPARENT)
        for place in range(EXTENTS):
            while len(held) < length:
                held += next(source)
            file.seek(place * (APPARENT // EXTENTS) // 4096 * 4096)
            file.write(held[:length])
            del held[:length]
        os.fsync(file.fileno())


class Ran(NamedTuple):
    """Seconds, seconds of all processors, bytes of memory."""

    seconds: float
    work: float
    memory: int


def ran(argv: list[str]) -> Ran:
    """A program's seconds, those of all processors, and the most memory of one process of it."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"archives: {argv} ended with {process.returncode}")
    seconds = time.perf_counter() - began
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def fastest(*acts: Callable[[], Ran]) -> list[Ran]:
    """The least time and work of each one's runs, and its most memory; they take turns."""
    runs: list[list[Ran]] = [[] for _ in acts]
    for _ in range(RUNS):
        for index, act in enumerate(acts):
            runs[index].append(act())
    return [
        Ran(min(r.seconds for r in run), min(r.work for r in run), max(r.memory for r in run))
        for run in runs
    ]


def shell(script: str, *arguments: str | Path) -> Ran:
    return ran(["sh", "-ec", script, "sh", *map(str, arguments)])


def main() -> int:
    """The table; 1 when a limit is broken."""
    if os.geteuid() != 0:
        print("archives: needs root for a loop mount; run: sudo ./run bench archives",
              file=sys.stderr)  # fmt: skip
        return 1
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * ROOM
    with (
        tempfile.TemporaryDirectory(dir=memory if roomy else None) as name,
        mounted("ext4", ROOM, Path(name)) as point,
    ):
        with open(point.with_suffix(".fs"), "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
        return table(point)


def table(folder: Path) -> int:
    init_site(folder / "site", Settings.model_validate({"disk_kind": "copy"}))
    engine = Engine(folder / "site")
    engine.apply(engine.plan(CreateRoot(name="worn", size=APPARENT)))
    node = engine.path / "nodes" / "worn"
    worn(node / "root.img")
    mine, theirs, out = folder / "mine.tar.zst", folder / "theirs.tar.zst", folder / "out"
    ours = [*PROGRAM, "--site", str(engine.path), "root"]

    def export() -> Ran:
        return ran([*ours, "export", "worn", str(mine), "--replace", "-yq"])

    def typed_export() -> Ran:
        pack = f'tar -S -c -C "$1" root.img | zstd -q -f -{LEVEL} -T0 -o "$2"; sync "$2"'
        return shell(pack, node, theirs)

    def import_() -> Ran:
        shutil.rmtree(engine.path / "nodes" / "again", ignore_errors=True)
        return ran([*ours, "import", str(mine), "--name", "again", "-yq"])

    def typed_import() -> Ran:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return shell('zstd -q -dc "$1" | tar -x -C "$2"; sync "$2"/root.img', theirs, out)

    broken = False
    print(f"{'archives':28} {'ours s':>8} {'theirs s':>9} {'ratio':>6}  limit")
    for what, one, other in (
        ("export / tar -S | zstd -T0", export, typed_export),
        ("import / zstd -dc | tar -x", import_, typed_import),
    ):
        mine_, theirs_ = fastest(one, other)
        ratio = mine_.seconds / theirs_.seconds
        held = ratio <= LIMIT and mine_.memory < MEMORY
        broken |= not held
        print(f"{what:28} {mine_.seconds:8.2f} {theirs_.seconds:9.2f} {ratio:6.2f}  × {LIMIT:g} "
              f"{'holds' if held else 'BROKEN'}; of all processors {mine_.work:.2f} and "
              f"{theirs_.work:.2f} s; {mine_.memory // MIB} of {MEMORY // MIB} MiB")  # fmt: skip
    source, made = (engine.path / "nodes" / n / "root.img" for n in ("worn", "again"))
    subprocess.run(["cmp", source, made], check=True)  # holes too: it reads all 8 GiB
    holes = made.stat().st_blocks / source.stat().st_blocks
    broken |= holes > HOLES
    size = mine.stat().st_size / theirs.stat().st_size
    print(f"allocated, import / source: {holes:.3f} (limit {HOLES:g}); size / theirs: {size:.2f}")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
