"""Export and import of a root beside what a person would type, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. The disk is 8 GiB large and holds 1.2 GiB of this
machine's own programs and data in 9,000 places, as a board leaves it. Both sides run as processes
of their own, end with the same promise (flushed to the disk), and take turns; each one's fastest
run counts. Memory is the most that the program had.
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

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.requests import CreateRoot
from sbctui.engine.model.settings import Settings

MIB, GIB = 1024**2, 1024**3
APPARENT, DATA, EXTENTS = 8 * GIB, 1229 * MIB, 9000
LEVEL, RUNS = 3, 3
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


def ran(argv: list[str]) -> tuple[float, int]:
    """Seconds of a program, and the most memory that it, and no child of it, had."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"archives: {argv} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024


def fastest(*acts: Callable[[], tuple[float, int]]) -> list[tuple[float, int]]:
    """Seconds of each one's fastest run, and its most memory; they take turns."""
    runs: list[list[tuple[float, int]]] = [[] for _ in acts]
    for _ in range(RUNS):
        for index, act in enumerate(acts):
            runs[index].append(act())
    return [(min(s for s, _ in run), max(m for _, m in run)) for run in runs]


def shell(script: str, *arguments: str | Path) -> tuple[float, int]:
    return ran(["sh", "-ec", script, "sh", *map(str, arguments)])


def main() -> int:
    """The table; 1 when a limit is broken."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        return table(Path(name))


def table(folder: Path) -> int:
    init_site(folder / "site", Settings.model_validate({"disk_kind": "copy"}))
    engine = Engine(folder / "site")
    engine.apply(engine.plan(CreateRoot(name="worn", size=APPARENT)))
    node = engine.path / "nodes" / "worn"
    worn(node / "root.img")
    mine, theirs, out = folder / "mine.tar.zst", folder / "theirs.tar.zst", folder / "out"
    ours = [*PROGRAM, "--site", str(engine.path), "root"]

    def export() -> tuple[float, int]:
        return ran([*ours, "export", "worn", str(mine), "--replace", "-yq"])

    def typed_export() -> tuple[float, int]:
        pack = f'tar -S -c -C "$1" root.img | zstd -q -f -{LEVEL} -T0 -o "$2"; sync "$2"'
        return shell(pack, node, theirs)

    def import_() -> tuple[float, int]:
        shutil.rmtree(engine.path / "nodes" / "again", ignore_errors=True)
        return ran([*ours, "import", str(mine), "--name", "again", "-yq"])

    def typed_import() -> tuple[float, int]:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        return shell('zstd -q -dc "$1" | tar -x -C "$2"; sync "$2"/root.img', theirs, out)

    broken = False
    print(f"{'archives':34} {'ours s':>8} {'theirs s':>9} {'ratio':>6}  limit")
    for what, one, other in (
        ("export / tar -S | zstd -T0", export, typed_export),
        ("import / zstd -dc | tar -x", import_, typed_import),
    ):
        (seconds, memory), (by_hand, _) = fastest(one, other)
        held = seconds <= LIMIT * by_hand and memory < MEMORY
        broken |= not held
        verdict = "holds" if held else "BROKEN"
        ratio = seconds / by_hand
        print(f"{what:34} {seconds:8.2f} {by_hand:9.2f} {ratio:6.2f}  × {LIMIT:g}, {verdict}, "
              f"{memory // MIB} MiB of {MEMORY // MIB}", flush=True)  # fmt: skip
    source, made = (engine.path / "nodes" / n / "root.img" for n in ("worn", "again"))
    subprocess.run(["cmp", source, made], check=True)
    holes = made.stat().st_blocks / source.stat().st_blocks
    broken |= holes > HOLES
    size = mine.stat().st_size / theirs.stat().st_size
    print(f"allocated, import / source: {holes:.3f} (limit {HOLES:g}); size / theirs: {size:.2f}")
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
