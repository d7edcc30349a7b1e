"""The gate beside the storage daemon alone, both over TCP, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. The two take turns on the same disk's content
and each one's fastest run counts. The forty boards are paced: 128 KiB reads from forty overlays
of one base, together a gigabit a second, and what counts is the processor time of the gate.
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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.nbdclient import Board, until
from tests.services import nbd_place
from tests.services.nbd_place import MIB, Place, mac

SIZE = 128 * MIB
RUNS = 9
BYTES_LIMIT, READS_LIMIT, CORES_LIMIT = 0.8, 0.5, 1.0
BOARDS, GIGABIT, SECONDS, BLOCK = 40, 125_000_000, 6.0, 128 * 1024
STREAM = ("nbdcopy", "--connections=1")
SMALL = (*STREAM, "--request-size=4096", "--requests=16")


@contextmanager
def alone(disk: Path) -> Iterator[int]:
    """The storage daemon as we start it, but on a TCP port of its own."""
    port = nbd_place.free_port()
    daemon = subprocess.Popen(
        [
            "qemu-storage-daemon",
            *("--blockdev", f"driver=file,node-name=disk,filename={disk},discard=unmap"),
            *("--nbd-server", f"addr.type=inet,addr.host=127.0.0.1,addr.port={port}"),
            *("--export", f"type=nbd,id=e,node-name=disk,name={mac(0)},writable=on"),
        ]
    )
    try:
        assert until(lambda: accepts(port))
        yield port
    finally:
        daemon.kill()
        daemon.wait()


def accepts(port: int) -> bool:
    try:
        Board(port).sock.close()
    except OSError:
        return False
    return True


def seconds(command: tuple[str, ...], port: int) -> float:
    began = time.perf_counter()
    subprocess.run([*command, f"nbd://127.0.0.1:{port}/{mac(0)}", "null:"], check=True)
    return time.perf_counter() - began


def ratio(command: tuple[str, ...], gate: int, daemon: int) -> tuple[float, float]:
    """Fastest seconds through the gate and without it."""
    through, direct = [], []
    for _ in range(RUNS):
        direct.append(seconds(command, daemon))
        through.append(seconds(command, gate))
    return min(through), min(direct)


def cpu(pid: int) -> float:
    """Processor seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def forty(here: Place) -> tuple[float, float]:
    """Bytes a second that paced boards got, and the gate's cores meanwhile."""
    pid = here.processes["gate"].pid
    boards = [here.board(number) for number in range(1, BOARDS + 1)]
    got = [0] * BOARDS
    begun = threading.Barrier(BOARDS + 1)
    end = [0.0]

    def play(number: int) -> None:
        dice, board = random.Random(number), boards[number]
        pause = BLOCK * BOARDS / GIGABIT
        begun.wait()
        due = time.perf_counter() + pause * number / BOARDS
        while due < end[0]:
            time.sleep(max(0.0, due - time.perf_counter()))
            board.read(dice.randrange(SIZE // BLOCK) * BLOCK, BLOCK)
            got[number] += BLOCK
            due += pause

    threads = [threading.Thread(target=play, args=(number,)) for number in range(BOARDS)]
    for thread in threads:
        thread.start()
    used, began = cpu(pid), time.perf_counter()
    end[0] = began + SECONDS
    begun.wait()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    return sum(got) / took, (cpu(pid) - used) / took


def row(what: str, gate: str, alone: str, figure: float, sign: str, limit: float) -> bool:
    kept = figure >= limit if sign == ">=" else figure <= limit
    print(f"{what:<34}{gate:>14}{alone:>14}{figure:>8.2f}  {sign} {limit:<5}", end="")
    print("ok" if kept else "BROKEN")
    return kept


def main() -> int:
    if shutil.which("nbdcopy") is None:
        print("nbdcopy is not installed; install it with: apt-get install libnbd-bin")
        return 6
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 4 * SIZE
    tempfile.tempdir = str(memory) if roomy else None
    with nbd_place.place() as here:
        disk = here.raw(0, SIZE, address="127.0.0.1").file
        content = os.urandom(SIZE)
        disk.write_bytes(content)
        copy = here.path / "copy"
        copy.write_bytes(content)
        base = here.base("root", content, SIZE)
        for number in range(1, BOARDS + 1):
            here.overlay(number, base, size=SIZE)
        assert here.exports.apply().refused == ()
        with alone(copy) as daemon:
            return measure(here, daemon)


def measure(here: Place, daemon: int) -> int:
    print(f"{'':<34}{'gate':>14}{'daemon alone':>14}{'':>8}  limit")
    kept = True
    through, direct = ratio(STREAM, here.port, daemon)
    figures = [f"{SIZE / time_ / 1e6:.0f} MB/s" for time_ in (through, direct)]
    kept &= row("one board, 256 KiB reads", *figures, direct / through, ">=", BYTES_LIMIT)
    through, direct = ratio(SMALL, here.port, daemon)
    figures = [f"{SIZE / 4096 / time_:.0f}/s" for time_ in (through, direct)]
    kept &= row("one board, 4 KiB reads, depth 16", *figures, direct / through, ">=", READS_LIMIT)
    speed, cores = forty(here)
    kept &= row("forty boards, MB/s", f"{speed / 1e6:.0f} MB/s", "", speed / GIGABIT, ">=", 0.95)
    kept &= row("forty boards, cores of the gate", f"{cores:.2f}", "", cores, "<=", CORES_LIMIT)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
