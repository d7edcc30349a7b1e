"""Multicast to eight receivers beside multicast to one, in one run, as ratios.

Prints one table; exits 1 when a limit is broken. Sender and receivers are the product's own verbs
on machines of their own (network namespaces on one bridge), and beside them, as the control, the
bare udp-sender and udp-receivers that throw away what comes. What counts is the time from the
first packet until every receiver has told that its copy is verified, or of the bare ones, until
the last has ended.

At the rate of a hundred-megabit line the line decides, as it does in a lab: eight against one is
judged there. As fast as it goes all nine share this machine's processors, and eight do eight times
the work of one: there what the product adds is judged, by the control that does the same on as many
machines. ``cpu`` are the seconds for which this machine's processors were busy; eight can't take
less than that divided by how many there are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.events import Event
from sbctui.engine.model.requests import MakeSideFiles
from sbctui.engine.repository.mcastfile import BLOCK, channel
from tests.lab import unable, until, which
from tests.repository.place import ADDRESS, MIB, Machine, ended, machines

SIZE, MANY, RUNS = 64 * MIB, 8, 2
LIMIT, OVERHEAD = 1.3, 2.0
LINE = "100m"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of the processors."""

    wall: float
    cpu: float


def busy() -> float:
    """Seconds that this machine's processors have worked: all but idle and waiting."""
    words = Path("/proc/stat").read_text().split(maxsplit=9)[1:9]
    return sum(int(word) for place, word in enumerate(words) if place not in (3, 4)) / _TICKS


def product(server: Machine, boards: list[Machine], rate: str) -> Took:
    """The product's verbs."""
    for board in boards:
        for name in board.names():
            (board.image.parent / name).unlink()
    words = ("repo", "receive", ADDRESS, "--from", f"{server.image}.mcast")
    receiving = [board.start(*words) for board in boards]
    limit = ("--rate", rate) if rate else ()
    for board in boards:
        until(lambda b=board: _listens(b), 60, "a receiver listens")  # type: ignore[misc]
    before = busy()
    many = str(len(boards))
    code, document = server.run("repo", "send", ADDRESS, "--receivers", many, *limit)
    assert code == 0, document
    for one in receiving:
        assert ended(one)[0] == 0
    return Took(_wall(server, document["report"]["job"]), busy() - before)


def _listens(board: Machine) -> bool:
    return any("udp-receiver" in line for line in board.sockets())


def _wall(server: Machine, job: str) -> float:
    stop = threading.Event()
    stop.set()
    events: list[Event] = list(Engine(server.site).events(job, stop))
    began = next(e.at for e in events if e.kind == "note" and e.text.startswith("sending to"))
    return max(e.at for e in events if e.kind == "receiver") - began


def bare(server: Machine, boards: list[Machine], rate: str) -> Took:
    """udpcast alone, as the product calls it."""
    (found,) = Engine(server.site).side_files()
    way = channel(found.sha256)
    meeting = ["--nokbd", "--ttl", "1", "--portbase", str(way.port),
               "--mcast-rdv-address", str(way.rendezvous)]  # fmt: skip
    nowhere, pipe = subprocess.DEVNULL, subprocess.PIPE
    receiving = [
        board.space.start(
            ["udp-receiver", *meeting, "--interface", board.interface, "--no-progress"],
            stdout=nowhere, stderr=nowhere,
        )
        for board in boards
    ]  # fmt: skip
    for board in boards:
        until(lambda b=board: _listens(b), 60, "a receiver listens")  # type: ignore[misc]
    before = busy()
    sending = server.space.start(
        ["udp-sender", "--file", server.image, *meeting, "--interface", server.interface,
         "--mcast-data-address", str(way.data), "--blocksize", str(BLOCK), "--full-duplex",
         "--min-receivers", str(len(boards)), "--max-wait", "60",
         *(("--max-bitrate", rate) if rate else ())],
        stdout=nowhere, stderr=pipe,
    )  # fmt: skip
    assert sending.stderr is not None
    said = b""
    while b"Starting transfer" not in said and (byte := sending.stderr.read(1)):
        said += byte
    began = time.monotonic()
    sending.communicate()
    for one in (sending, *receiving):
        assert one.wait(60) == 0
    return Took(time.monotonic() - began, busy() - before)


Way = Callable[[Machine, list[Machine], str], Took]


def best(way: Way, server: Machine, boards: list[Machine], rate: str) -> Took:
    """The quickest of some runs."""
    return min((way(server, boards, rate) for _ in range(RUNS)), key=lambda took: took.wall)


def main() -> int:
    missing = [tool for tool in ("udp-sender", "udp-receiver", "ss") if which(tool) is None]
    if missing or unable():
        print(unable() or "udpcast is not installed; install it with: apt-get install udpcast")
        return 6
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > (MANY + 3) * SIZE
    with (
        tempfile.TemporaryDirectory(dir=memory if roomy else None) as folder,
        machines(Path(folder), MANY) as (server, *boards),
    ):
        server.image.parent.mkdir(parents=True)
        server.image.write_bytes(os.urandom(SIZE))
        engine = Engine(server.site)
        assert engine.apply(engine.plan(MakeSideFiles())).code == 0
        return measure(server, boards)


def measure(server: Machine, boards: list[Machine]) -> int:
    cores = len(os.sched_getaffinity(0))
    print(f"{f'{SIZE // MIB} MiB by multicast':<26}{'one':>8}{'cpu':>8}{'eight':>8}{'cpu':>8}"
          f"{'8 / 1':>7}  limit   ({cores} processors)")  # fmt: skip
    kept = True
    for rate, what in ((LINE, "at 100 Mbit/s"), ("", "as fast as it goes")):
        found: dict[Way, tuple[Took, Took]] = {}
        for way, name in ((bare, "bare udpcast"), (product, what)):
            one, many = best(way, server, boards[:1], rate), best(way, server, boards, rate)
            found[way] = one, many
            ratio = many.wall / one.wall
            judged = way is product and bool(rate)
            verdict = f"<= {LIMIT:<5}{'ok' if ratio <= LIMIT else 'BROKEN'}" if judged else ""
            kept &= not judged or ratio <= LIMIT
            print(f"{name:<26}{one.wall:>7.2f}s{one.cpu:>7.2f}s{many.wall:>7.2f}s"
                  f"{many.cpu:>7.2f}s{ratio:>7.2f}  {verdict}")  # fmt: skip
        if not rate:
            added = found[product][1].wall / found[bare][1].wall
            kept &= added <= OVERHEAD
            print(f"{'eight: product / bare':<58}{added:>7.2f}  <= {OVERHEAD:<5}"
                  f"{'ok' if added <= OVERHEAD else 'BROKEN'}")  # fmt: skip
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
