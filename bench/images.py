"""An OS image in, beside what a person would type for the same file, in one run, as a ratio.

Prints one table; exits 1 when the limit is broken. The image is of the size and make of a small
distribution: a FAT with firmware, an ext4 root that is two thirds full, packed by xz.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sbctui.engine.disks.create import inspect_source, make_root
from tests import images

MIB = 1024**2
ROOT, DATA = 1200 * MIB, 800 * MIB
RUNS, LIMIT = 3, 1.3


def image(folder: Path) -> Path:
    """The image; half of what it holds can be packed."""
    tree = images.root_files(folder / "tree")
    dice = random.Random(5)
    words = [dice.randbytes(12) for _ in range(4000)]
    for number in range(DATA // (8 * MIB)):
        with open(tree / "usr/bin" / f"file{number}", "wb") as file:
            file.write(dice.randbytes(4 * MIB))
            while file.tell() < 8 * MIB:
                file.write(b"".join(dice.choices(words, k=4096)))
    root = images.ext4(folder / "root", tree, ROOT)
    parts = ((images.fat(folder / "fat", 256 * MIB), "c"), (root, "83"))
    made = images.partitioned(folder / "os.img", "dos", parts)
    return images.packed(made, ".xz")


def ours(packed: Path, folder: Path) -> None:
    """Look at it, make the disk and the boot folder."""
    (folder / "boot").mkdir(parents=True)
    source = inspect_source(packed)
    make_root(
        folder / "root.img", source.bytes, source, stop=threading.Event(), report=lambda a, b: None
    )


def typed(packed: Path, folder: Path) -> None:
    """What a person would type: the whole disk, unpacked sparse and flushed."""
    folder.mkdir(parents=True)
    command = 'xz -dc "$0" | dd of="$1" bs=1M iflag=fullblock conv=sparse,fsync status=none'
    subprocess.run(["sh", "-c", command, packed, folder / "disk.img"], check=True)


def fastest(work: Callable[[Path, Path], None], packed: Path, folder: Path) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(RUNS):
        os.sync()
        began = time.monotonic()
        work(packed, folder)
        times.append(time.monotonic() - began)
        shutil.rmtree(folder)
    return min(times)


def main() -> int:
    """The table; 1 when the limit is broken."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed = image(folder)
        by_hand = fastest(typed, packed, folder / "typed")
        our_own = fastest(ours, packed, folder / "ours")
    ratio = our_own / by_hand
    print(f".img.xz in: {our_own:.2f} s, xz -dc | dd conv=sparse {by_hand:.2f} s: "
          f"{ratio:.2f} (limit {LIMIT})")  # fmt: skip
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
