"""Multicast to eight receivers beside multicast to one, in one run, as ratios.

Prints one table; exits 1 when the limit is broken. Sender and receivers are the product's own
verbs on machines of their own (network namespaces on one bridge). What counts is the time from the
first packet until every receiver has told that its copy is verified. The limit is judged at the
rate of a hundred-megabit line, where the line decides as it does in a lab; as fast as it goes all
nine share this machine's processors, so that figure is only shown.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.events import Event
from sbctui.engine.model.requests import MakeSideFiles
from tests.lab import unable, which
from tests.repository.place import ADDRESS, MIB, Machine, ended, machines

SIZE, MANY, RUNS, LIMIT = 64 * MIB, 8, 2, 1.3
RATES = (("at 100 Mbit/s", ("--rate", "100m"), LIMIT), ("as fast as it goes", (), None))


def seconds(server: Machine, boards: list[Machine], rate: tuple[str, ...]) -> float:
    """From the first packet until all have verified it."""
    for board in boards:
        for name in board.names():
            (board.image.parent / name).unlink()
    words = ("repo", "receive", ADDRESS, "--from", f"{server.image}.mcast")
    receiving = [board.start(*words) for board in boards]
    many = str(len(boards))
    code, document = server.run("repo", "send", ADDRESS, "--receivers", many, *rate)
    assert code == 0, document
    for one in receiving:
        assert ended(one)[0] == 0
    return took(server, document["report"]["job"])


def took(server: Machine, job: str) -> float:
    stop = threading.Event()
    stop.set()
    events: list[Event] = list(Engine(server.site).events(job, stop))
    began = next(e.at for e in events if e.kind == "note" and e.text.startswith("sending to"))
    return max(e.at for e in events if e.kind == "receiver") - began


def main() -> int:
    missing = [tool for tool in ("udp-sender", "udp-receiver") if which(tool) is None]
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
    print(f"{f'{SIZE // MIB} MiB by multicast':<24}{'one':>10}{'eight':>10}{'':>8}  limit")
    kept = True
    for what, rate, limit in RATES:
        one, many = [], []
        for _ in range(RUNS):
            one.append(seconds(server, boards[:1], rate))
            many.append(seconds(server, boards, rate))
        ratio = min(many) / min(one)
        verdict = "" if limit is None else f"<= {limit:<5}{'ok' if ratio <= limit else 'BROKEN'}"
        kept &= limit is None or ratio <= limit
        print(f"{what:<24}{min(one):>9.2f}s{min(many):>9.2f}s{ratio:>8.2f}  {verdict}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
